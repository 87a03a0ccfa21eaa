// Rewriter: the only writer. Sends the patch of a rewrite and says what became of it; it never retries, nor does its client: a
// lost precondition means that the object has changed, and the next look at it decides anew. The second patch, which gives up
// what the first made ours, decides nothing, and is tried three times. Errors told apart as the API server means them: 404, 409
// and 422.
import { Context, Effect, Layer, Metric } from "effect"
import { isLost, type KubeError } from "../kube/KubeError.ts"
import { KubeClient } from "../kube/KubeClient.ts"
import { jsonPatch } from "../kube/KubeRequest.ts"
import { Leadership } from "../kube/lease/Leadership.ts"
import { rewrites } from "../telemetry/Metrics.ts"
import { RecentChanges } from "../telemetry/RecentChanges.ts"
import { kindOfObject, objectPath } from "../workload/Kinds.ts"
import { fieldManager } from "../workload/Marks.ts"
import { disownPatch } from "../workload/Ownership.ts"
import type { Operation } from "../workload/Patch.ts"
import { projectObject } from "../workload/ProjectExtra.ts"
import type { Workload } from "../workload/Workload.ts"

export type Outcome =
  /** Done; the object as the server answered it. */
  | { readonly _tag: "Applied"; readonly after: Workload | undefined }
  /** The object is not what it was: look again. */
  | { readonly _tag: "Changed" }
  | { readonly _tag: "Gone" }

/** What became of giving up an object's images. */
export type Disowned =
  /** Our field manager holds the originals annotation and no more. */
  | "done"
  /** Others wrote to the object each time between our look and our patch. */
  | "changed"
  /** The patch was taken, and the entry is as before: something between us and the store puts it back. */
  | "kept"

const count = (result: Parameters<typeof rewrites>[0]["result"]) => Metric.update(rewrites({ result }), 1)

const changeOf = { rewritten: "rewritten", restored: "put back" } as const

/** A refusal that only says that the world has moved on; all others stay errors. */
const recover = (error: KubeError): Effect.Effect<Outcome, KubeError> => {
  if (error.reason === "NotFound") return Effect.as(count("gone"), { _tag: "Gone" })
  if (isLost(error)) return Effect.as(count("precondition-lost"), { _tag: "Changed" })
  return Effect.andThen(count(error.reason === "Denied" ? "denied" : "failed"), Effect.fail(error))
}

// whatever keeps it from being made, settings may say no by the time that it could be
const patchOf = (path: string, operations: ReadonlyArray<Operation>) => jsonPatch(path, fieldManager, operations)

/** How often images are given up in vain, each time of the object as it is then, before it is left to the next look. */
const disownTries = 3

const disownOnce = Effect.fnUntraced(
  function*(client: KubeClient["Service"], mayWrite: Effect.Effect<boolean>, workload: Workload) {
    const kind = kindOfObject(workload)
    const path = objectPath(kind, workload.namespace, workload.name)
    const operations = disownPatch(kind, yield* client.request({ method: "GET", path, once: true }))
    // another replica leads by now: what is left is its own
    if (operations.length === 0 || !(yield* mayWrite)) return "done"
    const after = yield* client.request(patchOf(path, operations))
    if (disownPatch(kind, after).length > 0) return "kept"
    yield* count("disowned")
    return "done"
  },
  Effect.catchTag("KubeError", (error): Effect.Effect<Disowned, KubeError> => {
    if (error.reason === "NotFound") return Effect.succeed("done")
    return isLost(error) ? Effect.succeed("changed") : Effect.fail(error)
  })
)

export class Rewriter extends Context.Service<Rewriter, {
  /** Applies a patch of rewriting, of putting originals back, or of a mark alone. */
  readonly apply: (
    workload: Workload,
    operations: ReadonlyArray<Operation>,
    purpose: "rewritten" | "restored" | "marked"
  ) => Effect.Effect<Outcome, KubeError>
  /** Gives up the ownership of every image of the object as it is in the cluster now; no rollout comes of it. */
  readonly disown: (workload: Workload) => Effect.Effect<Disowned, KubeError>
}>()("image-cloner/rewrite/Rewriter") {
  static readonly layer = Layer.effect(
    Rewriter,
    Effect.gen(function*() {
      const client = yield* KubeClient
      const { mayWrite } = yield* Leadership
      const changes = yield* RecentChanges
      return Rewriter.of({
        apply: Effect.fn("Rewriter.apply")(function*(workload, operations, purpose) {
          const kind = kindOfObject(workload)
          // nothing is between this and the request: a process that slept since it decided must not write
          if (!(yield* mayWrite)) return { _tag: "Changed" }
          return yield* client.request(patchOf(objectPath(kind, workload.namespace, workload.name), operations)).pipe(
            Effect.tap(() => count(purpose)),
            Effect.tap(() => purpose === "marked" ? Effect.void : changes.note(changeOf[purpose], workload.key)),
            Effect.map((object): Outcome => ({ _tag: "Applied", after: projectObject(kind)(object) })),
            Effect.catchTag("KubeError", recover)
          )
        }),
        disown: Effect.fn("Rewriter.disown")((workload) =>
          disownOnce(client, mayWrite, workload).pipe(
            Effect.repeat({ times: disownTries - 1, until: (it) => it !== "changed" }),
            Effect.tap((it) => it === "kept" ? count("disown-failed") : Effect.void),
            Effect.tapError(() => count("disown-failed"))
          )
        )
      })
    })
  )
}
