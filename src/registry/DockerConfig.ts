// docker's config.json as a value: its shape, and which entry speaks for a repository.
// Source: docker/cli config/configfile/file.go; keys with a path as kubelet and containers/image read them.
// Edge: pure; helpers are named here and run by CredentialHelper.ts.
import { Option, Redacted, Result, Schema } from "effect"
import { createHash } from "node:crypto"
import { canonicalRegistry } from "../image/ImageReference.ts"

const Entry = Schema.Struct({
  auth: Schema.optionalKey(Schema.String),
  username: Schema.optionalKey(Schema.String),
  password: Schema.optionalKey(Schema.String),
  identitytoken: Schema.optionalKey(Schema.String),
  registrytoken: Schema.optionalKey(Schema.String)
})

const Document = Schema.fromJsonString(Schema.Struct({
  auths: Schema.optionalKey(Schema.Record(Schema.String, Entry)),
  credHelpers: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)),
  credsStore: Schema.optionalKey(Schema.String)
}))

/** Something that proves who we are. `fingerprint` identifies it in caches and logs without telling it. */
export type Credential =
  | {
    readonly _tag: "Basic"
    readonly username: string
    readonly password: Redacted.Redacted
    readonly fingerprint: string
  }
  | { readonly _tag: "IdentityToken"; readonly token: Redacted.Redacted; readonly fingerprint: string }
  | { readonly _tag: "RegistryToken"; readonly token: Redacted.Redacted; readonly fingerprint: string }

/** A key of `auths` or `credHelpers`: the host, and the path below it that it is confined to. */
interface Scope {
  readonly key: string
  readonly registry: string
  readonly path: string
}

/** The parsed file. */
export interface DockerConfig {
  readonly auths: ReadonlyArray<Scope & { readonly credential: Credential }>
  readonly helpers: ReadonlyArray<Scope & { readonly helper: string }>
  readonly store: Option.Option<string>
}

export const empty: DockerConfig = { auths: [], helpers: [], store: Option.none() }

const fingerprintOf = (...parts: ReadonlyArray<string>): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16)

/** User and password, as Basic or as the arguments of a token request. */
export const basic = (username: string, password: string): Credential => ({
  _tag: "Basic",
  username,
  password: Redacted.make(password, { label: "password" }),
  fingerprint: fingerprintOf("basic", username, password)
})

/** An OAuth2 refresh token. */
export const identityToken = (token: string): Credential => ({
  _tag: "IdentityToken",
  token: Redacted.make(token, { label: "identitytoken" }),
  fingerprint: fingerprintOf("identity", token)
})

const registryToken = (token: string): Credential => ({
  _tag: "RegistryToken",
  token: Redacted.make(token, { label: "registrytoken" }),
  fingerprint: fingerprintOf("registry", token)
})

// "https://index.docker.io/v1/" is docker's name of Docker Hub; schemes and API versions are not part of the place
const scopeOf = (key: string): Option.Option<Scope> => {
  const place = key.replace(/^https?:\/\//, "").replace(/\/+$/, "").replace(/\/v[12]$/, "")
  const slash = place.indexOf("/")
  const registry = canonicalRegistry(slash === -1 ? place : place.slice(0, slash))
  return Result.isFailure(registry)
    ? Option.none()
    : Option.some({ key, registry: registry.success, path: slash === -1 ? "" : place.slice(slash + 1) })
}

const helperName = /^[A-Za-z0-9][A-Za-z0-9._-]*$/

const credentialOf = (entry: typeof Entry.Type): Result.Result<Option.Option<Credential>, string> => {
  if (entry.identitytoken !== undefined && entry.identitytoken !== "") {
    return Result.succeed(Option.some(identityToken(entry.identitytoken)))
  }
  if (entry.registrytoken !== undefined && entry.registrytoken !== "") {
    return Result.succeed(Option.some(registryToken(entry.registrytoken)))
  }
  if (entry.auth !== undefined && entry.auth !== "") {
    const text = Buffer.from(entry.auth, "base64").toString("utf8")
    const colon = text.indexOf(":")
    if (colon < 1) return Result.fail("its auth is not base64 of user:password")
    return Result.succeed(Option.some(basic(text.slice(0, colon), text.slice(colon + 1).replaceAll("\0", ""))))
  }
  return Result.succeed(
    entry.username !== undefined && entry.username !== "" && entry.password !== undefined
      ? Option.some(basic(entry.username, entry.password))
      : Option.none() // an entry that only says that a store has it
  )
}

/** Parses config.json; the failure lists all that is wrong, and tells no secret. */
export const parseDockerConfig = (text: string): Result.Result<DockerConfig, string> => {
  const document = Schema.decodeResult(Document)(text)
  if (Result.isFailure(document)) {
    // the schema's own message would quote the input
    return Result.fail("it is not docker's JSON (auths, credHelpers and credsStore with texts in them)")
  }
  const problems: Array<string> = []
  const auths: Array<Scope & { readonly credential: Credential }> = []
  const helpers: Array<Scope & { readonly helper: string }> = []
  for (const [key, entry] of Object.entries(document.success.auths ?? {})) {
    const scope = scopeOf(key)
    const credential = credentialOf(entry)
    if (Option.isNone(scope)) problems.push(`auths names no host with ${JSON.stringify(key)}`)
    else if (Result.isFailure(credential)) problems.push(`auths of ${JSON.stringify(key)}: ${credential.failure}`)
    else if (Option.isSome(credential.success)) auths.push({ ...scope.value, credential: credential.success.value })
  }
  for (const [key, helper] of Object.entries(document.success.credHelpers ?? {})) {
    const scope = scopeOf(key)
    if (Option.isNone(scope)) problems.push(`credHelpers names no host with ${JSON.stringify(key)}`)
    else if (!helperName.test(helper)) problems.push(`credHelpers of ${JSON.stringify(key)} is no name of a helper`)
    else helpers.push({ ...scope.value, helper })
  }
  const store = document.success.credsStore
  if (store !== undefined && store !== "" && !helperName.test(store)) problems.push("credsStore is no name of a helper")
  return problems.length > 0
    ? Result.fail(problems.join("; "))
    : Result.succeed({ auths, helpers, store: Option.fromUndefinedOr(store === "" ? undefined : store) })
}

const mostSpecific = <A extends Scope>(
  entries: ReadonlyArray<A>,
  registry: string,
  repository: string
): Option.Option<A> => {
  let best: A | undefined
  for (const entry of entries) {
    if (entry.registry !== registry) continue
    const within = entry.path === "" || repository === entry.path || repository.startsWith(`${entry.path}/`)
    if (within && (best === undefined || entry.path.length > best.path.length)) best = entry
  }
  return Option.fromUndefinedOr(best)
}

/** The entry of `auths` for a repository: the longest path that contains it. */
export const authOf = (config: DockerConfig, registry: string, repository: string): Option.Option<Credential> =>
  Option.map(mostSpecific(config.auths, registry, repository), (it) => it.credential)

/** The helper for a registry, and the name under which it knows it. */
export const helperOf = (
  config: DockerConfig,
  registry: string,
  repository: string
): Option.Option<{ readonly helper: string; readonly serverUrl: string }> =>
  Option.map(mostSpecific(config.helpers, registry, repository), (it) => ({ helper: it.helper, serverUrl: it.key }))
