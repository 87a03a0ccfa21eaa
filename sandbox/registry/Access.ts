// Who may do what in the registry: the auth modes, and the token server of the Bearer mode.
// Sources: docker's token authentication (GET /token with scopes, POST with OAuth2 grants), RFC 7617, RFC 6750.
import type { Redacted } from "effect"
import { Clock, Duration, Effect, Redacted as Redacteds } from "effect"
import type { Exchange, Reply } from "../server/Exchange.ts"
import * as Exchanges from "../server/Exchange.ts"
import { OciError } from "./OciError.ts"
import { randomHex } from "../Random.ts"

export interface RegistryUser {
  readonly name: string
  readonly password: Redacted.Redacted
  /** Repositories the user may touch, by prefix; all when left out. */
  readonly repositories?: ReadonlyArray<string>
}

export interface Login {
  readonly users: ReadonlyArray<RegistryUser>
  /** May anyone pull what is not private? Default true. Pushing always needs a user. */
  readonly anonymousPull?: boolean
  /** Prefixes of repositories that only users can pull from; such a repository and an absent one look the same. */
  readonly private?: ReadonlyArray<string>
}

export type RegistryAuth =
  | { readonly _tag: "None" }
  | ({ readonly _tag: "Basic" } & Login)
  | ({ readonly _tag: "Bearer"; readonly tokenLifetime?: Duration.Input } & Login)

export type Action = "pull" | "push" | "delete"

interface Grant {
  readonly user: RegistryUser | undefined
  readonly scopes: ReadonlyMap<string, ReadonlySet<string>>
  readonly expiresAt: number
}

const isUnder = (repository: string, prefix: string): boolean =>
  prefix === "" || repository === prefix || repository.startsWith(prefix.endsWith("/") ? prefix : `${prefix}/`)

const mayUse = (login: Login, user: RegistryUser | undefined, repository: string, action: string): boolean => {
  if (user !== undefined) return user.repositories?.some((it) => isUnder(repository, it)) ?? true
  if (action !== "pull" || login.anonymousPull === false) return false
  return !(login.private ?? []).some((it) => isUnder(repository, it))
}

type Credential =
  | { readonly _tag: "Nobody" }
  | { readonly _tag: "User"; readonly user: RegistryUser }
  | { readonly _tag: "Wrong" }

const basic = (login: Login, header: string | undefined): Credential => {
  if (header === undefined) return { _tag: "Nobody" }
  const [scheme = "", encoded = ""] = header.split(" ")
  if (scheme.toLowerCase() !== "basic") return { _tag: "Wrong" }
  const decoded = Buffer.from(encoded, "base64").toString("utf8")
  const colon = decoded.indexOf(":")
  return named(login, decoded.slice(0, colon), decoded.slice(colon + 1))
}

const named = (login: Login, name: string, password: string): Credential => {
  const user = login.users.find((it) => it.name === name && Redacteds.value(it.password) === password)
  return user === undefined ? { _tag: "Wrong" } : { _tag: "User", user }
}

export interface Access {
  /** Fails with 401 (and its challenge) unless the request may act on the repository. "" is the ping of /v2/. */
  readonly check: (exchange: Exchange, repository: string, action: Action) => Effect.Effect<void, OciError>
  readonly allows: (exchange: Exchange, repository: string, action: Action) => Effect.Effect<boolean>
  /** The token endpoint. */
  readonly token: (exchange: Exchange) => Effect.Effect<Reply, OciError>
  /** Makes every token issued so far worthless. */
  readonly revokeTokens: Effect.Effect<void>
}

/** `url` is asked late: the realm names the port that the registry listens on. */
export const make = (auth: RegistryAuth, url: () => string): Access => {
  const grants = new Map<string, Grant>()

  const allows = Effect.fnUntraced(function*(exchange: Exchange, repository: string, action: Action) {
    if (auth._tag === "None") return true
    const header = exchange.headers.authorization
    if (auth._tag === "Basic") {
      const credential = basic(auth, header)
      if (credential._tag === "Wrong") return false
      const user = credential._tag === "User" ? credential.user : undefined
      return repository === ""
        ? user !== undefined || auth.anonymousPull !== false
        : mayUse(auth, user, repository, action)
    }
    const [scheme = "", token = ""] = (header ?? "").split(" ")
    const grant = scheme.toLowerCase() === "bearer" ? grants.get(token) : undefined
    if (grant === undefined || grant.expiresAt <= (yield* Clock.currentTimeMillis)) return false
    return repository === "" || grant.scopes.get(repository)?.has(action) === true
  })

  const challenge = (exchange: Exchange, repository: string, action: Action): string => {
    if (auth._tag !== "Bearer") return `Basic realm="sandbox"`
    const actions = action === "push" ? "pull,push" : action
    const scope = repository === "" ? "" : `,scope="repository:${repository}:${actions}"`
    const failed = exchange.headers.authorization === undefined ? "" : `,error="insufficient_scope"`
    return `Bearer realm="${url()}/token",service="sandbox"${scope}${failed}`
  }

  const check = Effect.fnUntraced(function*(exchange: Exchange, repository: string, action: Action) {
    if (yield* allows(exchange, repository, action)) return
    return yield* new OciError({
      code: "UNAUTHORIZED",
      detail: "authentication required",
      headers: { "www-authenticate": challenge(exchange, repository, action) }
    })
  })

  const unauthorized = new OciError({ code: "UNAUTHORIZED", detail: "incorrect username or password" })

  const token = Effect.fnUntraced(function*(exchange: Exchange) {
    if (auth._tag !== "Bearer") return Exchanges.empty(404)
    const form = exchange.method === "POST"
      ? new URLSearchParams(Buffer.from((yield* Exchanges.readBody(exchange, 1 << 16)) ?? []).toString("utf8"))
      : exchange.query
    const password = form.get("grant_type") === "refresh_token" ? form.get("refresh_token") : form.get("password")
    const owner = auth.users.find((it) => Redacteds.value(it.password) === password)
    const credential: Credential = exchange.method === "GET"
      ? basic(auth, exchange.headers.authorization)
      // A refresh token here is the user's password: what `docker login` would have stored as identitytoken.
      : form.get("grant_type") === "refresh_token"
      ? owner === undefined ? { _tag: "Wrong" } : { _tag: "User", user: owner }
      : named(auth, form.get("username") ?? "", password ?? "")
    if (credential._tag === "Wrong") return yield* unauthorized
    const user = credential._tag === "User" ? credential.user : undefined
    const scopes = new Map<string, Set<string>>()
    for (const scope of form.getAll("scope").flatMap((it) => it.split(" "))) {
      const [type, ...rest] = scope.split(":")
      const actions = (rest.pop() ?? "").split(",")
      const repository = rest.join(":")
      const granted = actions.filter((it) => mayUse(auth, user, repository, it))
      if (type === "repository") scopes.set(repository, new Set([...(scopes.get(repository) ?? []), ...granted]))
    }
    const seconds = Duration.toSeconds(Duration.fromInputUnsafe(auth.tokenLifetime ?? "5 minutes"))
    const now = yield* Clock.currentTimeMillis
    const issued = yield* randomHex(24)
    grants.set(issued, { user, scopes, expiresAt: now + seconds * 1000 })
    const answer = { expires_in: seconds, issued_at: new Date(now).toISOString() }
    return Exchanges.json(
      200,
      exchange.method === "POST"
        ? { access_token: issued, ...answer }
        : { token: issued, access_token: issued, ...answer }
    )
  })

  return { check, allows, token, revokeTokens: Effect.sync(() => grants.clear()) }
}
