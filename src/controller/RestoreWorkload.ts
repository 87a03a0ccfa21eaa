// RestoreWorkload: puts the originals of one workload back for good, for a command that looks and goes: look, wait until it may be
// touched, ask what it goes back to, patch, and wait until its pods are back. The first whose pods do not come back stops all
// that have not begun. Edge: whose originals, when, and what is back are Restore's rules.
import { Clock, Duration, Effect, Result } from "effect"
import { uptime } from "../telemetry/Uptime.ts"
import type { Backup } from "../image/BackupName.ts"
import { KubeClient } from "../kube/KubeClient.ts"
import type { KubeError } from "../kube/KubeError.ts"
import { Rewriter } from "../rewrite/Rewriter.ts"
import type { Workloads } from "../store/WorkloadStore.ts"
import { patchOf } from "../workload/OurRollout.ts"
import { restorePatch } from "../workload/Patch.ts"
import { gateOf, type LeftReason, returnOf, type Sight, toRestore } from "../workload/Restore.ts"
import { restoreMarks } from "../workload/RestoredMark.ts"
import { isObserved } from "../workload/Rollout.ts"
import { isNamed, type Scope } from "../workload/Scope.ts"
import type { Workload } from "../workload/Workload.ts"
import * as CopyInBackup from "./CopyInBackup.ts"
import { make as makeTargets } from "./PutBackTargets.ts"
import { stuckPod } from "./Remedies.ts"
import { RolloutsSeen } from "./RolloutsSeen.ts"
import { sightOf } from "./Snapshot.ts"

/** How often a workload is looked at that is waited for. */
const interval = Duration.seconds(2)
/** How long one that rolls out already is waited for, in milliseconds: others wait behind it. */
const gatePatience = 2 * 60 * 1000
/** How often a patch is made anew that came too late, or that the API server could not take. */
const mostTries = 5
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

interface Options {
  readonly target: Backup
  readonly scope: Scope
  /** Looks as far as it goes, and changes nothing. */
  readonly dry: boolean
  /** What was listed when the command began: namespaces, nodes and owners. */
  readonly store: Workloads
  /** Told when a workload was patched, before it is waited for. */
  readonly patched: (key: string, changes: ReadonlyArray<Change>) => Effect.Effect<void>
}

const left = (key: string, reason: LeftReason, detail: string): Outcome => ({ _tag: "Left", key, reason, detail })

const changesOf = ({ workload }: Sight, targets: ReadonlyMap<string, string>): ReadonlyArray<Change> =>
  workload.images.flatMap(({ container, image }) => {
    const to = targets.get(container)
    return to === undefined ? [] : [{ container, from: image, to }]
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

/** Makes the function that restores one workload; it never fails: what goes wrong is what becomes of the workload. */
export const make = ({ dry, patched, scope, store, target }: Options) =>
  Effect.gen(function*() {
    const rewriter = yield* Rewriter
    const client = yield* KubeClient
    const targetsOf = yield* makeTargets({ target, copyOf: yield* CopyInBackup.make })
    const seen = new RolloutsSeen()
    let stopped: string | undefined

    const sight = (workload: Workload) =>
      sightOf(workload).pipe(
        Effect.provideService(KubeClient, client),
        Effect.map((it): Sight | undefined => it && { ...it, nodeReady: (name) => store.nodeReady(name) })
      )

    const wishFor = ({ pods, workload }: Sight) =>
      toRestore({
        workload,
        pods,
        backup: target,
        namespace: store.namespace(workload.namespace),
        owners: store.ownersOf(workload),
        named: isNamed(scope, workload.key)
      })

    const giveUp = (workload: Workload) => Effect.provideService(disown(workload), Rewriter, rewriter)

    /**
     * Polls until the pods are back, or, where nobody waits for them, until the controller has seen the patch. While the API
     * server does not answer, nothing is concluded.
     */
    const awaitReturn = Effect.fnUntraced(
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
            if (back?._tag === "Stuck") {
              stopped ??= key
              return left(key, "stuck", `${back.detail}${stuckPod(workload, back.pod)}`)
            }
          }
          yield* Effect.sleep(interval)
        }
      }
    )

    /** One try, with a workload as it is at this moment; undefined: it has to be looked at again. */
    const attempt = Effect.fnUntraced(
      function*(it: Sight, waits: boolean): Effect.fn.Return<Outcome | undefined, KubeError> {
        const { key } = it.workload
        const targets = yield* targetsOf(it)
        if (Result.isFailure(targets)) return left(key, "not-at-source", targets.failure)
        const changes = changesOf(it, targets.success)
        if (dry) return { _tag: "Planned", key, changes }
        if (stopped !== undefined) return left(key, "stopped", `${stopped} did not come up`)
        const patch = restorePatch(it.workload, target, targets.success, restoreMarks(it.workload))
        // whoever stops the command in the middle is told what has been patched
        const outcome = yield* rewriter.apply(it.workload, patch, "restored").pipe(
          Effect.tap(({ _tag }) => _tag === "Applied" ? patched(key, changes) : Effect.void),
          Effect.uninterruptible
        )
        if (outcome._tag === "Gone") return { _tag: "Nothing", key }
        if (outcome._tag === "Changed") return undefined
        return yield* awaitReturn(it.workload, changes, waits)
      },
      // whether it was done or not shows at the next look
      Effect.catchIf((error: KubeError) => error.retryable, (error) =>
        Effect.as(Effect.logWarning(error.message), undefined))
    )

    const restore = Effect.fnUntraced(function*(of: Workload): Effect.fn.Return<Outcome, KubeError> {
      const { key } = of
      const began = yield* Clock.currentTimeMillis
      let tries = 0
      for (;;) {
        if (stopped !== undefined) {
          return left(key, "stopped", `${stopped} did not come up`)
        }
        const it = yield* sight(of)
        const wish = it === undefined ? undefined : wishFor(it)
        if (it === undefined || wish === undefined || wish._tag === "Nothing") {
          return { _tag: "Nothing", key }
        }
        if (wish._tag === "Left") {
          return left(key, wish.reason, wish.detail)
        }
        if (wish._tag === "UnderWay") {
          return dry ? { _tag: "Planned", key, changes: [] } : yield* awaitReturn(it.workload, [], true)
        }
        const now = yield* Clock.currentTimeMillis
        const gate = gateOf(it, target, now)
        if (gate._tag === "Go") {
          const outcome = yield* attempt(it, gate.waits)
          if (outcome !== undefined) {
            return outcome
          }
          if (++tries >= mostTries) {
            return left(key, "changed", `it could not be patched ${mostTries} times`)
          }
        } else if (gate.reason === "unhealthy" || dry || now - began >= gatePatience) {
          return left(key, gate.reason, gate.detail)
        }
        yield* Effect.sleep(interval)
      }
    })

    return (workload: Workload): Effect.Effect<Outcome> =>
      restore(workload).pipe(
        Effect.catchTag("KubeError", (error) =>
          Effect.succeed(
            left(workload.key, error.operation.startsWith("GET") ? "unseen" : "refused", error.message)
          )),
        Effect.annotateLogs({ workload: workload.key })
      )
  })
