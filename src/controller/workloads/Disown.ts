// Disown: giving up what a rewrite made ours, after it and whenever a look finds it still ours: killed between the two patches,
// or rewritten by version 0.1. What fails here neither undoes nor delays a rewrite: it is said once for each workload and
// tried again at a later look.
import { Duration, Effect } from "effect"
import { uptime } from "../../telemetry/Uptime.ts"
import { unclaimed } from "../../queue/FairTurns.ts"
import { makeResizablePermits } from "../../queue/ResizablePermits.ts"
import type { KubeError } from "../../kube/KubeError.ts"
import { Rewriter } from "../../rewrite/Rewriter.ts"
import type { Workload } from "../../workload/Workload.ts"
import type { Decided } from "./DecideWorkload.ts"
import { WorkloadQueue } from "../Queues.ts"

/** After an upgrade from 0.1 every rewritten workload comes at once; a slow webhook of one namespace never has all four. */
const atOnce = 4

/** How long a workload rests: what somebody has to mend is tried less often. */
const rests = { refused: Duration.minutes(5), failed: Duration.seconds(30) }

interface Trouble {
  readonly detail: string
  readonly rest: Duration.Duration
}

const troubleOf = (error: KubeError): Trouble => {
  const rest = error.reason === "Denied" || error.reason === "Forbidden" ? rests.refused : rests.failed
  return { detail: error.message, rest: Duration.max(rest, error.retryAfter ?? Duration.zero) }
}

const kept: Trouble = {
  detail: "the API server took the patch and left metadata.managedFields as they were; does a webhook change them?",
  rest: rests.refused
}

export interface Disown {
  /** Gives up the images of a workload, as far as the settings allow patches. */
  readonly disown: (workload: Workload) => Effect.Effect<void>
  /** The workload is gone. */
  readonly forget: (key: string) => Effect.Effect<void>
}

interface Options {
  readonly decide: (key: string) => Effect.Effect<Pick<Decided, "plan" | "settings"> | undefined>
}

/** Whether the object may be written to as things are at this moment. */
const mayWrite = ({ plan, settings }: Pick<Decided, "plan" | "settings">): boolean =>
  !settings.DRY_RUN && settings.REWRITE_MODE !== "off" && plan.verdict._tag !== "Skipped" && plan.touchable

export const make = Effect.fnUntraced(function*({ decide }: Options) {
  const rewriter = yield* Rewriter
  const workloads = yield* WorkloadQueue
  const permits = makeResizablePermits({ permits: atOnce, reserve: true })
  /** What could not be given up, and until when it is not tried again. */
  const troubles = new Map<string, number>()

  const fail = Effect.fnUntraced(function*(key: string, { detail, rest }: Trouble) {
    const log = troubles.has(key) ? Effect.logDebug : Effect.logWarning
    troubles.set(key, (yield* uptime) + Duration.toMillis(rest))
    yield* workloads.offerAfter(key, rest)
    yield* log(
      `its images still count as changed by image-cloner, so a server-side apply of its manifest (kubectl --server-side, ` +
        `Helm 4) fails with a conflict: ${detail}; tried again in ${Duration.format(rest)}`
    )
  })

  const attempt = Effect.fnUntraced(function*(workload: Workload) {
    const { key } = workload
    // asked with the permit in hand: whoever has stopped the writing has stopped this too
    const decided = yield* decide(key)
    if (decided === undefined || !mayWrite(decided)) return
    const outcome = yield* rewriter.disown(workload)
    if (outcome === "kept") return yield* fail(key, kept)
    // the watch brings the newer object; a look a moment later covers a watch that is behind
    if (outcome === "changed") return yield* workloads.offerAfter(key, "1 second")
    troubles.delete(key)
  }, (effect, { key }) => Effect.catchTag(effect, "KubeError", (error) => fail(key, troubleOf(error))))

  const disown: Disown["disown"] = Effect.fn("disown")(function*(workload) {
    if ((troubles.get(workload.key) ?? 0) > (yield* uptime)) return
    yield* permits.withPermit({ lane: workload.namespace, ...unclaimed })(attempt(workload))
  })

  return { disown, forget: (key) => Effect.sync(() => void troubles.delete(key)) } satisfies Disown
})
