// CompareTags: what the source's tag of a copy names now, by a HEAD at its turn, and what is known of it: what the copy was last, and
// from what TAG_POLICY keeps it. Edge: when turns come is TagTurns'; that the copy follows is Resync's. Nothing is kept across a
// restart, after which every image is compared as it is looked at.
import { Clock, Duration, Effect, Metric, Random, SubscriptionRef } from "effect"
import { warnOfDrift } from "../../clone/steps/KeepDigest.ts"
import type { CloneError } from "../../clone/CloneError.ts"
import { type SourceAnswer, SourceTags } from "../../clone/SourceTags.ts"
import type { Digest } from "../../image/Digest.ts"
import type { Copy } from "../../image/ImageState.ts"
import { SettingsRef } from "../../settings/SettingsRef.ts"
import { Inventory } from "../../store/Inventory.ts"
import { tagComparedTime, tagComparisons, tagMoves, tagsDrifted } from "../../telemetry/Metrics.ts"
import { uptime } from "../../telemetry/Uptime.ts"
import { ImageQueue } from "../Queues.ts"
import { FailedMoves } from "./FailedMoves.ts"
import { often, TagTurns } from "./TagTurns.ts"

export interface CompareTags {
  /** Whether its turn has come; if not, the actor comes back for it. */
  readonly isDue: (source: string, state: Copy) => Effect.Effect<boolean>
  /** Asks the source, and sees to the next turn. What its tag names, where the copy is to follow; undefined: nothing is to be done. */
  readonly ask: (source: string, state: Copy) => Effect.Effect<Digest | undefined>
  /** The copy is this now: what its source's tag names, as far as it could be asked. */
  readonly copied: (source: string, copy: Copy) => Effect.Effect<void>
  /** What its tag has moved to and could not be copied; undefined where it is known to name anything else by now. */
  readonly behindOf: (source: string) => Digest | undefined
  /** There is no telling now: its turn comes again soon, but not before `after`; tells in what time. */
  readonly putOff: (source: string, after: Duration.Duration | undefined) => Effect.Effect<Duration.Duration>
  /** What its tag has moved to could not be copied: when that is tried again, and whether it is the same as the last time. */
  readonly failed: (
    source: string,
    digest: Digest,
    error: CloneError
  ) => Effect.Effect<ReturnType<FailedMoves["failed"]>>
  /** TAG_POLICY keeps the copy's tag from what the source's names. */
  readonly drifted: (source: string, digest: Digest, kept: Digest) => Effect.Effect<void>
  /** What the copy was last seen to be, in this process. */
  readonly lastOf: (source: string) => Copy | undefined
  /** It has no turns for now: another replica leads, or nothing is copied. */
  readonly rest: (source: string) => Effect.Effect<void>
  readonly forget: (source: string) => Effect.Effect<void>
}

/** Which tags have drifted, and to what, as the metric counts them. */
const makeDrifts = () => {
  const drifts = new Map<string, Digest>()
  const set = (source: string, digest: Digest | undefined): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (digest === undefined) drifts.delete(source)
      else drifts.set(source, digest)
      return Metric.update(tagsDrifted, drifts.size)
    })
  return { of: (source: string) => drifts.get(source), set }
}

const count = (result: Parameters<typeof tagComparisons>[0]["result"]): Effect.Effect<undefined> =>
  Effect.gen(function*() {
    yield* Metric.update(tagComparisons({ result }), 1)
    if (result !== "unanswered") yield* Metric.update(tagComparedTime, (yield* Clock.currentTimeMillis) / 1000)
    return undefined
  })

/** The turns, as the image queue brings them, and what is left alone at them. */
const makeTurns = Effect.gen(function*() {
  const inventory = yield* Inventory
  const images = yield* ImageQueue
  const settings = yield* SettingsRef
  const turns = new TagTurns(yield* Random.next)
  const moves = new FailedMoves()

  const intervalOf = (source: string) =>
    Effect.map(SubscriptionRef.get(settings), ({ RESYNC_INTERVAL }) => {
      const whole = Duration.toMillis(RESYNC_INTERVAL)
      return (inventory.get(source)?.pullers?.size ?? 0) > 0 ? Math.min(whole, often) : whole
    })

  const putOff: CompareTags["putOff"] = Effect.fnUntraced(function*(source, after = Duration.zero) {
    const now = yield* uptime
    const at = turns.putOff(source, yield* intervalOf(source), now, Duration.toMillis(after))
    yield* images.offerAfter(source, at - now)
    return Duration.seconds(Math.ceil((at - now) / 1000))
  })

  /** It was compared, or copied; tells in how many milliseconds its next turn is. */
  const compared = Effect.fnUntraced(function*(source: string) {
    const now = yield* uptime
    const turn = turns.compared(source, yield* intervalOf(source), now) - now
    yield* images.offerAfter(source, turn)
    return turn
  })

  const failed: CompareTags["failed"] = Effect.fnUntraced(function*(source, digest, error) {
    const told = moves.failed(source, digest, error, yield* uptime)
    // the tag is compared meanwhile: what it names next may do
    const turn = Duration.min(told.rest, Duration.millis(yield* intervalOf(source)))
    yield* putOff(source, Duration.max(turn, error.retryAfter ?? Duration.zero))
    return told
  })

  /** What could not be copied is left alone for longer each time, whoever asks; then its turn is no later than `turn`. */
  const mayTry = Effect.fnUntraced(function*(source: string, digest: Digest, turn: number) {
    const rest = moves.restOf(source, digest, yield* uptime)
    if (rest > 0 && rest < turn) yield* putOff(source, Duration.millis(rest))
    return rest === 0
  })

  /** The same, and what its source has said. */
  const answered = Effect.fnUntraced(function*(source: string, answer: Exclude<SourceAnswer, { _tag: "None" }>) {
    inventory.noteGone(source, answer._tag === "Gone" ? yield* uptime : undefined)
    moves.named(source, answer._tag === "Named" ? answer.digest : undefined)
    return yield* compared(source)
  })

  return { turns, moves, intervalOf, putOff, answered, compared, failed, mayTry }
})

/** Nothing is known. */
export const make = Effect.gen(function*() {
  const inventory = yield* Inventory
  const images = yield* ImageQueue
  const settings = yield* SettingsRef
  const tags = yield* SourceTags
  const { answered, compared, failed, intervalOf, mayTry, moves, putOff, turns } = yield* makeTurns
  const drifts = makeDrifts()
  const last = new Map<string, Copy>()

  const drifted: CompareTags["drifted"] = Effect.fnUntraced(function*(source, digest, kept) {
    // said once of each digest
    if (drifts.of(source) === digest) return
    yield* drifts.set(source, digest)
    yield* warnOfDrift(source, digest, kept)
  })

  const isDue: CompareTags["isDue"] = Effect.fnUntraced(function*(source, state) {
    const now = yield* uptime
    const { TAG_POLICY } = yield* SubscriptionRef.get(settings)
    const interval = yield* intervalOf(source)
    turns.of(source, interval, now)
    if (inventory.takeAsked(source)) turns.hasten(source, now)
    // the policy has changed, or whoever followed the tag was stopped
    if (TAG_POLICY === "follow" && drifts.of(source) !== undefined) {
      yield* drifts.set(source, undefined)
      return true
    }
    if (state.moving !== undefined) return true
    const at = turns.of(source, interval, now)
    if (at > now) yield* images.offerAfter(source, at - now)
    return at <= now
  })

  const ask: CompareTags["ask"] = Effect.fnUntraced(function*(source, state) {
    const answer = yield* tags.compare(source)
    if (answer._tag === "None") {
      yield* putOff(source, answer.rest)
      yield* Effect.logDebug(`its source cannot be asked what its tag names; it is asked later: ${answer.why}`)
      return yield* count("unanswered")
    }
    const turn = yield* answered(source, answer)
    // that its source has lost it is what a backup is for
    if (answer._tag === "Gone") return yield* count("gone")
    if (answer.digest === state.digest || answer.digest === state.original) {
      yield* drifts.set(source, undefined)
      return yield* count("same")
    }
    if ((yield* SubscriptionRef.get(settings)).TAG_POLICY === "follow") {
      yield* count("moved")
      return (yield* mayTry(source, answer.digest, turn)) ? answer.digest : undefined
    }
    yield* drifted(source, answer.digest, state.digest)
    return yield* count("drifted")
  })

  const copied: CompareTags["copied"] = Effect.fnUntraced(function*(source, copy) {
    moves.forget(source)
    const before = last.get(source)?.digest
    last.set(source, copy)
    yield* compared(source)
    if (before === undefined || before === copy.digest) return
    yield* Metric.update(tagMoves, 1)
    yield* Effect.logInfo(
      `its tag has moved: the copy's tag names ${copy.digest} now, and named ${before}; nothing is restarted`
    )
  })

  const forget = (source: string) => {
    turns.forget(source)
    moves.forget(source)
    last.delete(source)
    return drifts.set(source, undefined)
  }

  // what it has drifted to is found again, by whoever looks at it
  const rest = (source: string) => Effect.andThen(Effect.sync(() => turns.rest(source)), drifts.set(source, undefined))
  return {
    isDue,
    ask,
    copied,
    behindOf: (source: string) => moves.of(source),
    putOff,
    failed,
    drifted,
    lastOf: (source: string) => last.get(source),
    rest,
    forget
  }
})
