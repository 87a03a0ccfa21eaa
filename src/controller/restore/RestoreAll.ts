// Restore: undoes the rewrites of a scope, so many at a time as rollouts may be under way, and asks the cluster at the end what
// still refers to the backup. Keeps no state but the cluster: stopped at any moment and run again, it goes on. Edge: what becomes
// of one workload is RestoreWorkload's.
import { Effect } from "effect"
import type { Backup } from "../../image/BackupName.ts"
import { Rewriter } from "../../rewrite/Rewriter.ts"
import type { Workloads } from "../../store/WorkloadStore.ts"
import { kindOf } from "../../workload/Kinds.ts"
import { markPatch } from "../../workload/Patch.ts"
import { readRestored, restoredAnnotation, undoneMarks } from "../../workload/RestoredMark.ts"
import { isObserved } from "../../workload/Rollout.ts"
import { isInScope, type Scope } from "../../workload/Scope.ts"
import type { Workload } from "../../workload/Workload.ts"
import { type Change, disown, type Outcome } from "./AwaitReturn.ts"
import { type Remaining, remainsOf, wishOf } from "./Remains.ts"
import { make as makeRestore } from "./RestoreWorkload.ts"

interface Asked {
  readonly target: Backup
  readonly scope: Scope
}

interface Options<E, R> extends Asked {
  readonly dry: boolean
  /** How many may be on their way at once. */
  readonly limit: number
  /** The cluster as it is now; asked when the command begins, and when all is done. */
  readonly look: Effect.Effect<Workloads, E, R>
  /** Told of everything as it becomes so. */
  readonly say: (event: Event) => Effect.Effect<void>
}

export type Event =
  | { readonly _tag: "Begun"; readonly count: number }
  | { readonly _tag: "Patched"; readonly key: string; readonly changes: ReadonlyArray<Change> }
  | { readonly _tag: "Ended"; readonly outcome: Outcome }

type Left = Pick<Remaining, "key" | "reason" | "detail">

export interface Restored {
  readonly outcomes: ReadonlyArray<Outcome>
  /** What was asked for and is not done. */
  readonly left: ReadonlyArray<Left>
  /** What refers to the backup and cannot be helped by a patch. */
  readonly rest: ReadonlyArray<Left>
}

const byKey = (a: { readonly key: string }, b: { readonly key: string }): number => a.key.localeCompare(b.key)

/** Those whose originals are back and whose pods are not come first: they hold places. */
const candidatesOf = (store: Workloads, { scope, target }: Asked): ReadonlyArray<Workload> => {
  const inScope = store.all.filter((it) => isInScope(scope, it, store.ownersOf(it))).toSorted(byKey)
  const by = (tag: "UnderWay" | "Restore") => inScope.filter((it) => wishOf(store, it, target, scope)._tag === tag)
  return [...by("UnderWay"), ...by("Restore")]
}

const missingOf = (store: Workloads, { scope }: Asked): ReadonlyArray<Left> =>
  (scope._tag === "Named" ? [...scope.keys] : []).filter((it) => store.get(it) === undefined)
    .map((key) => ({ key, reason: "not-found" as const, detail: "there is no such workload" }))

/** Stopped between the two patches of a workload: what the first made ours is given up now. */
const disownAll = (store: Workloads, { scope }: Asked) =>
  Effect.forEach(
    store.all.filter((it) =>
      it.owner === undefined && it.ownsImages && readRestored(it.written[restoredAnnotation]) !== undefined &&
      (it.rollout === undefined || isObserved(it)) && isInScope(scope, it, store.ownersOf(it))
    ),
    disown,
    { discard: true }
  )

/** Restores everything of a scope that can be, and says what is left. */
export const restoreAll = Effect.fnUntraced(function*<E, R>(options: Options<E, R>) {
  const { dry, limit, look, say, scope, target } = options
  const store = yield* look
  const candidates = candidatesOf(store, options)
  yield* say({ _tag: "Begun", count: candidates.length })
  const restore = yield* makeRestore({
    target,
    scope,
    dry,
    store,
    patched: (key, changes) => say({ _tag: "Patched", key, changes })
  })
  if (!dry) yield* disownAll(store, options)
  const outcomes = yield* Effect.forEach(
    candidates,
    (it) => Effect.tap(restore(it), (outcome) => say({ _tag: "Ended", outcome })),
    { concurrency: limit }
  )
  const after = dry ? store : yield* look
  const planned = new Set(outcomes.flatMap((it) => it._tag === "Planned" ? [it.key] : []))
  const remains = remainsOf(after, target, scope).filter((it) => !planned.has(it.key))
  const left = new Map<string, Left>(
    [
      ...missingOf(after, options),
      ...remains.filter((it) => it.counts),
      // why it was left says more than that it is
      ...outcomes.filter((it) => it._tag === "Left")
    ].map(({ detail, key, reason }) => [key, { key, reason, detail }])
  )
  const restored: Restored = {
    outcomes,
    left: [...left.values()].toSorted(byKey),
    rest: remains.filter((it) => !it.counts)
  }
  return restored
})

/** Takes our own marks from everything of a scope; answers whose, and why where it could not. No pod is replaced by it. */
export const undoMarks = Effect.fnUntraced(function*<E, R>(options: Omit<Options<E, R>, "limit" | "say">) {
  const rewriter = yield* Rewriter
  const store = yield* options.look
  const marked = store.all.filter((it) =>
    // a Deployment's controller copies marks to its ReplicaSets
    it.owner === undefined && kindOf(it.kind).mutable && isInScope(options.scope, it, []) &&
    Object.keys(undoneMarks(it)).length > 0
  ).toSorted(byKey)
  const undone = yield* Effect.forEach(marked, (it) => {
    const undo = options.dry
      ? Effect.undefined
      : rewriter.apply(it, markPatch(it, undoneMarks(it)), "restored").pipe(
        Effect.map(({ _tag }) => _tag === "Changed" ? "others changed it at the same time: run it again" : undefined),
        Effect.catchTag("KubeError", (error) => Effect.succeed(error.message))
      )
    return Effect.map(undo, (problem) => ({ key: it.key, marks: Object.keys(undoneMarks(it)), problem }))
  })
  const gone = missingOf(store, options).map(({ detail, key }) => ({ key, marks: [], problem: detail }))
  return [...undone, ...gone]
})
