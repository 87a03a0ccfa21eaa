// AwaitReturn: what becomes of one workload whose originals were put back: looked at until its pods are back, or it is plain that they
// do not come. Edge: when that is are Restore's rules; what is put back is RestoreWorkload's.
import { Clock, Duration, Effect, Result } from "effect"
import type { KubeError } from "../../kube/KubeError.ts"
import { Rewriter } from "../../rewrite/Rewriter.ts"
import { uptime } from "../../telemetry/Uptime.ts"
import { patchOf } from "../../workload/OurRollout.ts"
import { type LeftReason, returnOf, type Sight } from "../../workload/Restore.ts"
import { isObserved } from "../../workload/Rollout.ts"
import type { Workload } from "../../workload/Workload.ts"
import { stuckPod } from "../Remedies.ts"
import { RolloutsSeen } from "../RolloutsSeen.ts"

/** How often a workload is looked at that is waited for. */
export const interval = Duration.seconds(2)
/** How many looks long a controller may take to see a patch, until the images are given up all the same. */
const looksUntilSeen = 5

export interface Change {
  readonly container: string
  readonly from: string
  readonly to: string
}

export type Outcome =
  /** There is nothing to do any more: somebody else has done it, or it is gone. */
  | { readonly _tag: "Nothing"; readonly key: string }
  | { readonly _tag: "Planned"; readonly key: string; readonly changes: ReadonlyArray<Change> }
  | { readonly _tag: "Restored"; readonly key: string; readonly changes: ReadonlyArray<Change> }
  | { readonly _tag: "Left"; readonly key: string; readonly reason: LeftReason; readonly detail: string }

export const left = (key: string, reason: LeftReason, detail: string): Outcome => ({
  _tag: "Left",
  key,
  reason,
  detail
})

/** Gives up what the patch made ours; what fails undoes nothing, and is done when the command is run again. */
export const disown = Effect.fnUntraced(function*(workload: Workload) {
  const rewriter = yield* Rewriter
  const owned = yield* Effect.result(rewriter.disown(workload))
  if (Result.isSuccess(owned) && owned.success === "done") return
  const why = Result.isFailure(owned) ? owned.failure.message : "others write to it, or a webhook puts it back"
  yield* Effect.logWarning(
    `${workload.key}: its images still count as changed by image-cloner, so a server-side apply of its manifest (kubectl `
      + `--server-side, Helm 4) fails with a conflict: ${why}; run the command again to give them up`
  )
})

/**
 * Makes the function that waits until the pods are back, or, where nobody waits for them, until the controller has seen the patch.
 * While the API server does not answer, nothing is concluded.
 * @param sight looks at a workload; undefined: it is gone
 */
export const make = Effect.fnUntraced(
  function*(sight: (workload: Workload) => Effect.Effect<Sight | undefined, KubeError>) {
    const rewriter = yield* Rewriter
    const seen = new RolloutsSeen()
    const giveUp = (workload: Workload) => Effect.provideService(disown(workload), Rewriter, rewriter)

    return Effect.fnUntraced(
      function*(of: Workload, changes: ReadonlyArray<Change>, waits: boolean): Effect.fn.Return<Outcome> {
        const { key } = of
        const began = yield* Clock.currentTimeMillis
        let owned = true
        for (let looks = 1;; looks++) {
          const it = yield* Effect.result(sight(of))
          const now = yield* Clock.currentTimeMillis
          if (Result.isFailure(it)) {
            // what it may not see any more it could wait for for ever
            if (!it.failure.retryable) return left(key, "unseen", it.failure.message)
            yield* Effect.logWarning(`${key} cannot be looked at: ${it.failure.message}`)
          } else {
            if (it.success === undefined) return { _tag: "Nothing", key }
            const { newestPods, pods, workload } = it.success
            // a Deployment's controller that loses its first word of a rollout to another write never says that it has begun
            if (owned && (workload.rollout === undefined || isObserved(workload) || looks >= looksUntilSeen)) {
              if (workload.ownsImages) yield* giveUp(workload)
              owned = false
            }
            if (!waits && !owned) return { _tag: "Restored", key, changes }
            const times = seen.note(workload, patchOf(workload), pods, newestPods, { now, uptime: yield* uptime })
            const back = waits ? returnOf(it.success, { ...times, began, now }) : undefined
            if (back?._tag === "Back") return { _tag: "Restored", key, changes }
            if (back?._tag === "Stuck") return left(key, "stuck", `${back.detail}${stuckPod(workload, back.pod)}`)
          }
          yield* Effect.sleep(interval)
        }
      }
    )
  }
)
