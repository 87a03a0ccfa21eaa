// ContestWorkload: what follows from a fight over one workload: the mark on it, so that a restart remembers, and a turn to be tried
// anew where its namespace has several fights. Edge: what a fight is, is Contest's; who fights is remembered in Contests.
import { Duration, Effect } from "effect"
import type { KubeError } from "../../kube/KubeError.ts"
import { Rewriter } from "../../rewrite/Rewriter.ts"
import { heldAnnotation, writeHeld } from "../../workload/HeldMark.ts"
import { markPatch } from "../../workload/Patch.ts"
import type { Verdict } from "../../workload/Verdict.ts"
import type { Contests } from "./Contests.ts"
import type { Decided } from "./DecideWorkload.ts"
import { WorkloadQueue } from "../Queues.ts"

/** Whoever can write the mark can write any time: however far it is, it is looked at again after a day. Milliseconds. */
const longestWait = 24 * 60 * 60 * 1000

export const make = Effect.fnUntraced(function*(contests: Contests) {
  const rewriter = yield* Rewriter
  const workloads = yield* WorkloadQueue

  const wakeAt = (key: string, at: number, now: number) =>
    workloads.offerAfter(key, Duration.millis(Math.min(at - now, longestWait)))

  /** Has the workload looked at again when its rest is over, and writes the mark where that is due. */
  const rest = Effect.fnUntraced(
    function*({ now, plan, remembered, settings, workload }: Decided): Effect.fn.Return<void, KubeError> {
      const { held, key } = workload
      for (const until of [held, remembered].map((it) => Date.parse(it?.until ?? ""))) {
        if (until > now) yield* wakeAt(key, until, now)
      }
      const mark = contests.unwritten(key)
      if (mark === undefined || !plan.patchable || !plan.touchable || settings.DRY_RUN) return
      const outcome = yield* rewriter.apply(
        workload,
        markPatch(workload, { [heldAnnotation]: writeHeld(mark) }),
        "marked"
      )
      if (outcome._tag === "Changed") {
        yield* workloads.offerFailed(key)
        return
      }
      contests.wasWritten(key, mark)
      yield* Effect.logWarning(
        `its rewrite is undone again and again, so it is left alone until ${mark.until}: ${mark.detail}; put the names of ` +
          `the copies where its images come from, or set image-cloner.io/rewrite: never on it`
      )
    }
  )

  /** Runs a rewrite when its turn has come; else it is held. */
  const inTurn = Effect.fnUntraced(
    function*<E>({ now, workload }: Decided, rewrite: Effect.Effect<Verdict, E>): Effect.fn.Return<Verdict, E> {
      const other = contests.take(workload, now)
      if (other === undefined) {
        return yield* Effect.ensuring(rewrite, Effect.sync(() => contests.leave(workload)))
      }
      yield* wakeAt(workload.key, other.until, now)
      const detail = `several workloads are fought over in its namespace, and ${other.key} is tried anew first`
      return { _tag: "Held", reason: "contested", detail }
    }
  )

  return { rest, inTurn }
})
