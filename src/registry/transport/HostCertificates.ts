// The certificate files of one host, judged: which authorities it is trusted by, and the pair that we show.
// Edge: pure but for OpenSSL's word; where the files are and when they are read is Certificates.ts.
import { Redacted, Result } from "effect"
import { createHash, createPrivateKey, X509Certificate } from "node:crypto"
import * as tls from "node:tls"

/** What TLS connections to a host are made with; equal versions are the same files. */
export interface Trust {
  readonly context: tls.SecureContext
  readonly version: string
}

interface Pair {
  readonly cert: string
  readonly key: Redacted.Redacted
}

/** What there is for one host, good as far as it goes. */
export interface HostCertificates {
  readonly version: string
  readonly authorities: ReadonlyArray<string>
  readonly client: Pair | undefined
  readonly problems: ReadonlyArray<string>
}

const block = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** All certificates of a PEM text; none where one of them is broken or there is none. */
const certificatesOf = (pem: string): ReadonlyArray<X509Certificate> => {
  const parsed = (pem.match(block) ?? []).map((it) => Result.try(() => new X509Certificate(it)))
  const good = parsed.flatMap((it) => Result.isSuccess(it) ? [it.success] : [])
  return good.length === parsed.length ? good : []
}

/** Why certificate and key are no pair; undefined: they are. */
const wrongPair = (cert: string, key: string): string | undefined => {
  const [first] = certificatesOf(cert)
  if (first === undefined) return "is no PEM certificate"
  const secret = Result.try(() => createPrivateKey(key))
  if (Result.isFailure(secret)) return "has a key that is encrypted or no PEM private key"
  if (!first.checkPrivateKey(secret.success)) return "and its key belong to different pairs"
  return Result.isSuccess(Result.try(() => tls.createSecureContext({ cert, key })))
    ? undefined
    : "is refused by OpenSSL"
}

/** Judges the files of a host, by name; undefined ones cannot be read. `before` itself where nothing has changed. */
export const judge = (
  files: ReadonlyMap<string, string | undefined>,
  before: HostCertificates | undefined
): HostCertificates => {
  const names = [...files.keys()].toSorted()
  const version = createHash("sha256").update(JSON.stringify(names.map((it) => [it, files.get(it)]))).digest("hex")
  if (before?.version === version) return before
  const problems: Array<string> = []
  const authorities: Array<string> = []
  let client: Pair | undefined
  for (const name of names) {
    const text = files.get(name)
    const stem = name.replace(/\.\w+$/, "")
    if (text === undefined) problems.push(`${name} cannot be read`)
    else if (name.endsWith(".crt")) {
      if (certificatesOf(text).length > 0) authorities.push(text)
      else problems.push(`${name} is no PEM certificate`)
    } else if (name.endsWith(".key")) {
      if (!files.has(`${stem}.cert`)) problems.push(`${name} has no ${stem}.cert beside it`)
    } else {
      const key = files.get(`${stem}.key`)
      const wrong = key === undefined ? `has no ${stem}.key beside it` : wrongPair(text, key)
      if (wrong !== undefined) problems.push(`${name} ${wrong}`)
      else if (client !== undefined) problems.push(`${name} is one client certificate too many; the first is shown`)
      else client = { cert: text, key: Redacted.make(key ?? "", { label: "client key" }) }
    }
  }
  // a rotation is not atomic everywhere: between two files the old ones stay in use
  const broken = problems.length > 0 && before !== undefined
  return {
    version,
    problems,
    authorities: broken && authorities.length === 0 ? before.authorities : authorities,
    client: broken && client === undefined ? before.client : client
  }
}

/** What to connect with, showing the client certificate or not; undefined: with what the process trusts anyway. */
export const trustOf = (
  { authorities, client, version }: HostCertificates,
  withClient: boolean
): Trust | undefined => {
  const pair = withClient ? client : undefined
  if (authorities.length === 0 && pair === undefined) return undefined
  const context = Result.try(() =>
    tls.createSecureContext({
      ...(authorities.length === 0 ? {} : { ca: [...tls.getCACertificates("default"), ...authorities] }),
      ...(pair === undefined ? {} : { cert: pair.cert, key: Redacted.value(pair.key) })
    })
  )
  return Result.isSuccess(context) ? { context: context.success, version } : undefined
}
