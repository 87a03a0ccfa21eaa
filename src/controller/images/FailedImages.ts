// FailedImages: what becomes of an image that could not be copied: a state, a sentence, and the time of the next try. Retries belong
// to the image, or, where its registry answers nobody, to that.
import { Duration, Effect } from "effect"
import { uptime } from "../../telemetry/Uptime.ts"
import { type CloneError, Cloner } from "../../clone/Cloner.ts"
import type { ImageState } from "../../image/ImageState.ts"
import { Inventory } from "../../store/Inventory.ts"
import { ImageQueue, offerAll, WorkloadQueue } from "../Queues.ts"

/** How long a failed image rests: what may pass soon is tried sooner, and both double with every failure. */
const rests = {
  soon: { first: Duration.seconds(5), most: Duration.minutes(10) },
  late: { first: Duration.minutes(10), most: Duration.hours(6) },
  /** Login, quota and certificate of the backup are ours to mend, and whoever has mended them waits for the copies. */
  ours: { first: Duration.minutes(10), most: Duration.minutes(10) }
}

/** A registry may ask for any time; after this one it is asked whether it still means it. */
const longestRest = Duration.hours(24)

/** How long what has failed so many times rests. */
export const restOf = (
  error: Pick<CloneError, "retryable" | "retryAfter" | "side">,
  failures: number
): Duration.Duration => {
  const { first, most } = error.retryable ? rests.soon : error.side === "backup" ? rests.ours : rests.late
  const rest = Duration.min(Duration.millis(Duration.toMillis(first) * 2 ** Math.min(failures - 1, 20)), most)
  return error.retryAfter === undefined ? rest : Duration.min(Duration.max(rest, error.retryAfter), longestRest)
}

const reasonOf = (error: CloneError): Extract<ImageState, { _tag: "Failed" }>["reason"] => {
  switch (error.reason) {
    case "private":
    case "internal":
    case "too-large":
    case "unsupported":
    case "not-found":
      // the backup's own refusals are failures, whatever their name
      return error.side === "source" ? error.reason : "failed"
    default:
      return "failed"
  }
}

/** Sets the state of an image, and wakes its users. */
export const makeBecome = Effect.gen(function*() {
  const inventory = yield* Inventory
  const workloads = yield* WorkloadQueue
  return (source: string, state: ImageState): Effect.Effect<void> =>
    Effect.suspend(() => offerAll(workloads, inventory.set(source, state)))
})

export interface FailedImages {
  /** What follows from a copy, or a look at one, that failed. */
  readonly fail: (source: string, error: CloneError) => Effect.Effect<void>
  /** Its next failure is its first. */
  readonly forget: (source: string) => void
  /** Whether it has failed, and not been copied since. */
  readonly has: (source: string) => boolean
}

export const make = Effect.gen(function*() {
  const cloner = yield* Cloner
  const inventory = yield* Inventory
  const images = yield* ImageQueue
  const become = yield* makeBecome
  const failures = new Map<string, number>()

  /**
   * Its registry gives nobody an answer. That is no failure of the image's and gets no retry of its own: it is woken
   * (Waking.ts). Said once: the others that ask the registry in turn would say the same again.
   */
  const park = Effect.fnUntraced(
    function*(source: string, registry: string, error: CloneError, rest: Duration.Duration) {
      const before = inventory.state(source)
      const said = before?._tag === "Failed" && before.silent === registry
      const wait = Duration.format(Duration.seconds(Math.ceil(Duration.toSeconds(rest))))
      const text = `${error.message}; one image of ${registry} is tried again in ${wait}, all when it answers`
      yield* said ? Effect.logDebug(text) : Effect.logWarning(text)
      const triedAt = yield* uptime
      const retryAt = triedAt + Duration.toMillis(rest)
      const state = { _tag: "Failed", reason: "failed", message: error.message, retryAt, triedAt } as const
      yield* become(source, { ...state, silent: registry })
    }
  )

  const fail = Effect.fnUntraced(function*(source: string, error: CloneError) {
    if (error.reason === "tag-in-use") {
      yield* Effect.logInfo(error.detail)
      yield* become(source, { _tag: "Pending", why: error.detail })
      return yield* images.offerAfter(source, error.retryAfter ?? rests.soon.first)
    }
    // no failure, and no time to come back at: changed settings and new users offer it again, while this still runs or later
    if (error.reason === "unwanted") {
      if (inventory.get(source) === undefined) failures.delete(source)
      return yield* Effect.logDebug(error.detail)
    }
    // where it answers others by now, this image has failed by itself
    const silence = error.silent === undefined ? undefined : yield* cloner.silenceOf(error.silent)
    if (error.silent !== undefined && silence !== undefined) return yield* park(source, error.silent, error, silence)
    const times = (failures.get(source) ?? 0) + 1
    failures.set(source, times)
    const rest = restOf(error, times)
    const now = yield* uptime
    const reason = reasonOf(error)
    if (reason === "not-found") inventory.noteGone(source, now)
    yield* Effect.logWarning(`${error.message}; tried again in ${Duration.format(rest)}`)
    yield* become(source, {
      _tag: "Failed",
      reason,
      message: error.message,
      retryAt: now + Duration.toMillis(rest),
      triedAt: now
    })
    yield* images.offerAfter(source, rest)
  })

  const failed: FailedImages = {
    fail,
    forget: (source) => void failures.delete(source),
    has: (source) => failures.has(source)
  }
  return failed
})
