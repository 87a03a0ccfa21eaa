// A request with its redirects: hop by hop, each with what its host wants, asks for and is owed.
// Edge: adds what the caller gives as Authorization and drops it at the first foreign origin; knows no challenges.
import { Clock, Duration, Effect, Metric, Option, Redacted, type Scope } from "effect"
import type { Readable } from "node:stream"
import type { Dispatcher } from "undici"
import { statusClass } from "../../http/StatusClass.ts"
import type { Proxy } from "../../settings/Proxies.ts"
import type { HostLabel } from "../../telemetry/HostLabel.ts"
import { registryRequests } from "../../telemetry/Metrics.ts"
import { classify } from "../Classify.ts"
import type { HostRests } from "../HostRests.ts"
import type { Limits } from "../Limits.ts"
import { type RegistryError, registryError, type RegistryReason } from "../RegistryError.ts"
import type { Charge } from "../Reserves.ts"
import { makeWarnings } from "../RegistryWarnings.ts"
import type { Agents, Kind } from "./Agents.ts"
import { type BodyStream, open } from "./BodyStream.ts"
import type { Certificates } from "./Certificates.ts"
import { exchange, type Incoming, type Outgoing } from "./Dispatch.ts"
import { type DispatchError, spokenPlainly } from "./DispatchError.ts"
import { redirectOf, shown } from "./Redirect.ts"
import { wantsLogin } from "./Tunnels.ts"

/** A request as the registry client sees it. */
export interface Request {
  readonly operation: string
  readonly target: string
  readonly method: Outgoing["method"]
  readonly url: URL
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | Readable | undefined
  /** Value of the Authorization header; sent to the origin of `url` only. */
  readonly authorization?: Redacted.Redacted | undefined
  /** Whose budget it is: the name of an identity. */
  readonly identity: string
  /** The client certificate for the host of `url` is shown, and to that origin only. */
  readonly certificate: boolean
  readonly cost: Charge["cost"]
  /** `realm` skips the address policy: a configured registry vouches for it. */
  readonly agent: "control" | "realm" | "upload"
  readonly most: number
  /** `url` is at the registry's own origin, which whoever names the image has named; a realm's or a Location's is not. */
  readonly named?: boolean
  /** A redirect to another origin is an answer, and not followed. */
  readonly ownOrigin?: boolean
  readonly timeout?: Duration.Duration
}

export interface Answer extends Incoming {
  /** The URL that answered, after redirects. */
  readonly url: URL
  readonly stream?: BodyStream
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

type Perform<R> = (
  dispatcher: Dispatcher,
  outgoing: Outgoing
) => Effect.Effect<Incoming & { readonly stream?: BodyStream }, DispatchError, R>

/** The request's own URL, or one that a redirect led to on the same host. To read a URL's origin makes a text of it each time. */
const isOwn = (request: Request, url: URL): boolean => url === request.url || url.origin === request.url.origin

/** Milliseconds for an answer to begin, and to end. */
interface Patience {
  readonly answer: number
  readonly whole: number
}

/** What is sent to `url`, the request's own or one that a redirect led to: nothing of ours goes to a foreign origin. */
const outgoingTo = (request: Request, url: URL, patience: Patience): Outgoing => {
  const timeout = request.timeout === undefined ? patience.answer : Duration.toMillis(request.timeout)
  return {
    method: request.method,
    url,
    headers: {
      ...request.headers,
      // a body that was compressed on the way has other bytes than its digest
      "accept-encoding": "identity",
      "user-agent": "image-cloner",
      ...(request.authorization !== undefined && isOwn(request, url)
        ? { authorization: Redacted.value(request.authorization) }
        : {})
    },
    body: request.body,
    headersTimeout: timeout,
    bodyTimeout: Math.min(timeout, patience.answer),
    wholeTimeout: patience.whole
  }
}

/** Servers that speak TLS hang up on whoever does not, without a word. */
const mayWantTls = (request: Request, url: URL, error: DispatchError): boolean =>
  url.protocol === "http:" && request.named === true && isOwn(request, url) &&
  error.reason === "Unreachable" && error.noConnection !== true && request.method !== "PUT"

/** No answer, said for whom, from where and through which proxy. `problem`: what is wrong with the host's certificates. */
const noAnswer = (
  request: Request,
  url: URL,
  error: DispatchError,
  proxy: Option.Option<Proxy>,
  problem: string | undefined
): RegistryError =>
  registryError({
    operation: request.operation,
    target: request.target,
    reason: error.reason === "Refused" && request.named === true && url === request.url ? "Internal" : error.reason,
    detail: [
      `${url.host === request.url.host ? url.host : shown(url)}: ${error.detail}`,
      ...(mayWantTls(request, url, error) ? [`does the host want TLS? ${spokenPlainly}`] : []),
      ...(aboutTls.has(error.reason) && problem !== undefined ? [problem] : []),
      ...Option.toArray(proxy).flatMap(({ origin }) =>
        error.detail.includes(origin) ? [] : [`through the proxy ${origin}`]
      )
    ].join("; "),
    noConnection: error.noConnection ?? false,
    cause: error.cause
  })

/** Nothing below has a span of its own, so that this one need not be in the context: to copy that costs more than the span. */
const inSpan = <A, E, R>({ operation, target }: Request, { host }: URL, effect: Effect.Effect<A, E, R>) =>
  Effect.useSpan("registry.request", { attributes: { operation, target, host } }, () => effect)

export const makeTransport = (options: {
  readonly agents: Agents
  readonly certificates: Certificates
  readonly limits: Limits
  readonly hosts: HostRests
  readonly hostLabel: HostLabel
}): Transport => {
  const { agents, certificates, hosts, limits } = options
  const warnings = makeWarnings()
  const patience: Patience = {
    answer: Duration.toMillis(limits.answerTimeout),
    whole: Duration.toMillis(limits.wholeTimeout)
  }

  const once = Effect.fnUntraced(function*<R>(request: Request, url: URL, perform: Perform<R>, kind: Kind) {
    const ask = { ...request, host: url.host }
    yield* hosts.turn(ask)
    yield* certificates.refresh
    const host = options.hostLabel(url.host)
    const proxy = agents.proxyOf(url)
    const dispatcher = agents.of(kind, url, request.certificate && isOwn(request, url))
    const incoming = yield* perform(dispatcher, outgoingTo(request, url, patience)).pipe(
      Effect.tapError(() => Metric.update(registryRequests({ host, code: "none" }), 1)),
      Effect.mapError((error) => noAnswer(request, url, error, proxy, certificates.problemOf(url.host)))
    )
    yield* Metric.update(
      registryRequests({ host, code: incoming.status === 429 ? "429" : statusClass(incoming.status) }),
      1
    )
    if (incoming.headers["warning"] !== undefined) yield* warnings(url.host, incoming.headers["warning"])
    if (incoming.status === 407 && Option.isSome(proxy)) {
      return yield* registryError({
        operation: request.operation,
        target: request.target,
        reason: "Unreachable",
        detail: `${url.host}: the proxy ${proxy.value.origin} ${wantsLogin}`,
        noConnection: true
      })
    }
    yield* hosts.announced(ask, incoming.headers)
    const answer: Answer = { ...incoming, url }
    if (incoming.status !== 429 && incoming.status !== 403) {
      yield* hosts.answered(ask)
      return answer
    }
    const error = classify({ ...request, ...incoming, url, now: yield* Clock.currentTimeMillis })
    if (error.reason !== "RateLimited") return answer
    const rest = yield* hosts.limited(ask, error.retryAfter)
    return yield* registryError({ ...error, retryAfter: rest })
  })

  const hop = <R>(request: Request, url: URL, perform: Perform<R>, kind: Kind) =>
    inSpan(request, url, once(request, url, perform, kind))

  const follow = Effect.fnUntraced(function*<R>(request: Request, perform: Perform<R>, kind: Kind) {
    let url = request.url
    for (let count = 0; count <= limits.redirects; count++) {
      // what vouches for a realm does not vouch for where the realm redirects to
      const strange = request.agent === "realm" && !isOwn(request, url)
      const answer = yield* hop(request, url, perform, strange ? "control" : kind)
      const next = yield* redirectOf(request, answer)
      if (next === undefined) return answer
      url = next
    }
    const detail = `more than ${limits.redirects} redirects`
    return yield* registryError({ ...request, reason: "Protocol", detail })
  })

  return {
    limits,
    send: (request) =>
      follow(
        request,
        (dispatcher, outgoing) => exchange(dispatcher, outgoing, request.most),
        request.agent
      ),
    open: (request) =>
      follow(
        request,
        // the stream's own silence is judged by whoever reads it: undici's timer stops while it is paused
        (dispatcher, outgoing) => open(dispatcher, { ...outgoing, bodyTimeout: 0 }, limits.errorBytes),
        "download"
      )
  }
}
