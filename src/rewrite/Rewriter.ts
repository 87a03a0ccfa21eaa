// Rewriter: sends one patch and says what became of it. It never retries: a lost precondition means that the object has
// changed, and the next look at it decides anew. Errors told apart as the API server means them: 404, 409 and 422.
import { Context, Effect, Layer, Metric } from "effect"
import type { KubeError } from "../kube/KubeError.ts"
import { KubeClient } from "../kube/KubeClient.ts"
import { rewrites } from "../telemetry/Metrics.ts"
import { kindOf, objectPath } from "../workload/Kinds.ts"
import { fieldManager } from "../workload/Marks.ts"
import type { Operation } from "../workload/Patch.ts"
import { projectTemplated } from "../workload/Project.ts"
import type { Workload } from "../workload/Workload.ts"

export type Outcome =
  /** Done; the object as the server answered it. */
  | { readonly _tag: "Applied"; readonly after: Workload | undefined }
  /** The object is not what it was: look again. */
  | { readonly _tag: "Changed" }
  | { readonly _tag: "Gone" }

const count = (result: Parameters<typeof rewrites>[0]["result"]) => Metric.update(rewrites({ result }), 1)

/** A refusal that only says that the world has moved on; all others stay errors. */
const recover = (error: KubeError): Effect.Effect<Outcome, KubeError> => {
  if (error.reason === "NotFound") return Effect.as(count("gone"), { _tag: "Gone" })
  // a failed `test` is a 422 without causes: apimachinery's NewGenericServerResponse drops the message
  const lost = error.reason === "Conflict" || (error.reason === "Invalid" && error.causes.length === 0)
  if (lost) return Effect.as(count("precondition-lost"), { _tag: "Changed" })
  return Effect.andThen(count(error.reason === "Denied" ? "denied" : "failed"), Effect.fail(error))
}

export class Rewriter extends Context.Service<Rewriter, {
  /** Applies a patch of rewriting, or of putting originals back. */
  readonly apply: (
    workload: Workload,
    operations: ReadonlyArray<Operation>,
    purpose: "rewritten" | "restored"
  ) => Effect.Effect<Outcome, KubeError>
}>()("image-cloner/rewrite/Rewriter") {
  static readonly layer = Layer.effect(
    Rewriter,
    Effect.gen(function*() {
      const client = yield* KubeClient
      return Rewriter.of({
        apply: Effect.fn("Rewriter.apply")((workload, operations, purpose) => {
          const kind = kindOf(workload.kind)
          return client.request({
            method: "PATCH",
            path: objectPath(kind, workload.namespace, workload.name),
            query: { fieldManager, fieldValidation: "Strict" },
            contentType: "application/json-patch+json",
            body: operations
          }).pipe(
            Effect.tap(() => count(purpose)),
            Effect.map((object): Outcome => ({ _tag: "Applied", after: projectTemplated(kind)(object) })),
            Effect.catchTag("KubeError", recover)
          )
        })
      })
    })
  )
}
