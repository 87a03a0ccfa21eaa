// Bearer tokens: one request per realm, scopes and identity however many ask, kept until shortly before they end.
// Source: distribution docs/spec/auth/{token,oauth}.md. Lifetimes run on the monotonic clock from receipt.
import { Cache, Clock, Effect, Option, Redacted, Schema } from "effect"
import { makeBoundedMap } from "./BoundedMap.ts"
import { classify } from "./Classify.ts"
import type { Credential } from "./DockerConfig.ts"
import { type RegistryError, registryError } from "./RegistryError.ts"
import type { Answer, Request, Transport } from "./Transport.ts"

export interface TokenRequest {
  readonly realm: URL
  readonly service: string | undefined
  /** In the order in which they are sent: some registries look at the first only. */
  readonly scopes: ReadonlyArray<string>
  /** Already judged: may be sent to this realm. */
  readonly credential: Credential | undefined
  /** The realm may be at a private address as its registry may. */
  readonly vouched: boolean
  /** For errors: what the token is for. */
  readonly target: string
}

export interface Tokens {
  readonly get: (request: TokenRequest) => Effect.Effect<Redacted.Redacted, RegistryError>
  /** The token was refused: the next `get` asks for another. */
  readonly drop: (request: TokenRequest) => Effect.Effect<void>
}

interface Token {
  readonly value: Redacted.Redacted
  /** Monotonic nanoseconds. */
  readonly until: bigint
}

const decodeToken = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Struct({
  token: Schema.optionalKey(Schema.String),
  access_token: Schema.optionalKey(Schema.String),
  expires_in: Schema.optionalKey(Schema.Finite)
})))

const keyOf = (request: TokenRequest): string =>
  JSON.stringify([
    request.realm.href,
    request.service ?? "",
    request.scopes,
    request.credential?.fingerprint ?? "",
    request.vouched
  ])

/** Seconds a token is used: at least 60 (the specification's default), less a tenth for the way. */
const lifetime = (expiresIn: number | undefined): number => {
  const stated = Math.min(Math.max(expiresIn ?? 60, 60), 86_400)
  return stated - Math.max(stated * 0.1, 5)
}

/** A token that reads as one header value; anything else would smuggle headers. */
const isToken = (text: string | undefined): text is string => text !== undefined && /^[\x21-\x7e]+$/.test(text)

const operation = "GET token"

export const makeTokens = (transport: Transport): Effect.Effect<Tokens> =>
  Effect.gen(function*() {
    const common = (request: TokenRequest): Pick<
      Request,
      "operation" | "target" | "identity" | "cost" | "agent" | "most"
    > => ({
      operation,
      target: request.target,
      identity: request.credential?.fingerprint ?? "anonymous",
      cost: "free",
      agent: request.vouched ? "realm" : "control",
      most: transport.limits.tokenBytes
    })

    const byGet = (request: TokenRequest) => {
      const url = new URL(request.realm)
      if (request.service !== undefined) url.searchParams.append("service", request.service)
      for (const scope of request.scopes) url.searchParams.append("scope", scope)
      const credential = request.credential
      return transport.send({
        ...common(request),
        method: "GET",
        url,
        authorization: credential?._tag === "Basic"
          ? basicHeader(credential.username, credential.password)
          : undefined
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
      const text = Option.getOrUndefined(Option.map(decoded, (it) => it.token ?? it.access_token))
      if (Option.isNone(decoded) || !isToken(text)) {
        return yield* registryError({
          operation,
          target: request.target,
          reason: "Protocol",
          detail: `${request.realm.host} answered without a token`
        })
      }
      const token: Token = {
        value: Redacted.make(`Bearer ${text}`, { label: "token" }),
        until: now + BigInt(Math.round(lifetime(decoded.value.expires_in) * 1e9))
      }
      return token
    })

    // the cache's keys are texts; the requests they stand for wait here for its lookup
    const asked = makeBoundedMap<string, TokenRequest>(4096)
    const cache = yield* Cache.makeWith(
      Effect.fnUntraced(function*(key: string): Effect.fn.Return<Token, RegistryError> {
        const request = asked.get(key)
        if (request === undefined) {
          return yield* registryError({ operation, target: key, reason: "Unavailable", detail: "forgotten; ask again" })
        }
        const credential = request.credential
        const answer = credential?._tag === "IdentityToken"
          ? yield* byPost(request, credential.token)
          : yield* byGet(request)
        return yield* read(request, answer)
      }),
      // failures are shared by those who wait, and not kept
      { capacity: 4096, timeToLive: (exit) => exit._tag === "Success" ? "1 day" : "0 millis" }
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
      drop: (request) => Cache.invalidate(cache, keyOf(request))
    }
  })

/** The value of a Basic Authorization header. */
export const basicHeader = (username: string, password: Redacted.Redacted): Redacted.Redacted =>
  Redacted.make(`Basic ${Buffer.from(`${username}:${Redacted.value(password)}`, "utf8").toString("base64")}`, {
    label: "authorization"
  })
