// A certificate authority for tests, with a certificate for 127.0.0.1 and one for a client. PEM.
import { KeyObject, webcrypto } from "node:crypto"
import { provideReflection } from "../../src/admission/certificates/Reflection.ts"

// @peculiar/x509 declares the browser's CryptoKey, which is Node's
const pemOf = (key: webcrypto.CryptoKey): string =>
  KeyObject.from(key).export({ type: "pkcs8", format: "pem" }).toString()

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const

export interface Pair {
  readonly cert: string
  readonly key: string
}

/** The certificates are for 127.0.0.1 and these names of hosts. */
export const makeCertificatesFor = async (
  names: ReadonlyArray<string>
): Promise<{ ca: string; server: Pair; client: Pair }> => {
  provideReflection()
  const x509 = await import("@peculiar/x509")
  const notBefore = new Date(Date.now() - 3_600_000)
  const notAfter = new Date(Date.now() + 3_600_000)
  const generate = () => webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"])
  const caKeys = await generate()
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: "CN=test authority",
    notBefore,
    notAfter,
    signingAlgorithm: algorithm,
    keys: caKeys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true)
    ]
  })
  const issue = async (serialNumber: string, subject: string): Promise<Pair> => {
    const keys = await generate()
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber,
      subject,
      issuer: ca.subject,
      notBefore,
      notAfter,
      signingAlgorithm: algorithm,
      publicKey: keys.publicKey,
      signingKey: caKeys.privateKey,
      extensions: [
        new x509.SubjectAlternativeNameExtension([
          { type: "ip", value: "127.0.0.1" },
          ...names.map((value) => ({ type: "dns" as const, value }))
        ])
      ]
    })
    return { cert: certificate.toString("pem"), key: pemOf(keys.privateKey) }
  }
  return { ca: ca.toString("pem"), server: await issue("02", "CN=server"), client: await issue("03", "CN=someone") }
}

export const makeCertificates = (): ReturnType<typeof makeCertificatesFor> => makeCertificatesFor([])
