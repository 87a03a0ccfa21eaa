// docker's config.json as a value: what its entries say, what is wrong with some, and which speak for a repository.
// Sources: docker/cli config/configfile/file.go; keys with wildcards and paths as kubelet and podman read them, but a path ends at
// a slash. Edge: pure; members are read by ConfigMembers.ts, helpers are named here and run by CredentialHelper.ts.
import { Option, Redacted, Result } from "effect"
import { createHash } from "node:crypto"
import { documentOf, entryOf, mapOf, memberOf, type Members, textOf } from "../logins/ConfigMembers.ts"
import { type HostPattern, parseHostPattern } from "./HostPattern.ts"

/** Where a credential is from, for people: `auths of "quay.io" in /etc/docker/config.json`. */
interface FromFile {
  readonly origin?: string
  /** A cloud has given it to us: no file is to be mended where it is refused. */
  readonly byCloud?: true
}

export interface Login extends FromFile {
  readonly _tag: "Basic"
  readonly username: string
  readonly password: Redacted.Redacted
  readonly fingerprint: string
}

/** Something that proves who we are. `fingerprint` identifies it in caches and logs without telling it. */
export type Credential =
  | Login
  | FromFile & {
    readonly _tag: "IdentityToken"
    readonly token: Redacted.Redacted
    /** For token servers that know no refresh tokens. */
    readonly login: Login | undefined
    readonly fingerprint: string
  }
  | FromFile & {
    readonly _tag: "RegistryToken"
    readonly token: Redacted.Redacted
    readonly fingerprint: string
  }

/** A key of `auths` or `credHelpers`: the hosts, and the path below them that it is confined to. */
interface Scope {
  readonly key: string
  readonly host: HostPattern
  readonly path: string
}

/** What is wrong with an entry, or a key that names no host: that has no scope, since nobody can be asked for it. */
interface Flaw {
  readonly text: string
  readonly scope: Scope | undefined
}

/** The parsed file. */
export interface DockerConfig {
  readonly auths: ReadonlyArray<Scope & { readonly credential: Credential }>
  /** An empty helper: the file's own entries, and not the store. */
  readonly helpers: ReadonlyArray<Scope & { readonly helper: string }>
  readonly store: Option.Option<string>
  /** Entries that cannot be used; the others can. */
  readonly flaws: ReadonlyArray<Flaw>
}

export const empty: DockerConfig = { auths: [], helpers: [], store: Option.none(), flaws: [] }

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

/**
 * "https://index.docker.io/v1/" is docker's name of Docker Hub; schemes are not part of the place, and an API version before a
 * path is not part of that, as kubelet has it.
 */
const scopeOf = (key: string): Option.Option<Scope> => {
  const place = key.replace(/^https?:\/\//i, "").replace(/\/+$/, "")
  const slash = place.indexOf("/")
  return Option.map(parseHostPattern(slash === -1 ? place : place.slice(0, slash)), (host) => ({
    key,
    host,
    path: slash === -1 ? "" : place.slice(slash + 1).replace(/^v[12](?:\/+|$)/, "").replace(/\/v[12]$/, "")
  }))
}

/** A key in a message: quoted, and never a whole file. */
const shown = (key: string): string => JSON.stringify(key.length > 100 ? `${key.slice(0, 100)}…` : key)

const helperName = /^[A-Za-z0-9][A-Za-z0-9._-]*$/
// what can stand in a header
const visible = /^[\x21-\x7e]+$/

/** The texts of an entry. */
interface Entry {
  readonly auth: string
  readonly username: string
  readonly password: string
  readonly identitytoken: string
  readonly registrytoken: string
}

const textsOf = (entry: Members): Result.Result<Entry, string> =>
  Result.all({
    auth: textOf(entry, "auth"),
    username: textOf(entry, "username"),
    password: textOf(entry, "password"),
    identitytoken: textOf(entry, "identitytoken"),
    registrytoken: textOf(entry, "registrytoken")
  })

/** User and password of an entry, in either form; none for one that only says that a store has it. */
const loginOf = (entry: Entry, hasPassword: boolean): Result.Result<Option.Option<Login>, string> => {
  if (entry.auth !== "") {
    const text = Buffer.from(entry.auth, "base64").toString("utf8")
    const colon = text.indexOf(":")
    if (colon < 1) return Result.fail("its auth is not base64 of user:password")
    return Result.succeed(Option.some(basic(text.slice(0, colon), text.slice(colon + 1).replaceAll("\0", ""))))
  }
  return Result.succeed(
    entry.username !== "" && hasPassword ? Option.some(basic(entry.username, entry.password)) : Option.none()
  )
}

const credentialOf = (value: unknown): Result.Result<Option.Option<Credential>, string> => {
  const members = entryOf(value)
  if (Result.isFailure(members)) return Result.fail(members.failure)
  const texts = textsOf(members.success)
  if (Result.isFailure(texts)) return Result.fail(texts.failure)
  const entry = texts.success
  const login = loginOf(entry, memberOf(members.success, "password") !== undefined)
  if (entry.identitytoken !== "") {
    // registries that give identity tokens put names like "<token>" and no password beside them
    const beside = Option.filter(
      Option.flatten(Result.getSuccess(login)),
      (it) => !it.username.startsWith("<") && Redacted.value(it.password) !== ""
    )
    return Result.succeed(Option.some(identityToken(entry.identitytoken, Option.getOrUndefined(beside))))
  }
  if (entry.registrytoken !== "") {
    return visible.test(entry.registrytoken)
      ? Result.succeed(Option.some(registryToken(entry.registrytoken)))
      : Result.fail("its registrytoken has characters that no token has")
  }
  return login
}

/** A store that cannot be run would have been asked for every host. */
const everywhere: Scope = { key: "credsStore", host: { exact: false, matches: () => true }, path: "" }

/** An entry that can be used, or what is wrong with it. */
type Read<A> = Result.Result<Option.Option<A>, Flaw>

const readAuth = (key: string, value: unknown, file: string): Read<Scope & { readonly credential: Credential }> => {
  const scope = Option.getOrUndefined(scopeOf(key))
  if (scope === undefined) return Result.fail({ text: `auths names no host with ${shown(key)}`, scope })
  return credentialOf(value).pipe(Result.mapBoth({
    onFailure: (problem) => ({ text: `auths of ${shown(key)}: ${problem}`, scope }),
    onSuccess: Option.map((credential) => ({
      ...scope,
      credential: { ...credential, origin: `auths of ${shown(key)} in ${file}` }
    }))
  }))
}

const readHelper = (key: string, value: unknown): Read<Scope & { readonly helper: string }> => {
  if (value === null || value === undefined) return Result.succeed(Option.none())
  const scope = Option.getOrUndefined(scopeOf(key))
  const flaw = (text: string) => Result.fail({ text, scope })
  if (scope === undefined) return flaw(`credHelpers names no host with ${shown(key)}`)
  if (!scope.host.exact) return flaw(`credHelpers cannot have wildcards as in ${shown(key)}`)
  return typeof value === "string" && (value === "" || helperName.test(value))
    ? Result.succeed(Option.some({ ...scope, helper: value }))
    : flaw(`credHelpers of ${shown(key)} is no name of a helper`)
}

/** What of a map can be used goes into one list, what is wrong into the other. */
const sort = <A>(all: ReadonlyArray<Read<A>>, flaws: Array<Flaw>): ReadonlyArray<A> =>
  all.flatMap((it) => {
    if (Result.isSuccess(it)) return Option.toArray(it.success)
    flaws.push(it.failure)
    return []
  })

/**
 * Parses config.json; `file` is its name, for where credentials are from. Fails where it is not docker's JSON at all; what is
 * wrong with single entries is among the flaws. Neither tells a secret.
 */
export const parseDockerConfig = (text: string, file = "config.json"): Result.Result<DockerConfig, string> => {
  const document = documentOf(text)
  if (Result.isFailure(document)) return Result.fail(document.failure)
  const auths = mapOf(document.success, "auths")
  if (Result.isFailure(auths)) return Result.fail(auths.failure)
  const flaws: Array<Flaw> = []
  const helpers = mapOf(document.success, "credHelpers")
  if (Result.isFailure(helpers)) flaws.push({ text: helpers.failure, scope: { ...everywhere, key: "credHelpers" } })
  const store = Result.getOrElse(textOf(document.success, "credsStore"), () => "/")
  const isStore = helperName.test(store)
  if (store !== "" && !isStore) flaws.push({ text: "credsStore is no name of a helper", scope: everywhere })
  return Result.succeed({
    auths: sort(Object.entries(auths.success).map(([key, value]) => readAuth(key, value, file)), flaws),
    helpers: sort(
      Object.entries(Result.getOrElse(helpers, (): Members => ({}))).map(([key, value]) => readHelper(key, value)),
      flaws
    ),
    store: isStore ? Option.some(store) : Option.none(),
    flaws
  })
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

/** The helper for a registry, and the name under which it knows it; an empty one stands for the file's own entries. */
export const helperOf = (
  config: DockerConfig,
  registry: string,
  repository: string
): Option.Option<{ readonly helper: string; readonly serverUrl: string }> =>
  Option.map(
    Option.fromUndefinedOr(speakingFor(config.helpers, registry, repository)[0]),
    (it) => ({ helper: it.helper, serverUrl: it.key })
  )

/** What is wrong with the entries that would speak for a repository. */
export const flawsOf = (config: DockerConfig, registry: string, repository: string): ReadonlyArray<string> =>
  speakingFor(
    config.flaws.flatMap(({ scope, text }) => scope === undefined ? [] : [{ ...scope, text }]),
    registry,
    repository
  ).map((it) => it.text)
