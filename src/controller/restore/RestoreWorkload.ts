// RestoreWorkload: puts the originals of one workload back for good, for a command that looks and goes: look, wait until it may be
// touched, ask what it goes back to, patch, and wait until its pods are back. The first whose pods do not come back stops all
// that have not begun. Edge: whose originals, when, and what is back are Restore's rules.
import { Clock, Effect, Result } from "effect"
import type { Backup } from "../../image/BackupName.ts"
import { KubeClient } from "../../kube/KubeClient.ts"
import type { KubeError } from "../../kube/KubeError.ts"
import { Rewriter } from "../../rewrite/Rewriter.ts"
import type { Workloads } from "../../store/WorkloadStore.ts"
import { restorePatch } from "../../workload/Patch.ts"
import { gateOf, type Sight, toRestore } from "../../workload/Restore.ts"
import { restoreMarks } from "../../workload/RestoredMark.ts"
import { isNamed, type Scope } from "../../workload/Scope.ts"
import type { Workload } from "../../workload/Workload.ts"
import { type Change, interval, left, make as makeAwaitReturn, type Outcome } from "./AwaitReturn.ts"
import * as CopyInBackup from "./CopyInBackup.ts"
import { make as makeTargets } from "../workloads/PutBackTargets.ts"
import { sightOf } from "../Snapshot.ts"

/** How long one that rolls out already is waited for, in milliseconds: others wait behind it. */
const gatePatience = 2 * 60 * 1000
/** How often a patch is made anew that came too late, or that the API server could not take. */
const mostTries = 5
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

const changesOf = ({ workload }: Sight, targets: ReadonlyMap<string, string>): ReadonlyArray<Change> =>
  workload.images.flatMap(({ container, image }) => {
    const to = targets.get(container)
    return to === undefined ? [] : [{ container, from: image, to }]
  })

/** Makes the function that looks at one workload; undefined: it is gone. */
const makeSight = Effect.fnUntraced(function*(store: Workloads) {
  const client = yield* KubeClient
  return (workload: Workload) =>
    sightOf(workload).pipe(
      Effect.provideService(KubeClient, client),
      Effect.map((it): Sight | undefined => it && { ...it, nodeReady: (name) => store.nodeReady(name) })
    )
})

/** What is to be done with a workload as it is now; undefined: it is gone. */
const wishFor = ({ scope, store, target }: Options, it: Sight | undefined) =>
  it && toRestore({
    workload: it.workload,
    pods: it.pods,
    backup: target,
    namespace: store.namespace(it.workload.namespace),
    owners: store.ownersOf(it.workload),
    named: isNamed(scope, it.workload.key)
  })

/** Makes the function that restores one workload; it never fails: what goes wrong is what becomes of the workload. */
export const make = Effect.fnUntraced(function*(options: Options) {
  const { dry, patched, store, target } = options
  const rewriter = yield* Rewriter
  const targetsOf = yield* makeTargets({ target, copyOf: yield* CopyInBackup.make })
  let stopped: string | undefined

  const sight = yield* makeSight(store)
  const awaitReturn = yield* makeAwaitReturn(sight)
  /** The first whose pods do not come back stops all others. */
  const wait = (...of: Parameters<typeof awaitReturn>) =>
    Effect.tap(awaitReturn(...of), (outcome) =>
      Effect.sync(() => {
        if (outcome._tag === "Left" && outcome.reason === "stuck") stopped ??= outcome.key
      }))

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
      return yield* wait(it.workload, changes, waits)
    },
    // whether it was done or not shows at the next look
    Effect.catchIf(
      (error: KubeError) => error.retryable,
      (error) => Effect.as(Effect.logWarning(error.message), undefined)
    )
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
      const wish = wishFor(options, it)
      if (it === undefined || wish === undefined || wish._tag === "Nothing") {
        return { _tag: "Nothing", key }
      }
      if (wish._tag === "Left") {
        return left(key, wish.reason, wish.detail)
      }
      if (wish._tag === "UnderWay") {
        return dry ? { _tag: "Planned", key, changes: [] } : yield* wait(it.workload, [], true)
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
