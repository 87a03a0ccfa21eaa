// CopyPlaces: where the parts of one image's copy happen, and for how long: each with a permit of its kind, only while the image is
// still wanted, and within CLONE_TIMEOUT. Edge: how many permits there are is Permits.ts.
import { Clock, Duration, Effect } from "effect"
import { format, type ImageReference } from "../image/ImageReference.ts"
import type { Claim } from "../queue/FairTurns.ts"
import type { ResizablePermits } from "../queue/ResizablePermits.ts"
import { CloneError, type Side } from "./CloneError.ts"
import type { Ahead, Permits } from "./Permits.ts"
import type { Progress } from "./Progress.ts"
import type { CopyEnvironment, Place } from "./steps/CopyEnvironment.ts"

export interface PlacesOptions {
  readonly permits: Permits
  readonly claim: Claim
  /** Where the copy is seen while its bytes move. */
  readonly running: Set<Progress>
  readonly progress: Progress
  readonly timeout: Duration.Duration
  /** Asked with each permit in hand: waiting for one takes time. */
  readonly wanted: Effect.Effect<boolean>
  /** The same of copying: looking is everybody's. */
  readonly mayCopy: Effect.Effect<boolean>
  /** By this name it waits in the lines, and not in this fiber. */
  readonly inLine: string | undefined
}

const tooLong = (source: ImageReference, timeout: Duration.Duration, side: Side) =>
  new CloneError({
    image: format(source),
    reason: "unavailable",
    side,
    detail: `it could not be copied within ${Duration.format(timeout)} (CLONE_TIMEOUT)`,
    retryable: true,
    retryAfter: undefined
  })

/** Nothing has gone wrong, and nothing is done now. */
const notNow = (source: ImageReference, reason: "unwanted" | "in-line", detail: string) =>
  new CloneError({
    image: format(source),
    reason,
    // not the source's: there is nothing to do without it
    side: "backup",
    detail,
    retryable: true,
    retryAfter: undefined
  })

const unwanted = (source: ImageReference) =>
  notNow(source, "unwanted", "it is not to be copied any more; nothing of it was")

/** Its turn has not come. */
export const waits = (source: ImageReference) => notNow(source, "in-line", "it waits for its turn")

/** Time spent in places, waiting for the next not counted. */
class Stopwatch {
  #nanos = 0n
  #since: bigint | undefined

  readonly seconds: Effect.Effect<number> = Effect.map(
    Clock.monotonicTimeNanos,
    (now) => Number(this.#nanos + (this.#since === undefined ? 0n : now - this.#since)) / 1e9
  )

  readonly during = <A, E, R>(part: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(Clock.monotonicTimeNanos, (started) => {
      this.#since = started
      return Effect.ensuring(
        part,
        Effect.map(Clock.monotonicTimeNanos, (ended) => {
          this.#nanos += ended - started
          this.#since = undefined
        })
      )
    })
}

export const makePlaces = (
  { claim, inLine, mayCopy, permits, progress, running, timeout, wanted }: PlacesOptions
): Pick<CopyEnvironment, "looking" | "inTurn" | "seconds"> => {
  const { source } = progress
  const { ahead, copies, looks } = permits
  const { during, seconds } = new Stopwatch()
  const stillWanted = Effect.flatMap(wanted, (it) => it ? Effect.void : unwanted(source))
  const stillToCopy = Effect.andThen(stillWanted, Effect.flatMap(mayCopy, (it) => it ? Effect.void : unwanted(source)))

  /** A flight that takes longer gives its place back, whoever drips the bytes. */
  const spent = <A, R>(part: Effect.Effect<A, CloneError, R>, side: Side = "source") =>
    during(
      Effect.timeoutOrElse(part, {
        duration: timeout,
        orElse: () => Effect.fail(tooLong(source, timeout, side))
      })
    )

  const flying: Place = (part) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      progress.startedAt = now
      running.add(progress)
      return part
    }).pipe(Effect.ensuring(Effect.sync(() => running.delete(progress))))

  /** With a permit, for which a fiber waits, or the image in line. */
  const admitted = (permitsOf: ResizablePermits): Place => (part) =>
    inLine === undefined
      ? permitsOf.withPermit(claim)(part)
      : Effect.scoped(
        Effect.flatMap(permitsOf.line.take(inLine, claim), (isIn) => isIn ? part : waits(source))
      )

  const inOnePlace: CopyEnvironment["inTurn"] = ({ copy, fetch, tag }) =>
    admitted(copies)(
      Effect.andThen(stillToCopy, flying(spent(Effect.scoped(Effect.flatMap(Effect.flatMap(fetch, copy), tag)))))
    )

  const looking: Place = (part) => {
    const look = Effect.andThen(stillWanted, spent(part))
    if (inLine === undefined) return admitted(looks)(look)
    return Effect.suspend(() => {
      if (copies.line.renew(inLine, claim)) return waits(source)
      return copies.line.keeps(inLine) ? look : admitted(looks)(look)
    })
  }

  /** An image leaves a place only when it has the next, or manifests would pile up before a slow one. */
  const handOverHand = ({ fetches, namings }: Ahead): CopyEnvironment["inTurn"] =>
    Effect.fnUntraced(function*({ copy, fetch, tag }) {
      const fetching = yield* fetches.enter(claim)
      yield* stillToCopy
      const fetched = yield* spent(fetch)
      const place = yield* copies.enter(claim)
      yield* stillToCopy
      yield* fetching.leave
      const copied = yield* flying(spent(copy(fetched)))
      yield* namings.enter(claim)
      yield* place.leave
      return yield* spent(tag(copied), "backup")
    }, Effect.scoped)

  return {
    looking,
    inTurn: ahead === undefined ? inOnePlace : handOverHand(ahead),
    seconds
  }
}
