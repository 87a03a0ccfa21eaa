// Clones images: one flight per image however many ask, so many at once as there are permits, registries in turns.
// Edge: retries of an image belong to whoever asks; within one flight only single requests are tried again.
import { Cache, Clock, Context, Duration, Effect, Layer, Metric, Option, Result, Stream, SubscriptionRef } from "effect"
import { uptime } from "../telemetry/Uptime.ts"
import { backupOf, convertedBackupOf } from "../image/BackupName.ts"
import type { Digest } from "../image/Digest.ts"
import { format, type ImageReference, parse } from "../image/ImageReference.ts"
import { CurrentLimits } from "../registry/Limits.ts"
import { RegistryClient } from "../registry/RegistryClient.ts"
import { RegistrySettings } from "../registry/RegistrySettings.ts"
import { SettingsRef } from "../settings/SettingsRef.ts"
import * as Metrics from "../telemetry/Metrics.ts"
import { CloneError, fromRegistry, type Side } from "./CloneError.ts"
import type { CopyEnvironment, Place } from "./steps/CopyEnvironment.ts"
import { type Copied, copyImage } from "./steps/CopyImage.ts"
import { type Claim, unclaimed } from "../queue/FairPermits.ts"
import { makeLandings } from "./blob/Landings.ts"
import { makeLedger } from "./Ledger.ts"
import { type Ahead, makePermits, type Permits } from "./Permits.ts"
import { type CopyProgress, look, makeProgress, type Progress } from "./Progress.ts"

export { CloneError } from "./CloneError.ts"
export type { CopyProgress } from "./Progress.ts"
export type { Copied } from "./steps/CopyImage.ts"

/** Far more than a cluster has images: an evicted flight could be flown twice. */
const mostFlights = 1_000_000

/** What the daemon says beside the name of an image. */
export interface CloneRequest {
  /** Tells its place among those that wait. */
  readonly claim?: Omit<Claim, "lane">
  /** What the copy of a tag was last seen to be: where the source cannot be asked and the backup has lost the tag, it is put
   * back to that. */
  readonly last?: Digest | undefined
  /** Whether pods are being started from the backup's tag: then it is not moved (`tag-in-use`). */
  readonly tagInUse?: Effect.Effect<boolean>
  /** Whether it is still to be copied: asked with each permit in hand, because waiting for one takes time (`unwanted`). */
  readonly wanted?: Effect.Effect<boolean>
}

export class Cloner extends Context.Service<Cloner, {
  /**
   * Copies the image unless the backup holds it whole; who asks for an image in flight gets that flight's result.
   */
  readonly clone: (source: ImageReference, request?: CloneRequest) => Effect.Effect<Copied, CloneError>
  /** The same for a copy that is not whole: believes nothing seen before, and sends the parts in `damaged` in any case. */
  readonly repair: (source: ImageReference, damaged: ReadonlySet<Digest>) => Effect.Effect<Copied, CloneError>
  /**
   * Asks the backup for the digest of an image and, where the source is named without one, whether the copy's tag still
   * names it; uptime of its answer, in milliseconds.
   */
  readonly verify: (source: ImageReference, digest: Digest) => Effect.Effect<number, CloneError>
  /** How long a registry that gives no answer is left alone: zero where the next image asks it, undefined where it answers. */
  readonly silenceOf: RegistryClient["Service"]["silenceOf"]
  readonly inFlight: Effect.Effect<ReadonlyArray<CopyProgress>>
  /** Images that wait for a permit. */
  readonly waiting: Effect.Effect<number>
}>()("image-cloner/clone/Cloner") {
  /**
   * With MAX_CONCURRENT_RECONCILES permits, followed live. `shared`, as the daemon is by all of a cluster: one registry never
   * gets them all, and they bound all that belongs to an image. By hand, while so many images are copied, the next are fetched
   * and the last ones named: over a long line that is two round trips of five.
   */
  static readonly layer = ({ shared }: {
    readonly shared: boolean
  }): Layer.Layer<Cloner, never, RegistryClient | RegistrySettings | SettingsRef> =>
    Layer.effect(
      Cloner,
      Effect.gen(function*() {
        const settings = yield* SettingsRef
        const all = makePermits({
          permits: SubscriptionRef.getUnsafe(settings).MAX_CONCURRENT_RECONCILES,
          reserve: shared,
          ahead: !shared
        })
        yield* SubscriptionRef.changes(settings).pipe(
          Stream.map((it) => it.MAX_CONCURRENT_RECONCILES),
          Stream.changes,
          Stream.runForEach(all.resize),
          Effect.forkScoped
        )
        return yield* makeCloner(all)
      })
    )

  /** With a fixed number of permits, for one user. */
  static readonly layerOf = (options: {
    readonly permits: number
  }): Layer.Layer<Cloner, never, RegistryClient | RegistrySettings> =>
    Layer.effect(
      Cloner,
      Effect.suspend(() => makeCloner(makePermits({ permits: options.permits, reserve: false, ahead: true })))
    )
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

const unwanted = (source: ImageReference) =>
  new CloneError({
    image: format(source),
    reason: "unwanted",
    // not the source's: there is nothing to do without it
    side: "backup",
    detail: "it is not to be copied any more; nothing of it was",
    retryable: true,
    retryAfter: undefined
  })

const makeCloner = Effect.fnUntraced(function*({ ahead, copies, looks, waiting }: Permits) {
  const registry = yield* RegistryClient
  const limits = yield* CurrentLimits
  const settings = (yield* RegistrySettings).current
  const clock = yield* Clock.Clock
  const ledger = makeLedger(clock)
  const landings = makeLandings(clock)
  const running = new Set<Progress>()

  const report = Effect.fnUntraced(function*(outcome: Result.Result<Copied, CloneError>, seconds: number) {
    yield* Metric.update(Metrics.cloneSeconds, seconds)
    if (Result.isFailure(outcome)) {
      yield* Metric.update(Metrics.clones({ result: outcome.failure.reason }), 1)
      return
    }
    const copied = outcome.success
    yield* Metric.update(Metrics.clones({ result: copied.upToDate ? "up-to-date" : "copied" }), 1)
    yield* Metric.update(Metrics.manifests, copied.manifests)
    for (const how of ["uploaded", "mounted", "present"] as const) {
      yield* Metric.update(Metrics.blobs({ how }), copied.blobs[how])
      yield* Metric.update(Metrics.blobBytes({ how }), copied.bytes[how])
    }
    if (copied.upToDate) return
    yield* Effect.logInfo("image copied").pipe(Effect.annotateLogs({
      image: format(copied.source),
      backup: format(copied.target),
      digest: copied.digest,
      ...(copied.original === undefined ? {} : { "converted-from": copied.original }),
      uploaded: copied.bytes.uploaded,
      mounted: copied.bytes.mounted,
      present: copied.bytes.present,
      seconds: Math.round(copied.seconds * 1000) / 1000
    }))
  })

  const copy = Effect.fn("Cloner.copy")(function*(
    source: ImageReference,
    { claim = unclaimed, last: expected, tagInUse = Effect.succeed(false), wanted = Effect.succeed(true) }:
      CloneRequest,
    given: { readonly damaged?: ReadonlySet<Digest>; readonly last?: Digest }
  ) {
    const { backup, believeTags = false, cloneTimeout, mostImageBytes: mostBytes, referrers } = settings()
    const progress = makeProgress(source, backupOf(backup, source), 0)
    let nanos = 0n
    let since: bigint | undefined
    const seconds = Effect.map(
      Clock.monotonicTimeNanos,
      (now) => Number(nanos + (since === undefined ? 0n : now - since)) / 1e9
    )
    const ours = { ...claim, lane: source.registry }
    /** Counts the time that is spent in a place. */
    const spent = <A, R>(part: Effect.Effect<A, CloneError, R>, side: Side = "source") =>
      Effect.gen(function*() {
        const started = since = yield* Clock.monotonicTimeNanos
        return yield* part.pipe(
          // a flight that takes longer gives its place back, whoever drips the bytes
          Effect.timeoutOrElse({
            duration: cloneTimeout,
            orElse: () => Effect.fail(tooLong(source, cloneTimeout, side))
          }),
          Effect.ensuring(Effect.map(Clock.monotonicTimeNanos, (ended) => {
            nanos += ended - started
            since = undefined
          }))
        )
      })
    const stillWanted = Effect.flatMap(wanted, (it) => it ? Effect.void : unwanted(source))
    const flying: Place = (part) =>
      Effect.gen(function*() {
        progress.startedAt = yield* Clock.currentTimeMillis
        running.add(progress)
        return yield* part
      }).pipe(Effect.ensuring(Effect.sync(() => running.delete(progress))))
    const inOnePlace: CopyEnvironment["inTurn"] = ({ copy: copying, fetch, name }) =>
      copies.withPermit(ours)(
        Effect.andThen(stillWanted, flying(spent(Effect.scoped(Effect.flatMap(Effect.flatMap(fetch, copying), name)))))
      )
    /** An image leaves a place only when it has the next, or manifests would pile up before a slow one. */
    const handOverHand = ({ fetches, namings }: Ahead): CopyEnvironment["inTurn"] => ({ copy: copying, fetch, name }) =>
      Effect.gen(function*() {
        const fetching = yield* fetches.enter(ours)
        yield* stillWanted
        const fetched = yield* spent(fetch)
        const place = yield* copies.enter(ours)
        yield* stillWanted
        yield* fetching.leave
        const copied = yield* flying(spent(copying(fetched)))
        yield* namings.enter(ours)
        yield* place.leave
        return yield* spent(name(copied), "backup")
      }).pipe(Effect.scoped)
    const environment = {
      registry,
      limits,
      ledger,
      landings,
      backup,
      referrers,
      believeTags,
      mostBytes,
      tagInUse,
      expected,
      seconds,
      looking: ((part) => looks.withPermit(ours)(Effect.andThen(stillWanted, spent(part)))) satisfies Place,
      inTurn: ahead === undefined ? inOnePlace : handOverHand(ahead),
      ...given
    }
    const outcome = yield* Effect.result(copyImage(environment, source, progress))
    yield* report(outcome, yield* seconds)
    return yield* Effect.fromResult(outcome)
  }, (effect, source) => Effect.annotateLogs(effect, { image: format(source) }))

  /** What was said for the images that are about to take off. */
  const requests = new Map<string, CloneRequest>()
  const flights = yield* Cache.makeWith(
    (image: string): Effect.Effect<Copied, CloneError> => {
      const source = parse(image)
      if (Result.isFailure(source)) {
        return Effect.fail(
          new CloneError({
            image,
            reason: "unsupported",
            side: "source",
            detail: source.failure.message,
            retryable: false,
            retryAfter: undefined
          })
        )
      }
      return copy(source.success, requests.get(image) ?? {}, {})
    },
    // shared while it is under way, and not kept: what is known afterwards is the inventory's
    { capacity: mostFlights, timeToLive: () => "0 millis" }
  )

  return Cloner.of({
    clone: (source, request = {}) =>
      Effect.suspend(() => {
        const image = format(source)
        requests.set(image, request)
        return Effect.ensuring(Cache.get(flights, image), Effect.sync(() => requests.delete(image)))
      }).pipe(
        Effect.catchIf(
          (error) =>
            request.last !== undefined && source.digest === undefined &&
            (error.side === "source" || error.reason === "tag-in-use"),
          (error) =>
            request.last === undefined
              ? Effect.fail(error)
              : copy(source, request, { last: request.last })
        )
      ),
    repair: (source, damaged) => copy(source, {}, { damaged }),
    verify: Effect.fnUntraced(function*(source, digest) {
      const image = format(source)
      // another digest than the source's own: it was converted, and is pulled by the tag of what it was converted from
      const named = source.digest === undefined || source.digest === digest
        ? backupOf(settings().backup, source)
        : convertedBackupOf(settings().backup, source)
      const { registry: host, repository, tag } = named
      const names = (reference: string) =>
        registry.headManifest({ registry: host, repository }, reference, true).pipe(
          Effect.mapError(fromRegistry(image, "backup")),
          Effect.map((seen) => Option.isSome(seen) && seen.value.digest === digest)
        )
      // a workload without a digest is pointed at the tag: it must still be there, and mean this image
      const pulledByTag = named.digest === undefined && tag !== undefined
      const held = yield* names(digest)
      if (held && (!pulledByTag || (yield* names(tag)))) return yield* uptime
      ledger.forgetWhole(repository, digest)
      return yield* new CloneError({
        image,
        reason: "not-found",
        side: "backup",
        detail: held
          ? `the tag ${tag} of ${host}/${repository} no longer names ${digest}`
          : `the backup no longer holds ${host}/${repository}@${digest}`,
        retryable: true,
        retryAfter: undefined
      })
    }),
    silenceOf: registry.silenceOf,
    inFlight: Effect.sync(() => Array.from(running, look)),
    waiting
  })
})
