// Issues the two kinds of certificates that the webhooks need: an authority of our own, and what a replica serves with.
// Edge: knows neither the Secret nor when anything is due; the library is loaded with the first certificate, so that a program
// without webhooks does not pay for it.
import { Clock, Data, Duration, Effect, Redacted } from "effect"
import { SecureRandom } from "effect/crypto"
import { createPrivateKey, KeyObject, webcrypto, X509Certificate } from "node:crypto"
import { isIP } from "node:net"
import { provideReflection } from "./Reflection.ts"

/** A certificate and its private key, PEM both. */
export interface KeyPair {
  /** As Node writes it, with a newline at its end: so that such texts can be put together, and compared. */
  readonly certificate: string
  /** PKCS#8. */
  readonly key: Redacted.Redacted
}

/** No certificate could be made: the library or the platform's cryptography said no. Trying again is all there is to do. */
export class IssueError extends Data.TaggedError("IssueError")<{ readonly what: string; readonly cause: unknown }> {
  override get message() {
    return `${this.what} cannot be issued: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

/** How long an authority is good for: a year, as cert-manager's webhook has it. */
const authorityLife = Duration.days(365)
/** How long a replica's certificate is good for at most. */
export const leafLife = Duration.days(7)

// clocks of replicas and API servers differ, and who is behind must not see a certificate of the future
const skew = Duration.toMillis("1 hour")

/** The only algorithm: small keys, which every TLS library of the last decade can verify. */
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const

const load = () => {
  provideReflection()
  return import("@peculiar/x509")
}

const generate = () => webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"])

const secretOf = (key: webcrypto.CryptoKey): Redacted.Redacted =>
  Redacted.make(KeyObject.from(key).export({ type: "pkcs8", format: "pem" }).toString(), { label: "webhook key" })

/** A positive number of 128 bits, as hexadecimal digits: RFC 5280 4.1.2.2 allows no zero, no sign, and 20 octets at most. */
const serialNumber = Effect.gen(function*() {
  const { randomBytes } = yield* SecureRandom.SecureRandom
  const bytes = yield* randomBytes(16)
  // the first bit is the sign of an INTEGER; the second one set makes the number as long as it is said to be
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return Buffer.from(bytes).toString("hex")
})

type Library = Awaited<ReturnType<typeof load>>

/** A new key pair, with the certificate that is made for it. */
const issue = (
  what: string,
  make: (x509: Library, keys: webcrypto.CryptoKeyPair) => Promise<{ readonly toString: (format: "pem") => string }>
): Effect.Effect<KeyPair, IssueError> =>
  Effect.tryPromise({
    try: async () => {
      const x509 = await load()
      const keys = await generate()
      const certificate = await make(x509, keys)
      return {
        certificate: new X509Certificate(certificate.toString("pem")).toString(),
        key: secretOf(keys.privateKey)
      }
    },
    catch: (cause) => new IssueError({ what, cause })
  })

/**
 * A self-signed authority, good from an hour ago for a year. It may sign certificates of servers, and no further authority.
 * Its name ends with the beginning of its serial number: two of them stand in one bundle during a rotation, and not every TLS
 * library looks further than the name.
 */
export const issueAuthority = Effect.gen(function*() {
  const serial = yield* serialNumber
  const now = yield* Clock.currentTimeMillis
  return yield* issue(
    "an authority for the webhooks",
    async (x509, keys) =>
      await x509.X509CertificateGenerator.createSelfSigned({
        serialNumber: serial,
        name: `CN=image-cloner webhook authority ${serial.slice(0, 8)}`,
        notBefore: new Date(now - skew),
        notAfter: new Date(now + Duration.toMillis(authorityLife)),
        signingAlgorithm: algorithm,
        keys,
        extensions: [
          new x509.BasicConstraintsExtension(true, 0, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
          await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
          await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey)
        ]
      })
  )
})

const importKey = async (pem: Redacted.Redacted): Promise<webcrypto.CryptoKey> => {
  const der = createPrivateKey(Redacted.value(pem)).export({ type: "pkcs8", format: "der" })
  return webcrypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"])
}

/**
 * A certificate of a server, signed by `signer`: good from an hour ago for a week, but no longer than its authority.
 * @param names DNS names and IP addresses, which all stand in its subjectAltName
 */
export const issueLeaf = Effect.fn("certificates.issueLeaf")(function*(signer: KeyPair, names: ReadonlyArray<string>) {
  const serial = yield* serialNumber
  const now = yield* Clock.currentTimeMillis
  return yield* issue(`a certificate for ${names.join(", ")}`, async (x509, keys) => {
    const last = new X509Certificate(signer.certificate).validToDate.getTime()
    return x509.X509CertificateGenerator.create({
      serialNumber: serial,
      // a common name has 64 characters at most, and nobody reads it beside a subjectAltName
      subject: "CN=image-cloner webhook",
      issuer: new x509.X509Certificate(signer.certificate).subjectName,
      notBefore: new Date(now - skew),
      notAfter: new Date(Math.min(now + Duration.toMillis(leafLife), last)),
      signingAlgorithm: algorithm,
      publicKey: keys.publicKey,
      signingKey: await importKey(signer.key),
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(
          names.map((value) => ({ type: isIP(value) === 0 ? "dns" as const : "ip" as const, value }))
        ),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
        await x509.AuthorityKeyIdentifierExtension.create(new x509.X509Certificate(signer.certificate).publicKey)
      ]
    })
  })
})
