// Brings one blob into a repository of the backup the cheapest way: there already, mounted from a neighbour, or moved.
// A blob that another image is moving is waited for and mounted, so that shared layers are uploaded once.
import { Deferred, Duration, Effect, Fiber, type Scope, type Semaphore } from "effect"
import { type Repository, targetOf } from "../../image/Repository.ts"
import type { Blobs } from "../../registry/api/Blobs.ts"
import type { Upload } from "../../registry/api/Upload.ts"
import type { Limits } from "../../registry/Limits.ts"
import type { Descriptor } from "../../image/ManifestDocument.ts"
import type { RegistryError } from "../../registry/RegistryError.ts"
import { retrySchedule } from "../../registry/Retry.ts"
import { type CloneError, fromRegistry } from "../CloneError.ts"
import type { Counter, How } from "../Counter.ts"
import type { Flight, Ledger } from "../Ledger.ts"
import { transfer } from "./Transfer.ts"

export interface BlobContext {
  readonly image: string
  readonly registry: Blobs
  readonly limits: Limits
  readonly ledger: Ledger
  readonly source: Repository
  readonly backup: Repository
  readonly counter: Counter
  /** The image is new to the backup: what a neighbour holds is mounted without a look. */
  readonly fresh?: boolean
  /** Blobs of the image that are moved at once: looks and mounts cost nothing but a round trip, and are not counted. */
  readonly slots: Semaphore.Semaphore
}

/** Mounts are tried from so many repositories at a time; then the blob is moved. */
const mountTries = 2
/** How long a blob that comes from another registry than ours is waited for. */
const longestWaitForStranger = Duration.seconds(60)

/**
 * Makes sure that `backup` has the blob. `force` believes neither the ledger nor a HEAD: the registry has just said that
 * the blob is missing although both said it was there.
 */
export const copyBlob = Effect.fnUntraced(function*(
  context: BlobContext,
  blob: Descriptor,
  force: boolean
): Effect.fn.Return<How, CloneError> {
  const { ledger, registry, backup } = context
  const atBackup = Effect.mapError(fromRegistry(context.image, "backup"))
  let upload: Upload | undefined
  if (!force && ledger.holds(backup.repository, blob.digest)) return "present"
  const has = Effect.tap(
    atBackup(registry.hasBlob(backup, blob.digest)),
    (there) => Effect.sync(() => there && ledger.noteBlob(backup.repository, blob.digest))
  )
  const tried = new Set<string>()
  const untried = () => ledger.holders(blob.digest).find((it) => it !== backup.repository && !tried.has(it))
  /** From whoever has come to hold the blob since the last call; without a pause where there is nobody. */
  const mount = Effect.fnUntraced(function*() {
    for (let tries = 0; tries < mountTries; tries++) {
      const from = untried()
      if (from === undefined) return false
      tried.add(from)
      const outcome = yield* atBackup(
        registry.mountBlob(backup, blob.digest, { registry: backup.registry, repository: from })
      )
      if (outcome === "mounted") {
        ledger.noteBlob(backup.repository, blob.digest)
        ledger.mounting = true
        return true
      }
      ledger.forgetBlob(from, blob.digest)
      if (outcome !== undefined) {
        // a session we did not ask for is used, or ended
        if (upload !== undefined) yield* registry.cancelUpload(upload)
        upload = outcome
      }
    }
    return false
  })

  // where mounts work, the look at a new image's blob is left to the request that begins its upload
  let unseen = false
  const look = Effect.suspend(() => {
    unseen = context.fresh === true && ledger.mounting
    return unseen ? Effect.succeed(false) : has
  })
  // a session that a mount opened is used once, or ended
  const given = () => {
    const session = upload
    upload = undefined
    return session
  }
  const unneeded = Effect.suspend(() => {
    const session = given()
    return session === undefined ? Effect.void : registry.cancelUpload(session)
  })

  const settled = Effect.gen(function*() {
    // a mount of what is there already is no harm, and saves the look; it is a write, and would not be a look's
    if (!force && context.fresh === true && (yield* mount())) return "mounted"
    if (!force && (yield* look)) return "present"
    for (;;) {
      // during the look, or the wait, another image may have brought it
      if (!force && (yield* mount())) return "mounted"
      if (!force && ledger.holds(backup.repository, blob.digest)) return "present"
      const other = ledger.flights.get(blob.digest)
      if (other !== undefined) {
        const wait = Deferred.await(other.landed)
        yield* other.from === context.source.registry
          ? wait
          : Effect.timeoutOrElse(wait, { duration: longestWaitForStranger, orElse: () => Effect.void })
        if (ledger.holds(backup.repository, blob.digest)) return "present"
        if (ledger.flights.get(blob.digest) !== other) continue
      }
      const flown = yield* fly(context, blob, {
        moving: Effect.suspend(() => move(context, blob, given(), unseen)),
        overtaken: other,
        landed: () => !force && (ledger.holds(backup.repository, blob.digest) || untried() !== undefined)
      })
      if (flown !== undefined) return flown
    }
  })
  return yield* Effect.ensuring(settled, unneeded)
})

interface Takeoff<E> {
  readonly moving: Effect.Effect<How, E>
  /** A stranger that is still not there. */
  readonly overtaken: Flight | undefined
  /** Has another brought it by now? */
  readonly landed: () => boolean
}

/**
 * Moves the blob, and lets others wait for it meanwhile: from when it has a slot, or they would wait for everything before
 * it too. Undefined where another was first.
 */
const fly = <E>(
  { ledger: { flights }, slots, source }: BlobContext,
  blob: Descriptor,
  { landed, moving, overtaken }: Takeoff<E>
): Effect.Effect<How | undefined, E> =>
  slots.withPermit(Effect.acquireUseRelease(
    Effect.sync(() => {
      const other = flights.get(blob.digest)
      if (landed() || (other !== undefined && other !== overtaken)) return undefined
      const flight = { from: source.registry, landed: Deferred.makeUnsafe<void>() }
      if (other === undefined) flights.set(blob.digest, flight)
      return flight
    }),
    (flight): Effect.Effect<How | undefined, E> => flight === undefined ? Effect.undefined : moving,
    (flight) =>
      Effect.suspend(() => {
        if (flight === undefined) return Effect.void
        if (flights.get(blob.digest) === flight) flights.delete(blob.digest)
        return Deferred.succeed(flight.landed, undefined)
      })
  ))

/** Opens a session; one whose answer comes too late for an interrupted copy is ended all the same. */
const begin = <A extends Upload | "mounted" | undefined>(
  registry: Blobs,
  asked: Effect.Effect<A, RegistryError>
): Effect.Effect<A, RegistryError> =>
  Effect.flatMap(Effect.forkDetach(asked), (asking) =>
    Effect.onInterrupt(
      Fiber.join(asking),
      () =>
        Effect.forkDetach(Effect.matchEffect(Fiber.join(asking), {
          // nobody waits for it any more: where there is none, there is nothing to end
          onFailure: () => Effect.void,
          onSuccess: (upload) => typeof upload === "object" ? registry.cancelUpload(upload) : Effect.void
        }))
    ))

const move = Effect.fnUntraced(function*(
  context: BlobContext,
  blob: Descriptor,
  given: Upload | undefined,
  unseen: boolean
): Effect.fn.Return<How, CloneError> {
  const { counter, ledger, limits, registry, source, backup } = context
  const atSource = Effect.mapError(fromRegistry(context.image, "source"))
  const atBackup = Effect.mapError(fromRegistry(context.image, "backup"))
  let ready = given
  let tries = 0
  let corrupt = 0
  /** The backup has said that it stored other bytes: what it says of the blob now means nothing. */
  let spoiled = false
  const has = atBackup(registry.hasBlob(backup, blob.digest))
  const start = atBackup(begin(registry, registry.startUpload(backup, blob.digest)))
  const startUnlessThere = Effect.gen(function*() {
    const answer = yield* atBackup(begin(registry, registry.mountBlob(backup, blob.digest, backup)))
    return answer ?? ((yield* has) ? "mounted" : yield* start)
  })

  const attempt = Effect.gen(function*(): Effect.fn.Return<How, CloneError, Scope.Scope> {
    const first = tries++ === 0
    // the last attempt may have been stored although its answer was lost
    if (!first && !spoiled && (yield* has)) return "uploaded"
    if (first && unseen && ready !== undefined && (yield* has)) {
      yield* registry.cancelUpload(ready)
      return "present"
    }
    // both sides are asked at once: two round trips in the time of one
    const opening = yield* Effect.forkScoped(atSource(registry.openBlob(source, blob.digest, 0)))
    const upload = ready ?? (yield* (first && unseen ? startUnlessThere : start))
    ready = undefined
    if (upload === "mounted") return "present"
    let moved = 0
    yield* Effect.gen(function*() {
      const opened = yield* Fiber.join(opening)
      yield* transfer({
        registry,
        limits,
        first: opened,
        reopen: (offset) => registry.openBlob(source, blob.digest, offset),
        upload,
        digest: blob.digest,
        size: blob.size,
        target: targetOf(source, blob.digest),
        onBytes: (count) => {
          moved += count
          counter.move(blob.digest, count)
        }
      }).pipe(Effect.mapError(({ error, side }) => fromRegistry(context.image, side)(error)))
    }).pipe(
      Effect.onError(() => {
        counter.move(blob.digest, -moved)
        return registry.cancelUpload(upload)
      })
    )
    return "uploaded"
  }).pipe(Effect.scoped)

  const outcome = yield* Effect.retry(attempt, {
    schedule: retrySchedule(limits),
    // wrong bytes can be the network's fault once; twice they are the registry's, and each try costs the whole blob
    while: (error) => {
      spoiled = error.reason === "corrupt" && error.side === "backup"
      return error.reason !== "corrupt" || corrupt++ === 0
    }
  }).pipe(
    // docker's foreign layers are at their vendor's; the manifest can still be stored where the backup allows it
    Effect.catchIf(
      (error) => blob.foreign && error.side === "source" && error.reason === "not-found",
      () => Effect.succeed<How>("left")
    )
  )
  if (outcome !== "left") ledger.noteBlob(backup.repository, blob.digest)
  return outcome
})
