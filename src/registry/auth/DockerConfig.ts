// docker's config.json as a value: its shape, and which entries speak for a repository.
// Source: docker/cli config/configfile/file.go; keys with wildcards and paths as kubelet reads them, but a path ends at a slash.
// Edge: pure; helpers are named here and run by CredentialHelper.ts.
import { Option, Redacted, Result, Schema } from "effect"
import { createHash } from "node:crypto"
import { type HostPattern, parseHostPattern } from "./HostPattern.ts"

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

export interface Login {
  readonly _tag: "Basic"
  readonly username: string
  readonly password: Redacted.Redacted
  readonly fingerprint: string
}

/** Something that proves who we are. `fingerprint` identifies it in caches and logs without telling it. */
export type Credential =
  | Login
  | {
    readonly _tag: "IdentityToken"
    readonly token: Redacted.Redacted
    /** For token servers that know no refresh tokens. */
    readonly login: Login | undefined
    readonly fingerprint: string
  }
  | { readonly _tag: "RegistryToken"; readonly token: Redacted.Redacted; readonly fingerprint: string }

/** A key of `auths` or `credHelpers`: the hosts, and the path below them that it is confined to. */
interface Scope {
  readonly key: string
  readonly host: HostPattern
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
export const basic = (username: string, password: string): Login => ({
  _tag: "Basic",
  username,
  password: Redacted.make(password, { label: "password" }),
  fingerprint: fingerprintOf("basic", username, password)
})

/** An OAuth2 refresh token, with the login that came with it. */
export const identityToken = (token: string, login?: Login): Credential => ({
  _tag: "IdentityToken",
  token: Redacted.make(token, { label: "identitytoken" }),
  login,
  fingerprint: fingerprintOf("identity", token, login?.fingerprint ?? "")
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
  return Option.map(parseHostPattern(slash === -1 ? place : place.slice(0, slash)), (host) => ({
    key,
    host,
    path: slash === -1 ? "" : place.slice(slash + 1)
  }))
}

const helperName = /^[A-Za-z0-9][A-Za-z0-9._-]*$/
// what can stand in a header
const visible = /^[\x21-\x7e]+$/

/** User and password of an entry, in either form; none for one that only says that a store has it. */
const loginOf = (entry: typeof Entry.Type): Result.Result<Option.Option<Login>, string> => {
  if (entry.auth !== undefined && entry.auth !== "") {
    const text = Buffer.from(entry.auth, "base64").toString("utf8")
    const colon = text.indexOf(":")
    if (colon < 1) return Result.fail("its auth is not base64 of user:password")
    return Result.succeed(Option.some(basic(text.slice(0, colon), text.slice(colon + 1).replaceAll("\0", ""))))
  }
  return Result.succeed(
    entry.username !== undefined && entry.username !== "" && entry.password !== undefined
      ? Option.some(basic(entry.username, entry.password))
      : Option.none()
  )
}

const credentialOf = (entry: typeof Entry.Type): Result.Result<Option.Option<Credential>, string> => {
  if (entry.identitytoken !== undefined && entry.identitytoken !== "") {
    // registries that give identity tokens put names like "<token>" and no password beside them
    const login = Option.filter(
      Option.flatten(Result.getSuccess(loginOf(entry))),
      (it) => !it.username.startsWith("<") && Redacted.value(it.password) !== ""
    )
    return Result.succeed(Option.some(identityToken(entry.identitytoken, Option.getOrUndefined(login))))
  }
  if (entry.registrytoken !== undefined && entry.registrytoken !== "") {
    return visible.test(entry.registrytoken)
      ? Result.succeed(Option.some(registryToken(entry.registrytoken)))
      : Result.fail("its registrytoken has characters that no token has")
  }
  return loginOf(entry)
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
    else if (!scope.value.host.exact) problems.push(`credHelpers cannot have wildcards as in ${JSON.stringify(key)}`)
    else if (!helperName.test(helper)) problems.push(`credHelpers of ${JSON.stringify(key)} is no name of a helper`)
    else helpers.push({ ...scope.value, helper })
  }
  const store = document.success.credsStore
  if (store !== undefined && store !== "" && !helperName.test(store)) problems.push("credsStore is no name of a helper")
  return problems.length > 0
    ? Result.fail(problems.join("; "))
    : Result.succeed({ auths, helpers, store: Option.fromUndefinedOr(store === "" ? undefined : store) })
}

/** The entries that speak for a repository: longer paths first, hosts before wildcards, then by kubelet's order. */
const speakingFor = <A extends Scope>(
  entries: ReadonlyArray<A>,
  registry: string,
  repository: string
): ReadonlyArray<A> =>
  entries.filter((it) =>
    it.host.matches(registry) &&
    (it.path === "" || repository === it.path || repository.startsWith(`${it.path}/`))
  ).toSorted((a, b) =>
    b.path.length - a.path.length || Number(b.host.exact) - Number(a.host.exact) || (a.key < b.key ? 1 : -1)
  )

/** The entries of `auths` for a repository, in the order in which they are tried. */
export const authsOf = (config: DockerConfig, registry: string, repository: string): ReadonlyArray<Credential> =>
  speakingFor(config.auths, registry, repository).map((it) => it.credential)

/** The helper for a registry, and the name under which it knows it. */
export const helperOf = (
  config: DockerConfig,
  registry: string,
  repository: string
): Option.Option<{ readonly helper: string; readonly serverUrl: string }> =>
  Option.map(
    Option.fromUndefinedOr(speakingFor(config.helpers, registry, repository)[0]),
    (it) => ({ helper: it.helper, serverUrl: it.key })
  )
