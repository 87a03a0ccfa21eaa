// An API server that has one Secret, in memory: guarded by its resourceVersion, and ill in every way that is asked for.
import { Effect, Layer, Stream } from "effect"
import { KubeClient, type KubeRequest } from "../../../src/kube/KubeClient.ts"
import { fromStatus, fromTransport, type KubeError } from "../../../src/kube/KubeError.ts"

interface Stored {
  readonly metadata: Readonly<Record<string, unknown>>
  readonly data: Readonly<Record<string, string>>
}

/** Instead of an answer; before anything is done. */
export type Illness = (request: KubeRequest) => Effect.Effect<unknown, KubeError> | undefined

export const refused = (status: number, text = "no") => ({ method, path }: KubeRequest) =>
  Effect.fail(fromStatus({
    operation: `${method} ${path}`,
    mutation: method !== "GET",
    status,
    body: { message: text },
    retryAfter: undefined
  }))

export const cut = ({ method, path }: KubeRequest) =>
  Effect.fail(fromTransport(`${method} ${path}`, method !== "GET", new Error("socket hang up")))

export const fakeSecret = () => {
  let version = 0
  let stored: Stored | undefined
  let illness: Illness = () => undefined
  let afterwards: Illness = () => undefined
  const requests: Array<KubeRequest> = []

  const answer = (request: KubeRequest): Effect.Effect<unknown, KubeError> =>
    Effect.suspend(() => {
      // a body as it comes over the wire
      const body: Stored | undefined = request.body === undefined ? undefined : JSON.parse(JSON.stringify(request.body))
      if (body === undefined) return stored === undefined ? refused(404)(request) : Effect.succeed(stored)
      if (request.method === "POST" && stored !== undefined) return refused(409)(request)
      if (request.method === "PUT") {
        if (stored === undefined) return refused(404)(request)
        if (body.metadata["resourceVersion"] !== stored.metadata["resourceVersion"]) return refused(409)(request)
      }
      stored = { ...body, metadata: { ...body.metadata, resourceVersion: String(++version) } }
      return Effect.succeed(stored)
    })

  const layer = Layer.succeed(KubeClient, {
    server: "https://fake.invalid",
    request: (request) =>
      Effect.suspend(() => {
        requests.push(request)
        return illness(request) ?? Effect.flatMap(answer(request), (it) => afterwards(request) ?? Effect.succeed(it))
      }),
    frames: () => Stream.empty
  })

  return {
    layer,
    requests,
    stored: () => stored,
    changes: () => requests.filter((it) => it.method !== "GET"),
    /** Somebody else writes it. */
    put: (data: Readonly<Record<string, string>>, metadata: Readonly<Record<string, unknown>> = {}) => {
      stored = { metadata: { ...metadata, resourceVersion: String(++version) }, data }
    },
    remove: () => {
      stored = undefined
    },
    /** Before it is done, and after it: the answer is lost then. */
    fallIll: (before: Illness, after: Illness = () => undefined) => {
      illness = before
      afterwards = after
    },
    recover: () => {
      illness = () => undefined
      afterwards = () => undefined
    }
  }
}
