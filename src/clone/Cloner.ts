// Clones images: one flight per image however many ask, so many at once as there are permits, registries in turns.
// Edge: retries of an image belong to whoever asks; within one flight only single requests are tried again.
import { Clock, Context, Effect, Layer, Stream, SubscriptionRef } from "effect"
import { makeOnce } from "../collections/Once.ts"
import { type Backup, backupOf } from "../image/BackupName.ts"
import type { Digest } from "../image/Digest.ts"
import { format, type ImageReference } from "../image/ImageReference.ts"
import { type Claim, unclaimed } from "../queue/FairTurns.ts"
import { CurrentLimits, type Limits } from "../registry/Limits.ts"
import { RegistryClient } from "../registry/RegistryClient.ts"
import { RegistrySettings } from "../registry/RegistrySettings.ts"
import { type Run, SettingsRef } from "../settings/SettingsRef.ts"
import { clonesAllowed } from "../telemetry/Metrics.ts"
import { readGauge } from "../telemetry/ReadMetric.ts"
import { makeLandings } from "./steps/Landings.ts"
import type { CloneError } from "./CloneError.ts"
import { makeLedger } from "./Ledger.ts"
import { makePlaces, waits } from "./CopyPlaces.ts"
import type { Permits } from "./Permits.ts"
import { type CopyProgress, Progress } from "./Progress.ts"
import { reportClone } from "./ReportClone.ts"
import type { CopyEnvironment } from "./steps/CopyEnvironment.ts"
import { copyImage } from "./steps/CopyImage.ts"
import type { Copied } from "./steps/Tag.ts"
import { makeTurns, type Turns } from "./WaitingImages.ts"
import { confirm } from "./verify/Confirm.ts"
import { confirmWhole } from "./verify/ConfirmWhole.ts"
import { recognise, type Recognised } from "./verify/Recognise.ts"
import { makeBlobChecks } from "./verify/VerifyBlobs.ts"

export { CloneError } from "./CloneError.ts"
export type { CopyProgress } from "./Progress.ts"
export type { Copied } from "./steps/Tag.ts"

/** What the daemon says beside the name of an image. */
export interface CloneRequest {
  /** Tells its place among those that wait. */
  readonly claim?: Omit<Claim, "lane">
  /** What the copy of a tag was last seen to be: where the source cannot be asked and the backup has lost the tag, it is put
   * back to that. */
  readonly last?: Digest | undefined
  /** Whether pods are being started from the backup's tag: then it is not moved (`tag-in-use`). */
  readonly tagInUse?: Effect.Effect<boolean>
  /** Hears what the source's tag names where TAG_POLICY keeps the copy's tag from it. */
  readonly drifted?: CopyEnvironment["drifted"]
  /** Whether it is still to be copied: asked with each permit in hand, because waiting for one takes time (`unwanted`). */
  readonly wanted?: Effect.Effect<boolean>
  /** Whether it may be copied, beside being looked at, asked likewise: one of several replicas copies. */
  readonly mayCopy?: Effect.Effect<boolean>
  /**
   * Where its turn has not come this ends at once (`in-line`), and the image waits without whoever asked. It is called when it may be
   * asked for again (`calls`), which must be done then, or else `stepOut`.
   */
  readonly inLine?: boolean
}

export class Cloner extends Context.Service<Cloner, {
  /**
   * Copies the image unless the backup holds it whole; who asks for an image in flight gets that flight's result.
   */
  readonly clone: (source: ImageReference, request?: CloneRequest) => Effect.Effect<Copied, CloneError>
  /** The same for a copy that is not whole: believes nothing seen before, and sends the parts in `damaged` in any case. */
  readonly repair: (source: ImageReference, damaged: ReadonlySet<Digest>) => Effect.Effect<Copied, CloneError>
  /** Does the backup still have it, by the name under which it is pulled? Uptime of its answer, in milliseconds (Confirm.ts). */
  readonly verify: (source: ImageReference, digest: Digest) => Effect.Effect<number, CloneError>
  /** The same, and all below it, for a copy that pods cannot pull (ConfirmWhole.ts). */
  readonly verifyWhole: (source: ImageReference, digest: Digest) => Effect.Effect<number, CloneError>
  /**
   * What the backup holds of an image, by a look at the backup alone: for replicas that do not copy (Recognise.ts). Fails where its turn
   * to be looked at has not come (`in-line`): it waits, as with `CloneRequest.inLine`.
   */
  readonly recognise: (
    source: ImageReference,
    claim?: Omit<Claim, "lane">
  ) => Effect.Effect<Recognised | undefined, CloneError>
  /** How long a registry that gives no answer is left alone: zero where the next image asks it, undefined where it answers. */
  readonly silenceOf: RegistryClient["Service"]["silenceOf"]
  /** Of those registries how long it was from the first attempt to the last. */
  readonly silences: RegistryClient["Service"]["silences"]
  readonly inFlight: Effect.Effect<ReadonlyArray<CopyProgress>>
  /** So many permits, where MAX_CONCURRENT_RECONCILES is more; undefined: as many as that says. */
  readonly atMost: Permits["atMost"]
  /** Images that wait for a permit. */
  readonly waiting: Effect.Effect<number>
  /** Images in line whose turn has come, by their references; waits for one. */
  readonly calls: Effect.Effect<ReadonlyArray<string>>
  /** Whether an image waits to be called, or has been and was not asked for yet. */
  readonly isInLine: (source: string) => boolean
  /** An image waits in no line any more, and what was kept for it is another's. */
  readonly stepOut: (source: string) => Effect.Effect<void>
}>()("image-cloner/clone/Cloner") {
  /**
   * With MAX_CONCURRENT_RECONCILES permits, followed where `run` starts the fiber for that. `shared`, as the daemon is by all of a cluster: one registry never
   * gets them all, and they bound all that belongs to an image. By hand, while so many images are copied, the next are fetched
   * and the last ones named: over a long line that is two round trips of five.
   */
  static readonly layer = ({ run, shared }: {
    readonly shared: boolean
    readonly run?: Run | undefined
  }): Layer.Layer<Cloner, never, RegistryClient | RegistrySettings | SettingsRef> =>
    Layer.effect(
      Cloner,
      Effect.gen(function*() {
        const settings = yield* SettingsRef
        const all = yield* makeTurns({
          permits: SubscriptionRef.getUnsafe(settings).MAX_CONCURRENT_RECONCILES,
          reserve: shared,
          ahead: !shared
        })
        const follow = SubscriptionRef.changes(settings).pipe(
          Stream.map((it) => it.MAX_CONCURRENT_RECONCILES),
          Stream.changes,
          Stream.runForEach(all.permits.resize),
          Effect.andThen(Effect.never)
        )
        if (run !== undefined) yield* run("copies at once", follow)
        yield* readGauge(clonesAllowed, all.permits.size)
        return yield* makeCloner(all)
      })
    )

  /** With a fixed number of permits, for one user. */
  static readonly layerOf = (options: {
    readonly permits: number
  }): Layer.Layer<Cloner, never, RegistryClient | RegistrySettings> =>
    Layer.effect(
      Cloner,
      Effect.flatMap(makeTurns({ permits: options.permits, reserve: false, ahead: true }), makeCloner)
    )
}

/** Whether what was last seen of a tag is all that there is to go by; what could not be copied cannot a moment later either. */
const goesByLast = (source: ImageReference) => ({ reason, side, unnamed }: CloneError): boolean =>
  source.digest === undefined && ((side === "source" && unnamed === true) || reason === "tag-in-use")

interface Asking {
  readonly limits: Limits
  readonly registry: RegistryClient["Service"]
}

/** Each look asks anew: an answer, or that there was none, holds for that look alone. */
const blobsNow = (asking: Asking) => makeBlobChecks({ ...asking, deep: false })

const recogniseNow = (asking: Asking, backup: Backup, source: ImageReference) =>
  Effect.flatMap(blobsNow(asking), (blobs) => recognise({ registry: asking.registry, blobs }, backup, source))

/** Makes the function that copies one image, and what it shares with the rest. */
const makeCopy = Effect.fnUntraced(function*(turns: Turns) {
  const { permits } = turns
  const registry = yield* RegistryClient
  const limits = yield* CurrentLimits
  const settings = (yield* RegistrySettings).current
  const clock = yield* Clock.Clock
  const ledger = makeLedger(clock)
  const landings = makeLandings(clock)
  const running = new Set<Progress>()

  const copy = Effect.fn("Cloner.copy")(function*(
    source: ImageReference,
    {
      claim = unclaimed,
      drifted,
      inLine = false,
      last: expected,
      mayCopy = Effect.succeed(true),
      tagInUse = Effect.succeed(false),
      wanted = Effect.succeed(true)
    }: CloneRequest,
    given: { readonly damaged?: ReadonlySet<Digest>; readonly last?: Digest }
  ) {
    const { backup, believeTags = false, cloneTimeout, keepTags = false, mostImageBytes: mostBytes, referrers } =
      settings()
    const progress = new Progress(source, backupOf(backup, source))
    const key = format(source)
    const places = makePlaces({
      permits,
      claim: { ...claim, lane: source.registry },
      running,
      progress,
      timeout: cloneTimeout,
      wanted,
      mayCopy,
      inLine: inLine ? key : undefined
    })
    const environment: CopyEnvironment = {
      registry,
      limits,
      ledger,
      landings,
      backup,
      referrers,
      believeTags,
      mostBytes,
      tagInUse,
      keepTags,
      drifted,
      expected,
      lookBefore: () => inLine ? turns.lookBefore(key, given.last) : undefined,
      keepLook: (looked) => turns.keepLook(key, given.last, looked),
      ...places,
      ...given
    }
    const outcome = yield* Effect.result(copyImage(environment, source, progress))
    yield* reportClone(outcome, yield* places.seconds)
    return yield* Effect.fromResult(outcome)
  }, (effect, source) => Effect.annotateLogs(effect, { image: format(source) }))

  return { copy, ledger, limits, registry, running, settings }
})

const makeCloner = Effect.fnUntraced(function*(turns: Turns) {
  const { copy, ledger, limits, registry, running, settings } = yield* makeCopy(turns)
  // shared while it is under way, and not kept: what is known afterwards is the inventory's
  const flights = yield* makeOnce<Copied, CloneError>({ kept: 0 })

  const clone = (source: ImageReference, request: CloneRequest): Effect.Effect<Copied, CloneError> =>
    Effect.catchIf(
      flights.get(format(source), copy(source, request, {})),
      goesByLast(source),
      (error) => request.last === undefined ? Effect.fail(error) : copy(source, request, { last: request.last })
    )

  return Cloner.of({
    clone: (source, request = {}) =>
      request.inLine === true ? turns.keepingPlace(format(source), clone(source, request)) : clone(source, request),
    repair: (source, damaged) => copy(source, {}, { damaged }),
    verify: (source, digest) => confirm({ registry, ledger, backup: settings().backup }, source, digest),
    verifyWhole: (source, digest) =>
      Effect.flatMap(
        blobsNow({ registry, limits }),
        (blobs) => confirmWhole({ registry, ledger, blobs, backup: settings().backup }, source, digest)
      ),
    recognise: (source, claim = unclaimed) =>
      Effect.scoped(Effect.flatMap(
        turns.looking(format(source), { ...claim, lane: source.registry }),
        (isIn) => isIn ? recogniseNow({ registry, limits }, settings().backup, source) : waits(source)
      )),
    silenceOf: registry.silenceOf,
    silences: registry.silences,
    inFlight: Effect.sync(() => Array.from(running, (it) => it.now)),
    atMost: turns.permits.atMost,
    waiting: turns.permits.waiting,
    calls: turns.calls,
    isInLine: turns.isInLine,
    stepOut: turns.stepOut
  })
})
