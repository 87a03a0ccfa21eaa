// A small client of the Kubernetes API: requests in, JSON, frames of watches and KubeErrors out.
// Knows no kinds. Credentials come from Access, connections from Agents; watching with its rules is Watcher.ts.
import { Clock, Config, Context, Effect, type FileSystem, Layer, Metric, Option, Redacted, Stream } from "effect"
import { firstOf } from "../http/HeaderValues.ts"
import { statusClass } from "../http/StatusClass.ts"
import { kubeRequests, kubeRequestSeconds } from "../telemetry/Metrics.ts"
import type { Access, Credentials } from "./Access.ts"
import { failureOf, makeWarner, objectOf } from "./Answer.ts"
import { makeExchange } from "./Exchange.ts"
import { type Frame, makeFramer } from "./frames/Frames.ts"
import { frameStream } from "./frames/FrameStream.ts"
import { inCluster } from "./InCluster.ts"
import { fromKubeconfig } from "./KubeconfigAccess.ts"
import { fromTransport, isReason, type KubeError, protocolError } from "./KubeError.ts"
import { type KubeRequest, operationOf } from "./KubeRequest.ts"
import { mayRepeat, retryPolicy } from "./RequestRetries.ts"

export type { KubeRequest } from "./KubeRequest.ts"

export class KubeClient extends Context.Service<KubeClient, {
  readonly server: string
  /**
   * The parsed answer, undefined where it is empty; the bytes of the object, without what they are wrapped into, where Protocol
   * Buffers were asked for and are what is answered. A 401 reads the credentials again, once. What is certain not to have
   * been done is tried again for some seconds: reads, and changes that were never sent or were refused for overload.
   */
  readonly request: (request: KubeRequest) => Effect.Effect<unknown, KubeError>
  /**
   * The events of a watch as they come, some at a time; ends when the server ends it. Tried once. They are lines of JSON unless
   * Protocol Buffers are asked for and are what is answered.
   */
  readonly frames: (request: KubeRequest) => Stream.Stream<ReadonlyArray<Frame>, KubeError>
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

/** An object is at most 1.5 MB in etcd; JSON and managedFields make it larger, but not five times. */
const longestFrame = 8 * 1024 * 1024

const make = Effect.fnUntraced(function*(credentials: Credentials) {
  const send = yield* makeExchange(credentials)
  const warn = makeWarner()

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
        yield* warn(response)
        if (response.statusCode >= 300) return yield* yield* failureOf(request, response)
        const object = yield* objectOf(request, response)
        yield* count(response.statusCode)
        return object
      }).pipe(Effect.tapError((error) => count(error.status)))
    })

  const authenticated = Effect.fnUntraced(function*<A>(run: (access: Access) => Effect.Effect<A, KubeError>) {
    const access = yield* credentials.access
    return yield* run(access).pipe(Effect.catchIf(
      isReason("Unauthorized"),
      () => Effect.andThen(credentials.reload(access), Effect.flatMap(credentials.access, run))
    ))
  })

  const open = (request: KubeRequest) =>
    Effect.fnUntraced(function*(access: Access) {
      const response = yield* send(request, "watch", access)
      yield* warn(response)
      if (response.statusCode >= 300) return yield* yield* failureOf(request, response)
      return response
    })

  return KubeClient.of({
    server: credentials.server,
    request: (request) =>
      authenticated(attempt(request)).pipe(
        Effect.retry({ schedule: retryPolicy, while: mayRepeat(request) })
      ),
    frames: (request) =>
      Stream.unwrap(Effect.map(authenticated(open(request)), (response) => {
        const operation = operationOf(request)
        const framer = makeFramer(firstOf(response.headers["content-type"]), longestFrame)
        return frameStream(response.body, framer, {
          broken: (cause) => fromTransport(operation, false, cause),
          tooLong: () => protocolError(operation, "an event of the answer has more than 8 MiB")
        })
      }))
  })
})
