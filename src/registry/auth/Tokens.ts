// Bearer tokens: one request per realm, scopes and identity however many ask, kept until shortly before they end.
// Source: distribution docs/spec/auth/{token,oauth}.md. Lifetimes run on the monotonic clock from receipt.
// Refresh tokens (docker's "identity tokens") go by POST, everything else by GET. One that the server replaces is kept for as
// long as the process runs, and for the server that gave it: config.json is the user's.
import { Cache, Clock, Duration, Effect, Option, Redacted, Schema, Semaphore } from "effect"
import type { Identity } from "./Identities.ts"
import { makeBoundedMap } from "../../collections/BoundedMap.ts"
import { classify } from "../Classify.ts"
import type { Credential, Login } from "./DockerConfig.ts"
import { type RegistryError, registryError } from "../RegistryError.ts"
import type { Answer, Request, Transport } from "../transport/Transport.ts"

export interface TokenRequest {
  /** Origin of the registry that the token is for: it is used nowhere else. */
  readonly registry: string
  readonly realm: URL
  readonly service: string | undefined
  /** In the order in which they are sent: some registries look at the first only. */
  readonly scopes: ReadonlyArray<string>
  /** Already judged: may be sent to this realm. */
  readonly identity: Identity
  /** The realm may be at a private address as its registry may. */
  readonly vouched: boolean
  /** For errors: what the token is for. */
  readonly target: string
}

export interface Tokens {
  readonly get: (request: TokenRequest) => Effect.Effect<Redacted.Redacted, RegistryError>
  /** This token was refused: the next `get` asks for another, unless somebody has done so already. */
  readonly drop: (request: TokenRequest, refused: Redacted.Redacted) => Effect.Effect<void>
}

interface Token {
  readonly value: Redacted.Redacted
  /** How long it is used. */
  readonly life: Duration.Duration
  /** Monotonic nanoseconds. */
  readonly until: bigint
}

// members of the wrong type are as good as missing
const decodeToken = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Struct({
  token: Schema.optionalKey(Schema.Unknown),
  access_token: Schema.optionalKey(Schema.Unknown),
  refresh_token: Schema.optionalKey(Schema.Unknown),
  expires_in: Schema.optionalKey(Schema.Unknown)
})))

const keyOf = (request: TokenRequest): string =>
  JSON.stringify([
    request.registry,
    request.realm.href,
    request.service ?? "",
    request.scopes,
    request.identity.name,
    request.vouched
  ])

/** Seconds a token is used: at least 60 (the specification's default), less a tenth for the way. */
const lifetime = (expiresIn: unknown): number => {
  const stated = typeof expiresIn === "number" || typeof expiresIn === "string" ? Number(expiresIn) : Number.NaN
  const bounded = Math.min(Math.max(Number.isFinite(stated) ? stated : 60, 60), 86_400)
  return bounded - Math.max(bounded * 0.1, 5)
}

/** A token that reads as one header value; anything else would smuggle headers. */
const isToken = (text: unknown): text is string => typeof text === "string" && /^[\x21-\x7e]+$/.test(text)

/** No server takes a longer header, and whoever gives a longer token wants our memory. */
const longestToken = 32 * 1024
const mostTokens = 1024

/** What token servers say to a POST that they do not know, or to a refresh token where they want a login. */
const wantsGet: ReadonlySet<number> = new Set([400, 401, 404, 405])

const operation = "GET token"

export const makeTokens = (transport: Transport): Effect.Effect<Tokens> =>
  Effect.gen(function*() {
    const common = (request: TokenRequest): Pick<
      Request,
      "operation" | "target" | "identity" | "certificate" | "cost" | "agent" | "most"
    > => ({
      operation,
      target: request.target,
      identity: request.identity.name,
      certificate: request.identity.certificate,
      cost: "free",
      agent: request.vouched ? "realm" : "control",
      most: transport.limits.tokenBytes
    })

    const byGet = (request: TokenRequest, login: Login | undefined) => {
      const url = new URL(request.realm)
      if (request.service !== undefined) url.searchParams.append("service", request.service)
      for (const scope of request.scopes) url.searchParams.append("scope", scope)
      return transport.send({
        ...common(request),
        method: "GET",
        url,
        authorization: login === undefined ? undefined : basicHeader(login.username, login.password)
      })
    }

    const byPost = (request: TokenRequest, token: Redacted.Redacted) =>
      transport.send({
        ...common(request),
        method: "POST",
        url: request.realm,
        headers: { "content-type": "application/x-www-form-urlencoded" },
        body: new TextEncoder().encode(
          new URLSearchParams({
            grant_type: "refresh_token",
            client_id: "image-cloner",
            scope: request.scopes.join(" "),
            refresh_token: Redacted.value(token),
            ...(request.service === undefined ? {} : { service: request.service })
          }).toString()
        )
      })

    /** Refresh tokens that came in place of the configured ones, by realm and fingerprint. */
    const replaced = makeBoundedMap<string, Redacted.Redacted>(256)
    const turns = makeBoundedMap<string, Semaphore.Semaphore>(256)

    const refreshing = Effect.fnUntraced(
      function*(
        request: TokenRequest,
        credential: Extract<Credential, { readonly _tag: "IdentityToken" }>,
        key: string
      ) {
        const newer = replaced.get(key)
        const first = yield* byPost(request, newer ?? credential.token)
        const again = newer !== undefined && (first.status === 400 || first.status === 401)
        if (again) replaced.delete(key)
        const answer = again ? yield* byPost(request, credential.token) : first
        const next = answer.status === 200
          ? Option.getOrUndefined(decodeToken(answer.body.toString("utf8")))?.refresh_token
          : undefined
        if (isToken(next) && next.length <= longestToken) {
          replaced.set(key, Redacted.make(next, { label: "identitytoken" }))
        }
        return wantsGet.has(answer.status) && credential.login !== undefined
          ? yield* byGet(request, credential.login)
          : answer
      }
    )

    // one at a time: a refresh token that is replaced with every use is good for one use
    const byIdentityToken = (
      request: TokenRequest,
      credential: Extract<Credential, { readonly _tag: "IdentityToken" }>
    ) =>
      Effect.suspend(() => {
        const key = `${request.realm.href} ${credential.fingerprint}`
        const turn = turns.get(key) ?? Semaphore.makeUnsafe(1)
        turns.set(key, turn)
        return turn.withPermit(refreshing(request, credential, key))
      })

    const read = Effect.fnUntraced(function*(request: TokenRequest, answer: Answer) {
      const now = yield* Clock.monotonicTimeNanos
      if (answer.status !== 200) {
        return yield* classify({
          operation,
          target: request.target,
          ...answer,
          now: yield* Clock.currentTimeMillis
        })
      }
      const decoded = decodeToken(answer.body.toString("utf8"))
      const text = Option.getOrUndefined(Option.map(decoded, (it) => [it.token, it.access_token].find(isToken)))
      if (Option.isNone(decoded) || text === undefined) {
        return yield* registryError({
          operation,
          target: request.target,
          reason: "Protocol",
          detail: `${request.realm.host} answered without a token`
        })
      }
      if (text.length > longestToken) {
        return yield* registryError({
          operation,
          target: request.target,
          reason: "Protocol",
          detail: `${request.realm.host} gave a token of ${text.length} bytes, more than ${longestToken}: no header`
        })
      }
      const life = Duration.seconds(lifetime(decoded.value.expires_in))
      const token: Token = {
        value: Redacted.make(`Bearer ${text}`, { label: "token" }),
        life,
        until: now + BigInt(Math.round(Duration.toSeconds(life) * 1e9))
      }
      return token
    })

    // the cache's keys are texts; the requests they stand for wait here for its lookup
    const asked = makeBoundedMap<string, TokenRequest>(mostTokens)
    const cache = yield* Cache.makeWith(
      Effect.fnUntraced(function*(key: string): Effect.fn.Return<Token, RegistryError> {
        const request = asked.get(key)
        if (request === undefined) {
          return yield* registryError({ operation, target: key, reason: "Unavailable", detail: "forgotten; ask again" })
        }
        const { credential } = request.identity
        const answer = credential?._tag === "IdentityToken"
          ? yield* byIdentityToken(request, credential)
          : yield* byGet(request, credential?._tag === "Basic" ? credential : undefined)
        return yield* read(request, answer)
      }),
      // failures are shared by those who wait, and not kept
      { capacity: mostTokens, timeToLive: (exit) => exit._tag === "Success" ? exit.value.life : "0 millis" }
    )

    return {
      get: Effect.fnUntraced(function*(request) {
        const key = keyOf(request)
        asked.set(key, request)
        const token = yield* Cache.get(cache, key)
        if (token.until > (yield* Clock.monotonicTimeNanos)) return token.value
        yield* Cache.invalidateWhen(cache, key, (it) => it === token)
        return (yield* Cache.get(cache, key)).value
      }),
      drop: (request, refused) =>
        Effect.asVoid(
          Cache.invalidateWhen(cache, keyOf(request), (it) => Redacted.value(it.value) === Redacted.value(refused))
        )
    }
  })

/** The value of a Basic Authorization header. */
export const basicHeader = (username: string, password: Redacted.Redacted): Redacted.Redacted =>
  Redacted.make(`Basic ${Buffer.from(`${username}:${Redacted.value(password)}`, "utf8").toString("base64")}`, {
    label: "authorization"
  })
