// LeaseRequests: a Lease read, made and replaced, each answered within five seconds or failed. Edge: what to write, and what a
// failure means for the election, is Election.ts.
import { Effect } from "effect"
import type { KubeClient, KubeRequest } from "../KubeClient.ts"
import { isReason, protocolError, timedOut } from "../KubeError.ts"
import { isMutation, operationOf } from "../KubeRequest.ts"
import type { Write } from "./Election.ts"
import { decode, type LeaseName } from "./LeaseRecord.ts"

/** Half of the deadline for a renewal, as client-go has it: a second request fits in. */
export const patience = "5 seconds"

/** They are on a connection of their own, and never tried again without a look at what they met. */
export const leaseRequests = (client: KubeClient["Service"], { name, namespace }: LeaseName) => {
  const collection = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`
  const path = `${collection}/${name}`

  const send = Effect.fnUntraced(function*(request: KubeRequest) {
    const operation = operationOf(request)
    const answer = yield* client.request({ ...request, purpose: "lease", once: true }).pipe(
      // the connection goes with the request: the next one does not wait for a dead one
      Effect.timeoutOrElse({
        duration: patience,
        orElse: () => Effect.fail(timedOut(operation, patience, isMutation(request)))
      })
    )
    return decode(answer) ?? (yield* protocolError(operation, "the answer is no Lease"))
  })

  return {
    /** Undefined: there is none. */
    read: send({ method: "GET", path }).pipe(
      Effect.catchIf(isReason("NotFound"), () => Effect.undefined)
    ),
    write: ({ body, method }: Write) => send({ method, path: method === "POST" ? collection : path, body })
  }
}

export type LeaseRequests = ReturnType<typeof leaseRequests>
