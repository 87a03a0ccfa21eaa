// A small client of the Kubernetes API: requests and lines of watches in, JSON and KubeErrors out.
// Knows no kinds. Credentials come from Access, connections from Agents; watching with its rules is Watcher.ts.
import { NodeStream } from "@effect/platform-node"
import {
  Clock,
  Config,
  Context,
  Duration,
  Effect,
  FileSystem,
  Layer,
  Metric,
  Option,
  Redacted,
  Schedule,
  Stream
} from "effect"
import { arch, platform } from "node:os"
import type { Dispatcher } from "undici"
import { firstOf } from "../http/HeaderValues.ts"
import { makeFramer } from "../http/Lines.ts"
import { retryAfterOf } from "../http/RetryAfter.ts"
import { statusClass } from "../http/StatusClass.ts"
import { makeNovelty, warningsOf } from "../http/Warnings.ts"
import { kubeRequests, kubeRequestSeconds } from "../telemetry/Metrics.ts"
import { version } from "../telemetry/Version.ts"
import type { Access, Credentials, Tls } from "./Access.ts"
import { type Agents, keyOf, makeAgents, type Purpose } from "./ApiConnections.ts"
import { inCluster } from "./InCluster.ts"
import { fromKubeconfig } from "./KubeconfigAccess.ts"
import { fromStatus, fromTransport, KubeError, protocolError } from "./KubeError.ts"

export interface KubeRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE"
  /** Without the server and without the query: `/apis/apps/v1/deployments`. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>> | undefined
  /** Sent as JSON. */
  readonly body?: unknown
  /** Of the body; `application/json` if not given. */
  readonly contentType?: string | undefined
  readonly accept?: string | undefined
  /** A lease has a connection of its own and five seconds: nothing else may delay it. */
  readonly purpose?: "lease" | undefined
  /** Never tried again by the client: whoever sends it decides anew first. */
  readonly once?: true | undefined
  /** Of `lines`: for how long the server may say nothing; 90 s if not given. */
  readonly silence?: Duration.Input | undefined
}

export class KubeClient extends Context.Service<KubeClient, {
  readonly server: string
  /**
   * The parsed answer, undefined where it is empty. A 401 reads the credentials again, once. What is certain not to have
   * been done is tried again for some seconds: reads, and changes that were never sent or were refused for overload.
   */
  readonly request: (request: KubeRequest) => Effect.Effect<unknown, KubeError>
  /** The lines of a watch, or of whatever comes line by line; ends when the server ends it. Tried once. */
  readonly lines: (request: KubeRequest) => Stream.Stream<string, KubeError>
}>()("image-cloner/kube/KubeClient") {
  /**
   * By the kubeconfig that is named; else, in a pod, by its ServiceAccount, unless KUBECONFIG is set; else by KUBECONFIG or
   * `~/.kube/config`.
   */
  static readonly layer = (
    options: { readonly kubeconfig?: string | undefined; readonly context?: string | undefined } = {}
  ): Layer.Layer<KubeClient, KubeError, FileSystem.FileSystem> =>
    Layer.effect(KubeClient, Effect.flatMap(credentialsOf(options), make))

  /** A server that is known: tests and the sandbox. */
  static readonly layerFrom = (options: {
    readonly server: string
    readonly headers?: Readonly<Record<string, string>> | undefined
    readonly ca?: string | undefined
  }): Layer.Layer<KubeClient> =>
    Layer.effect(
      KubeClient,
      make({
        server: options.server.replace(/\/+$/, ""),
        proxy: undefined,
        access: Effect.succeed({
          headers: Object.fromEntries(
            Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), Redacted.make(value)])
          ),
          tls: { ca: options.ca }
        }),
        reload: () => Effect.void
      })
    )
}

const credentialsOf = Effect.fnUntraced(function*(
  options: { readonly kubeconfig?: string | undefined; readonly context?: string | undefined }
) {
  const named = yield* Effect.orElseSucceed(Config.option(Config.NonEmptyString("KUBECONFIG")), () => Option.none())
  if (options.kubeconfig === undefined && options.context === undefined && Option.isNone(named)) {
    const pod = yield* inCluster()
    if (Option.isSome(pod)) return pod.value
  }
  return yield* fromKubeconfig(options)
})

const userAgent = `image-cloner/${version} (${platform()}/${arch()})`

const times = 4
// what helps within some seconds; whoever wants to wait longer has the error's word for when
const policy = Schedule.min([Schedule.exponential("250 millis"), Schedule.spaced("5 seconds")]).pipe(
  Schedule.jittered,
  Schedule.upTo({ times }),
  Schedule.setInputType<KubeError>(),
  Schedule.modifyDelay(({ duration, input }) =>
    Effect.succeed(Duration.max(duration, input.retryAfter ?? Duration.zero))
  )
)
const PATIENCE = Duration.seconds(30)

const mayRepeat = (request: KubeRequest) => (error: KubeError): boolean => {
  if (
    request.once === true || !error.retryable ||
    (error.retryAfter !== undefined && Duration.isGreaterThan(error.retryAfter, PATIENCE))
  ) {
    return false
  }
  if (request.method === "GET") return true
  return !error.outcomeUnknown && (error.reason === "Unreachable" || error.retryAfter !== undefined)
}

// deprecated kinds, unknown fields; names of objects can be part of a text, so not every one can be remembered
const mostWarnings = 1000

/** An object is at most 1.5 MB in etcd; JSON and managedFields make it larger, but not five times. */
const longestLine = 8 * 1024 * 1024

const parse = (text: string): { readonly json: unknown } | undefined => {
  if (text === "") return { json: undefined }
  try {
    return { json: JSON.parse(text) }
  } catch {
    return undefined // the caller says what it is instead
  }
}

const textOf = (request: KubeRequest, response: Dispatcher.ResponseData) =>
  Effect.tryPromise({
    try: (signal) => {
      signal.addEventListener("abort", () => response.body.destroy(), { once: true })
      return response.body.text()
    },
    catch: (cause) => fromTransport(`${request.method} ${request.path}`, request.method !== "GET", cause)
  })

const make = Effect.fnUntraced(function*(credentials: Credentials) {
  const base = new URL(credentials.server)
  const root = base.pathname === "/" ? "" : base.pathname
  const isNew = makeNovelty(mostWarnings, "new")

  // the connections are replaced when the certificates change; the old ones end with their last request
  let current: { readonly key: string; readonly agents: Agents } | undefined
  const agentsFor = (tls: Tls): Agents => {
    const key = keyOf(tls)
    if (current?.key === key) return current.agents
    if (current !== undefined) retire(current.agents)
    current = { key, agents: makeAgents(tls, credentials.proxy) }
    return current.agents
  }
  yield* Effect.addFinalizer(() =>
    Effect.promise(async () => {
      if (current !== undefined) await Promise.all(Object.values(current.agents).map((it) => it.destroy()))
    })
  )

  const send = Effect.fnUntraced(function*(request: KubeRequest, purpose: Purpose, { headers, tls }: Access) {
    const operation = `${request.method} ${request.path}`
    const agents = agentsFor(tls)
    const query = new URLSearchParams(request.query).toString()
    const secret = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Redacted.value(value)]))
    return yield* Effect.tryPromise({
      try: (signal) =>
        agents[purpose].request({
          origin: base.origin,
          path: `${root}${request.path}${query === "" ? "" : `?${query}`}`,
          method: request.method,
          headers: {
            accept: request.accept ?? "application/json",
            "user-agent": userAgent,
            ...(request.body === undefined ? {} : { "content-type": request.contentType ?? "application/json" }),
            ...secret
          },
          body: request.body === undefined ? null : JSON.stringify(request.body),
          signal,
          ...(request.silence === undefined ? {} : { bodyTimeout: Duration.toMillis(request.silence) })
        }),
      catch: (cause) => fromTransport(operation, request.method !== "GET", cause)
    })
  })

  const failure = Effect.fnUntraced(function*(request: KubeRequest, response: Dispatcher.ResponseData) {
    const text = yield* textOf(request, response)
    const now = yield* Clock.currentTimeMillis
    return fromStatus({
      operation: `${request.method} ${request.path}`,
      mutation: request.method !== "GET",
      status: response.statusCode,
      body: parse(text)?.json ?? text,
      retryAfter: retryAfterOf(firstOf(response.headers["retry-after"]), now)
    })
  })

  const answered = (response: Dispatcher.ResponseData) =>
    Effect.forEach(
      warningsOf(response.headers["warning"]).filter(({ text }) => isNew(text)),
      ({ text }) => Effect.logWarning(`the API server warns: ${text}`),
      { discard: true }
    )

  const attempt = (request: KubeRequest) =>
    Effect.fnUntraced(function*(access: Access) {
      const started = yield* Clock.currentTimeMillis
      const count = (status: number | undefined) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) =>
          Effect.andThen(
            Metric.update(
              kubeRequests({ method: request.method, code: status === undefined ? "none" : statusClass(status) }),
              1
            ),
            Metric.update(kubeRequestSeconds, (now - started) / 1000)
          ))
      return yield* Effect.gen(function*() {
        const response = yield* send(request, request.purpose ?? "request", access)
        yield* answered(response)
        if (response.statusCode >= 300) return yield* yield* failure(request, response)
        const parsed = parse(yield* textOf(request, response))
        if (parsed === undefined) {
          return yield* protocolError(`${request.method} ${request.path}`, "the answer is not JSON")
        }
        yield* count(response.statusCode)
        return parsed.json
      }).pipe(Effect.tapError((error) => count(error.status)))
    })

  const authenticated = Effect.fnUntraced(function*<A>(run: (access: Access) => Effect.Effect<A, KubeError>) {
    const access = yield* credentials.access
    return yield* run(access).pipe(Effect.catchIf(
      (error) => error.reason === "Unauthorized",
      () => Effect.andThen(credentials.reload(access), Effect.flatMap(credentials.access, run))
    ))
  })

  const open = (request: KubeRequest) =>
    Effect.fnUntraced(function*(access: Access) {
      const response = yield* send(request, "watch", access)
      yield* answered(response)
      if (response.statusCode >= 300) return yield* yield* failure(request, response)
      return response
    })

  return KubeClient.of({
    server: credentials.server,
    request: (request) =>
      authenticated(attempt(request)).pipe(
        Effect.retry({ schedule: policy, while: mayRepeat(request) })
      ),
    lines: (request) =>
      Stream.unwrap(Effect.map(authenticated(open(request)), (response) => {
        const operation = `${request.method} ${request.path}`
        const framer = makeFramer(longestLine)
        return NodeStream.fromReadable<Uint8Array, KubeError>({
          evaluate: () => response.body,
          onError: (cause) => fromTransport(operation, false, cause)
        }).pipe(
          Stream.mapEffect((chunk) => {
            const lines = framer.push(chunk)
            return lines === undefined
              ? Effect.fail(protocolError(operation, "a line of the answer has more than 8 MiB"))
              : Effect.succeed(lines)
          }),
          Stream.flattenIterable
        )
      }))
  })
})

const retire = (agents: Agents): void => {
  // nobody waits for it, and a connection that cannot be closed is gone already
  for (const agent of Object.values(agents)) agent.close().catch(() => undefined)
}
