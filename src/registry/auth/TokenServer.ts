// A token server, asked and read. Source: distribution docs/spec/auth/{token,oauth}.md.
// Edge: one request, one answer; what is kept of them is Tokens.ts, and refresh tokens that are replaced RefreshTokens.ts.
import { Clock, Duration, Effect, Option, Redacted, Schema } from "effect"
import { classify } from "../Classify.ts"
import { type RegistryError, registryError, tokenOperation } from "../RegistryError.ts"
import type { Answer, Request, Transport } from "../transport/Transport.ts"
import type { Login } from "./DockerConfig.ts"
import type { Identity } from "./Identities.ts"

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
  /** How long the token should be good for, where another would be better. */
  readonly lasting?: Duration.Duration | undefined
}

export interface TokenServer {
  /** Asks as this login, or as nobody. The answer is whole, whatever its status. */
  readonly byGet: (request: TokenRequest, login: Login | undefined) => Effect.Effect<Answer, RegistryError>
  /** Asks with a refresh token (docker's "identity token"). */
  readonly byPost: (request: TokenRequest, refresh: Redacted.Redacted) => Effect.Effect<Answer, RegistryError>
}

export interface Token {
  /** As the value of an Authorization header. */
  readonly value: Redacted.Redacted
  /** How long it is used. */
  readonly life: Duration.Duration
  /** Monotonic nanoseconds: lives run from receipt, and not on a clock that is set. */
  readonly until: bigint
}

// members of the wrong type are as good as missing
const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Struct({
  token: Schema.optionalKey(Schema.Unknown),
  access_token: Schema.optionalKey(Schema.Unknown),
  refresh_token: Schema.optionalKey(Schema.Unknown),
  expires_in: Schema.optionalKey(Schema.Unknown)
})))
const bodyOf = (answer: Answer) => Option.getOrUndefined(decode(answer.body.toString("utf8")))

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

const operation = tokenOperation

const useless = ({ target }: TokenRequest, detail: string) =>
  registryError({ operation, target, reason: "Protocol", detail })

/** The token of an answer; fails with what the answer was instead. */
export const readToken = Effect.fnUntraced(
  function*(request: TokenRequest, answer: Answer): Effect.fn.Return<Token, RegistryError> {
    const now = yield* Clock.monotonicTimeNanos
    if (answer.status !== 200) {
      const error = classify({ operation, target: request.target, ...answer, now: yield* Clock.currentTimeMillis })
      // the target is a registry's, and this one may be anywhere
      return yield* registryError({ ...error, detail: `${answer.url.host}: ${error.detail}` })
    }
    const body = bodyOf(answer)
    const text = [body?.token, body?.access_token].find(isToken)
    if (text === undefined) return yield* useless(request, `${request.realm.host} answered without a token`)
    if (text.length > longestToken) {
      const detail = `gave a token of ${text.length} bytes, more than ${longestToken}: no header`
      return yield* useless(request, `${request.realm.host} ${detail}`)
    }
    const life = Duration.seconds(lifetime(body?.expires_in))
    return {
      value: Redacted.make(`Bearer ${text}`, { label: "token" }),
      life,
      until: now + BigInt(Math.round(Duration.toSeconds(life) * 1e9))
    }
  }
)

/** The refresh token that an answer gives in place of the one it was asked with. */
export const replacementIn = (answer: Answer): Redacted.Redacted | undefined => {
  const next = answer.status === 200 ? bodyOf(answer)?.refresh_token : undefined
  return isToken(next) && next.length <= longestToken ? Redacted.make(next, { label: "identitytoken" }) : undefined
}

/** The value of a Basic Authorization header. */
export const basicHeader = ({ password, username }: Login): Redacted.Redacted =>
  Redacted.make(`Basic ${Buffer.from(`${username}:${Redacted.value(password)}`, "utf8").toString("base64")}`, {
    label: "authorization"
  })

export const makeTokenServer = (transport: Transport): TokenServer => {
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
  return {
    byGet: (request, login) => {
      const url = new URL(request.realm)
      if (request.service !== undefined) url.searchParams.append("service", request.service)
      for (const scope of request.scopes) url.searchParams.append("scope", scope)
      const authorization = login === undefined ? undefined : basicHeader(login)
      return transport.send({ ...common(request), method: "GET", url, authorization })
    },
    byPost: (request, refresh) => {
      const form = new URLSearchParams({
        grant_type: "refresh_token",
        client_id: "image-cloner",
        scope: request.scopes.join(" "),
        refresh_token: Redacted.value(refresh),
        ...(request.service === undefined ? {} : { service: request.service })
      })
      return transport.send({
        ...common(request),
        method: "POST",
        url: request.realm,
        headers: { "content-type": "application/x-www-form-urlencoded" },
        body: new TextEncoder().encode(form.toString())
      })
    }
  }
}
