// A request with its redirects: our own loop, because each hop's address, scheme and credentials must be judged.
// Edge: adds what the caller gives as Authorization and drops it at the first foreign origin; knows no challenges.
import { Clock, Duration, Effect, Metric, Option, Redacted, type Scope } from "effect"
import type { Readable } from "node:stream"
import type { Dispatcher } from "undici"
import { firstOf } from "../../http/HeaderValues.ts"
import { statusClass } from "../../http/StatusClass.ts"
import type { HostLabel } from "../../telemetry/HostLabel.ts"
import { registryRequests } from "../../telemetry/Metrics.ts"
import { classify } from "../Classify.ts"
import type { Cost, HostRests } from "../HostRests.ts"
import type { Limits } from "../Limits.ts"
import { type RegistryError, registryError, type RegistryReason } from "../RegistryError.ts"
import { makeWarnings } from "../Warnings.ts"
import type { Agents, Kind } from "./Agents.ts"
import type { Certificates } from "./Certificates.ts"
import * as Dispatch from "./Dispatch.ts"
import { wantsLogin } from "./Tunnels.ts"

/** A request as the registry client sees it. */
export interface Request {
  readonly operation: string
  readonly target: string
  readonly method: Dispatch.Outgoing["method"]
  readonly url: URL
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | Readable | undefined
  /** Value of the Authorization header; sent to the origin of `url` only. */
  readonly authorization?: Redacted.Redacted | undefined
  /** Whose budget it is: the name of an identity. */
  readonly identity: string
  /** The client certificate for the host of `url` is shown, and to that origin only. */
  readonly certificate: boolean
  readonly cost: Cost
  /** `realm` skips the address policy: a configured registry vouches for it. */
  readonly agent: "control" | "realm" | "upload"
  readonly most: number
  /** `url` is at the registry's own origin, which whoever names the image has named; a realm's or a Location's is not. */
  readonly named?: boolean
  /** A redirect to another origin is an answer, and not followed. */
  readonly ownOrigin?: boolean
  readonly timeout?: Duration.Duration
}

export interface Answer extends Dispatch.Incoming {
  /** The URL that answered, after redirects. */
  readonly url: URL
  readonly stream?: Dispatch.BodyStream
}

export interface Transport {
  readonly limits: Limits
  /** The whole answer, whatever its status, bounded. Rate limits and no answer at all are errors. */
  readonly send: (request: Request) => Effect.Effect<Answer, RegistryError>
  /** The same with the body of a 200 as a paused stream. */
  readonly open: (request: Request) => Effect.Effect<Answer, RegistryError, Scope.Scope>
}

/** Without any answer, these come from TLS. */
const aboutTls: ReadonlySet<RegistryReason> = new Set(["Certificate", "Unauthorized"])
const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** Host and path of a URL: queries carry signatures and tokens, so they are never shown. */
const shown = (url: URL): string => `${url.origin}${url.pathname}`

type Perform<R> = (
  dispatcher: Dispatcher,
  outgoing: Dispatch.Outgoing
) => Effect.Effect<Dispatch.Incoming & { readonly stream?: Dispatch.BodyStream }, Dispatch.DispatchError, R>

const fail = (request: Request, reason: RegistryReason, detail: string) =>
  registryError({ operation: request.operation, target: request.target, reason, detail })

/** Where a redirect leads, judged; undefined when the answer is none. */
const redirect = (request: Request, answer: Answer): URL | RegistryError | undefined => {
  const location = firstOf(answer.headers["location"])
  if (!redirects.has(answer.status) || location === undefined) return undefined
  if (request.method !== "GET" && request.method !== "HEAD") {
    return fail(request, "Protocol", `the registry redirects a ${request.method}, which is not followed`)
  }
  if (!URL.canParse(location, answer.url)) return fail(request, "Protocol", "the redirect leads to no URL")
  const next = new URL(location, answer.url)
  if (request.ownOrigin === true && next.origin !== request.url.origin) return undefined
  if (next.protocol !== "https:" && next.protocol !== answer.url.protocol) {
    return fail(request, "Refused", `the redirect to ${shown(next)} would leave TLS`)
  }
  return next
}

export const makeTransport = (options: {
  readonly agents: Agents
  readonly certificates: Certificates
  readonly limits: Limits
  readonly hosts: HostRests
  readonly hostLabel: HostLabel
}): Transport => {
  const { agents, certificates, hosts, limits } = options
  const warnings = makeWarnings()

  const hop = Effect.fnUntraced(function*<R>(request: Request, url: URL, perform: Perform<R>, kind: Kind) {
    const ask = { ...request, host: url.host }
    yield* hosts.turn(ask)
    yield* certificates.refresh
    const host = options.hostLabel(url.host)
    const sameOrigin = url.origin === request.url.origin
    const proxy = agents.proxyOf(url)
    const dispatcher = agents.of(kind, url, sameOrigin && request.certificate)
    const timeout = Duration.toMillis(request.timeout ?? limits.answerTimeout)
    const incoming = yield* perform(dispatcher, {
      method: request.method,
      url,
      headers: {
        ...request.headers,
        // a body that was compressed on the way has other bytes than its digest
        "accept-encoding": "identity",
        "user-agent": "image-cloner",
        ...(sameOrigin && request.authorization !== undefined
          ? { authorization: Redacted.value(request.authorization) }
          : {})
      },
      body: request.body,
      headersTimeout: timeout,
      bodyTimeout: Math.min(timeout, Duration.toMillis(limits.answerTimeout)),
      wholeTimeout: Duration.toMillis(limits.wholeTimeout)
    }).pipe(
      Effect.tapError(() => Metric.update(registryRequests({ host, code: "none" }), 1)),
      Effect.mapError((error) =>
        registryError({
          operation: request.operation,
          target: request.target,
          reason: error.reason === "Refused" && request.named === true && url === request.url
            ? "Internal"
            : error.reason,
          detail: [
            `${url.host === request.url.host ? url.host : shown(url)}: ${error.detail}`,
            ...(aboutTls.has(error.reason) ? [certificates.problemOf(url.host) ?? []].flat() : []),
            ...Option.toArray(proxy).flatMap(({ origin }) =>
              error.detail.includes(origin) ? [] : [`through the proxy ${origin}`]
            )
          ].join("; "),
          noConnection: error.noConnection ?? false,
          cause: error.cause
        })
      )
    )
    yield* Metric.update(
      registryRequests({ host, code: incoming.status === 429 ? "429" : statusClass(incoming.status) }),
      1
    )
    if (incoming.headers["warning"] !== undefined) yield* warnings(url.host, incoming.headers["warning"])
    if (incoming.status === 407 && Option.isSome(proxy)) {
      const error = fail(request, "Unreachable", `${url.host}: the proxy ${proxy.value.origin} ${wantsLogin}`)
      return yield* registryError({ ...error, noConnection: true })
    }
    yield* hosts.announced(ask, incoming.headers)
    const answer: Answer = { ...incoming, url }
    if (incoming.status !== 429 && incoming.status !== 403) {
      yield* hosts.answered(ask)
      return answer
    }
    const error = classify({ ...request, ...incoming, now: yield* Clock.currentTimeMillis })
    if (error.reason !== "RateLimited") return answer
    const rest = yield* hosts.limited(ask, error.retryAfter)
    return yield* registryError({ ...error, retryAfter: rest })
  })

  const follow = Effect.fnUntraced(function*<R>(request: Request, perform: Perform<R>, kind: Kind) {
    let url = request.url
    for (let count = 0; count <= limits.redirects; count++) {
      // what vouches for a realm does not vouch for where the realm redirects to
      const strange = request.agent === "realm" && url.origin !== request.url.origin
      const answer = yield* hop(request, url, perform, strange ? "control" : kind)
      const next = redirect(request, answer)
      if (next === undefined) return answer
      if (!(next instanceof URL)) return yield* next
      url = next
    }
    return yield* fail(request, "Protocol", `more than ${limits.redirects} redirects`)
  })

  return {
    limits,
    send: (request) =>
      follow(
        request,
        (dispatcher, outgoing) => Dispatch.exchange(dispatcher, outgoing, request.most),
        request.agent
      ),
    open: (request) =>
      follow(
        request,
        // the stream's own silence is judged by whoever reads it: undici's timer stops while it is paused
        (dispatcher, outgoing) => Dispatch.open(dispatcher, { ...outgoing, bodyTimeout: 0 }, limits.errorBytes),
        "download"
      )
  }
}
