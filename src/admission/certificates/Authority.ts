// The authority of the webhooks as the Secret has it: who signs, who will, and who did until lately, as the data of a Secret and back.
// What is not whole, not one pair, or no authority is told apart, for whoever has to mend it.
// Edge: pure. What time makes of it is Rotation.ts's to say, how it gets into the cluster AuthoritySecret.ts's.
import { Data, Redacted, Result } from "effect"
import { createPrivateKey, X509Certificate } from "node:crypto"
import type { KeyPair } from "./IssueCertificates.ts"

/** The usual state: one signs, and is trusted. */
export interface Settled {
  readonly _tag: "Settled"
  readonly current: KeyPair
}

/** The next one is published to be trusted, and signs nothing yet. */
export interface Announced {
  readonly _tag: "Announced"
  readonly current: KeyPair
  readonly next: KeyPair
}

/** The next one has become the current one; what the previous ones signed is still served somewhere. */
export interface Switched {
  readonly _tag: "Switched"
  readonly current: KeyPair
  /** PEM; their keys are gone. */
  readonly previous: ReadonlyArray<string>
  /** When, in milliseconds since the epoch; undefined: the Secret does not tell. */
  readonly since: number | undefined
}

export type Authority = Settled | Announced | Switched

/** Why data are no authority. Nobody but a person can mend it, and overwriting what we do not understand is no way to. */
export class AuthorityError extends Data.TaggedError("AuthorityError")<{
  readonly reason:
    /** A part is missing, or the parts are of different times. */
    | "Incomplete"
    /** A part is no PEM, or more than one certificate. */
    | "Damaged"
    /** A key and its certificate belong to different pairs. */
    | "Mismatched"
    /** A certificate that may not sign, or that another one has signed. */
    | "NotAuthority"
    /** A pair that is not P-256, and so none of ours. */
    | "Unsupported"
  readonly detail: string
}> {
  override get message() {
    return this.detail
  }
}

/** Of a Secret: texts in base64. */
export type SecretData = Readonly<Record<string, string>>

const field = {
  bundle: "ca.crt",
  certificate: "tls.crt",
  key: "tls.key",
  nextCertificate: "next.crt",
  nextKey: "next.key",
  since: "switched-at"
} as const

/** What of a Secret's data is the authority's. */
export const fields: ReadonlySet<string> = new Set<string>(Object.values(field))

const block = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

/** All certificates of a PEM text, undefined where one of them cannot be read, or the text breaks off within one. */
export const certificatesOf = (pem: string): ReadonlyArray<X509Certificate> | undefined => {
  const parsed = (pem.match(block) ?? []).map((it) => Result.try(() => new X509Certificate(it)))
  const good = parsed.flatMap((it) => Result.isSuccess(it) ? [it.success] : [])
  return good.length === parsed.length && !pem.replaceAll(block, "").includes("-----") ? good : undefined
}

/** Whether they are one pair; OpenSSL throws where they are not even of one kind. */
export const belongTogether = (certificate: X509Certificate, key: Redacted.Redacted): boolean =>
  Result.getOrElse(
    Result.try(() => certificate.checkPrivateKey(createPrivateKey(Redacted.value(key)))),
    () => false
  )

const fail = (reason: AuthorityError["reason"], detail: string) => Result.fail(new AuthorityError({ reason, detail }))

const pairOf = (
  texts: ReadonlyMap<string, string>,
  certificateField: string,
  keyField: string
): Result.Result<KeyPair, AuthorityError> => {
  const text = texts.get(certificateField)
  const secret = texts.get(keyField)
  if (text === undefined || secret === undefined) {
    return fail("Incomplete", `${text === undefined ? certificateField : keyField} is missing`)
  }
  const [certificate, ...more] = certificatesOf(text) ?? []
  if (certificate === undefined || more.length > 0) {
    return fail("Damaged", `${certificateField} is not one PEM certificate`)
  }
  const key = Redacted.make(secret, { label: "webhook authority's key" })
  const parsed = Result.try(() => createPrivateKey(secret))
  if (Result.isFailure(parsed)) return fail("Damaged", `${keyField} is encrypted or no PEM private key`)
  if (!belongTogether(certificate, key)) {
    return fail("Mismatched", `${certificateField} and ${keyField} belong to different pairs`)
  }
  if (!certificate.ca || !certificate.checkIssued(certificate) || !certificate.verify(certificate.publicKey)) {
    return fail("NotAuthority", `${certificateField} is no self-signed authority`)
  }
  if (parsed.success.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
    return fail("Unsupported", `${keyField} is no P-256 key`)
  }
  return Result.succeed({ certificate: certificate.toString(), key })
}

/**
 * Reads the data of the Secret. Times are not looked at: an authority that has expired is one.
 * @param data in base64
 */
export const decode = (data: SecretData): Result.Result<Authority, AuthorityError> => {
  const texts = new Map(
    Object.entries(data).flatMap(([name, text]) =>
      text === "" ? [] : [[name, Buffer.from(text, "base64").toString()] as const]
    )
  )
  const signer = pairOf(texts, field.certificate, field.key)
  if (Result.isFailure(signer)) return Result.fail(signer.failure)
  const current = signer.success
  const bundle = texts.get(field.bundle)
  if (bundle === undefined) return fail("Incomplete", `${field.bundle} is missing`)
  const trusted = certificatesOf(bundle)?.map((it) => it.toString())
  if (trusted === undefined || trusted.length === 0) return fail("Damaged", `${field.bundle} is no PEM certificates`)
  if (!trusted.includes(current.certificate)) {
    return fail("Incomplete", `${field.bundle} does not have the certificate of ${field.certificate}`)
  }
  const others = trusted.filter((it) => it !== current.certificate)
  if (!texts.has(field.nextCertificate) && !texts.has(field.nextKey)) {
    if (others.length === 0) return Result.succeed({ _tag: "Settled", current })
    const since = Date.parse(texts.get(field.since) ?? "")
    return Result.succeed({
      _tag: "Switched",
      current,
      previous: others,
      since: Number.isNaN(since) ? undefined : since
    })
  }
  const announced = pairOf(texts, field.nextCertificate, field.nextKey)
  if (Result.isFailure(announced)) return Result.fail(announced.failure)
  const next = announced.success
  // each step writes all of them at once, so that anything else was written by somebody else
  return others.length === 1 && others[0] === next.certificate
    ? Result.succeed({ _tag: "Announced", current, next })
    : fail(
      "Incomplete",
      `${field.bundle} has other certificates than those of ${field.certificate} and ${field.nextCertificate}`
    )
}

/** PEM of all that the API server is to trust; the same text for the same authority, always. */
export const bundleOf = (authority: Authority): string => {
  switch (authority._tag) {
    case "Settled":
      return authority.current.certificate
    case "Announced":
      return authority.next.certificate + authority.current.certificate
    case "Switched":
      return [authority.current.certificate, ...authority.previous].join("")
  }
}

/** The data of the Secret, in base64, private keys among them. */
export const encode = (authority: Authority): SecretData => {
  const texts: Record<string, string> = {
    [field.bundle]: bundleOf(authority),
    [field.certificate]: authority.current.certificate,
    [field.key]: Redacted.value(authority.current.key)
  }
  if (authority._tag === "Announced") {
    texts[field.nextCertificate] = authority.next.certificate
    texts[field.nextKey] = Redacted.value(authority.next.key)
  }
  if (authority._tag === "Switched" && authority.since !== undefined) {
    texts[field.since] = new Date(authority.since).toISOString()
  }
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, Buffer.from(text).toString("base64")]))
}
