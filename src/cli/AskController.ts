// AskController: asks the controller's own endpoint, through the API server's service proxy with the rights of whoever asks, or at an
// address that was given. Edge: what is done where that fails is explain's; here it is told why, and which right is missing.
import { Data, Effect, Schema } from "effect"
import { KubeClient } from "../kube/KubeClient.ts"
import type { KubeError } from "../kube/KubeError.ts"
import type { Asked } from "../web/Asked.ts"
import { ClusterStatus } from "../web/ClusterStatus.ts"
import { Answer, bounded } from "../web/Explanation.ts"

/** As manifests/base/service.yaml has it: the name of the Service and of its port. */
const service = "image-cloner-controller:http"

/** The controller could not be asked. Whoever asks goes on with what can be seen without it. */
export class Unasked extends Data.TaggedError("Unasked")<{ readonly detail: string }> {
  override get message() {
    return `the controller could not be asked: ${this.detail}`
  }
}

/** Where the endpoint is. */
export type Way =
  | { readonly _tag: "Proxy"; readonly namespace: string }
  /** The client's server is the controller itself. */
  | { readonly _tag: "Direct"; readonly url: string }

const pathOf = (way: Way, path: string): string =>
  way._tag === "Direct"
    ? path
    : `/api/v1/namespaces/${encodeURIComponent(way.namespace)}/services/${service}/proxy${path}`

const here = (way: Way): string => way._tag === "Direct" ? way.url : `Service ${way.namespace}/${service}`

/** A controller says why in a `message`, as an API server does; one without this endpoint says nothing. */
const isSilent = ({ detail, reason }: KubeError): boolean => detail === reason

/** What went wrong, as far as whoever asks can do something about it. */
const whyNot = (error: KubeError, way: Way): string => {
  switch (error.reason) {
    case "Forbidden":
      return way._tag === "Direct"
        ? `${here(way)} does not allow it`
        : `the right to get services/proxy of ${service} in namespace ${way.namespace} is missing `
          + "(docs/operations.md#explain has a Role)"
    case "NotFound":
      return isSilent(error)
        ? `what answers at ${here(way)} does not know the question: it is no controller, or an older one`
        : `${error.detail}; --controller-namespace names where it is`
    case "Unavailable":
      return `it does not answer at ${here(way)}: ${error.detail}`
    case "Unreachable":
      return `nothing answers at ${way._tag === "Direct" ? way.url : "the API server"}: ${error.detail}`
    case "Protocol":
      return `what answers at ${here(way)} is no controller: ${error.detail}`
    default:
      return error.reason === "Credentials" ? error.detail : `${error.reason}, ${error.detail}`
  }
}

interface Question<A> {
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly decode: (json: unknown) => Effect.Effect<A, Schema.SchemaError>
}

const once = Effect.fnUntraced(function*<A>(
  { decode, path, query }: Question<A>,
  way: Way
): Effect.fn.Return<A, Unasked, KubeClient> {
  const client = yield* KubeClient
  const json = yield* client.request({
    method: "GET",
    path: pathOf(way, path),
    ...(query === undefined ? {} : { query }),
    // whoever waits at a terminal is told at once
    once: true
  }).pipe(
    Effect.mapError((error) => new Unasked({ detail: bounded(whyNot(error, way)) })),
    Effect.timeoutOrElse({
      duration: "10 seconds",
      orElse: () => new Unasked({ detail: `no answer from ${here(way)} within ten seconds` })
    })
  )
  return yield* decode(json).pipe(
    Effect.mapError(() =>
      new Unasked({ detail: `the answer of ${here(way)} is not understood: it is another version, or no controller` })
    )
  )
})

/** Of two replicas the one that follows knows neither turns nor next times; the proxy takes any of them. */
const follows = (answer: Answer): boolean => answer._tag === "Workload" && answer.reason === "following"
const tries = 4

/** What the controller answers; of several replicas the one that leads, if it can be met. */
export const askController = Effect.fnUntraced(function*(asked: Asked, way: Way) {
  const question = {
    path: "/api/explain",
    query: { [asked.about]: asked.name },
    decode: Schema.decodeUnknownEffect(Answer)
  }
  let answer = yield* once(question, way)
  for (let time = 1; time < tries && way._tag === "Proxy" && follows(answer); time++) {
    answer = yield* once(question, way)
  }
  return answer
})

/** How much is in the backup, as the controller has counted it. */
export const askStatus = (way: Way) =>
  once({ path: "/api/status", decode: Schema.decodeUnknownEffect(ClusterStatus) }, way)
