// An API server with one Lease, in memory: resourceVersions, conflicts, and a network of its own for every client.
import { Effect, Layer, Stream } from "effect"
import { KubeClient, type KubeRequest } from "../../../src/kube/KubeClient.ts"
import { fromStatus, fromTransport, type KubeError } from "../../../src/kube/KubeError.ts"
import { operationOf } from "../../../src/kube/KubeRequest.ts"
import { failure } from "../FakeApi.ts"

/**
 * `slow`: answers after a second; `silent`: never; `cut`: the connection breaks before the server has it, `deaf`: after;
 * `lying`: 200, with another holder; `garbage`: 200, and no Lease; `forbidden`: no rights; `absent`: no such API.
 */
export type Network =
  | "fair"
  | "slow"
  | "silent"
  | "cut"
  | "deaf"
  | "refused"
  | "lying"
  | "garbage"
  | "forbidden"
  | "absent"

interface Spec {
  readonly holderIdentity: string
  readonly leaseDurationSeconds: number
  readonly acquireTime: string
  readonly renewTime: string
  readonly leaseTransitions: number
}
interface Stored {
  readonly metadata: Readonly<Record<string, unknown>>
  readonly spec: Spec
}

const collection = "/apis/coordination.k8s.io/v1/namespaces/ns/leases"

export class LeaseServer {
  stored: Stored | undefined
  version = 10
  /** Who the holder became, in order. */
  readonly holders: Array<string> = []

  answer(request: KubeRequest): Effect.Effect<unknown, KubeError> {
    const fail = (status: number, reason: string) =>
      Effect.fail(fromStatus({
        operation: operationOf(request),
        mutation: request.method !== "GET",
        status,
        body: failure(status, reason, reason),
        retryAfter: undefined
      }))
    if (request.path !== (request.method === "POST" ? collection : `${collection}/lease`)) return fail(404, "NotFound")
    if (request.method === "GET") {
      return this.stored === undefined ? fail(404, "NotFound") : Effect.succeed(this.stored)
    }
    // the body is what Election.ts made, and the real API server sees to its form elsewhere
    const body = request.body as Stored
    if (request.method === "POST" && this.stored !== undefined) return fail(409, "AlreadyExists")
    if (request.method === "PUT" && this.stored === undefined) return fail(404, "NotFound")
    if (request.method === "PUT" && body.metadata["resourceVersion"] !== this.stored?.metadata["resourceVersion"]) {
      return fail(409, "Conflict")
    }
    if (this.stored?.spec.holderIdentity !== body.spec.holderIdentity) this.holders.push(body.spec.holderIdentity)
    this.stored = { ...body, metadata: { ...body.metadata, resourceVersion: String(++this.version) } }
    return Effect.succeed(this.stored)
  }

  /** Somebody writes a record by hand. */
  edit(spec: Partial<Spec>) {
    if (this.stored === undefined) return
    this.stored = {
      ...this.stored,
      metadata: { ...this.stored.metadata, resourceVersion: String(++this.version) },
      spec: { ...this.stored.spec, ...spec }
    }
  }

  /** A client with a network that can be changed. */
  client() {
    const link: { network: Network; readonly requests: Array<KubeRequest> } = { network: "fair", requests: [] }
    const request = (it: KubeRequest): Effect.Effect<unknown, KubeError> =>
      Effect.suspend(() => {
        link.requests.push(it)
        const broken = (code: string) =>
          Effect.fail(
            fromTransport(operationOf(it), it.method !== "GET", Object.assign(new Error("broken"), { code }))
          )
        const refused = (status: number) =>
          Effect.fail(fromStatus({
            operation: operationOf(it),
            mutation: it.method !== "GET",
            status,
            body: failure(status, "Failure", `no ${status}`),
            retryAfter: undefined
          }))
        switch (link.network) {
          case "fair":
            return this.answer(it)
          case "slow":
            return Effect.delay(Effect.suspend(() => this.answer(it)), "1 second")
          case "silent":
            return Effect.never
          case "cut":
            return broken("ECONNRESET")
          case "refused":
            return broken("ECONNREFUSED")
          case "deaf":
            return Effect.andThen(this.answer(it), broken("ECONNRESET"))
          case "lying":
            return Effect.map(this.answer(it), (answer) => {
              const { metadata, spec } = answer as Stored // what `answer` makes
              return { kind: "Lease", metadata, spec: { ...spec, holderIdentity: "liar" } }
            })
          case "garbage":
            return Effect.succeed({ hello: "world" })
          case "forbidden":
            return refused(403)
          case "absent":
            return refused(404)
        }
      })
    return {
      link,
      layer: Layer.succeed(KubeClient, KubeClient.of({ server: "http://test", request, frames: () => Stream.never }))
    }
  }
}
