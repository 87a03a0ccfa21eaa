// SecondLook: one GET of a source's tag where a HEAD was refused. Caches fill by GET alone, and only a GET has a body to say why.
// Registries count what is read of them: a host that announces a budget, or that has ever answered a HEAD of a manifest, is
// believed, and an image is asked for in this way once an hour. Edge: what its answer means is Manifests.ts's.
import { Clock, Deferred, Effect, type Option, Result } from "effect"
import { makeBoundedMap } from "../../collections/BoundedMap.ts"
import { type Repository, targetOf } from "../../image/Repository.ts"
import { type RegistryError, registryError } from "../RegistryError.ts"
import type { ManifestHead } from "./Manifests.ts"

type Outcome = Result.Result<Option.Option<ManifestHead>, RegistryError>

export interface SecondLook {
  /** The registry has answered a HEAD with 200: its other answers to one are believed from now on. */
  readonly answersHeads: (registry: string) => Effect.Effect<void>
  /**
   * The outcome of `get`, or of the last one within the hour; `otherwise` where none was made and none may be.
   * @param mayGet whether there may be one now, as far as the caller knows
   */
  readonly after: <A>(
    asked: { readonly repository: Repository; readonly reference: string; readonly mayGet: boolean },
    get: Effect.Effect<Option.Option<ManifestHead>, RegistryError>,
    otherwise: Effect.Effect<A, RegistryError>
  ) => Effect.Effect<Option.Option<ManifestHead> | A, RegistryError>
}

interface Look {
  /** Monotonic nanoseconds: until when no other is made. */
  readonly until: bigint
  /** How it ended; undefined: whoever made it was interrupted. */
  readonly done: Deferred.Deferred<Outcome | undefined>
}

const hourNanos = 3_600_000_000_000n
const mostImages = 10_000
const mostRegistries = 4096

export const makeSecondLook = (): SecondLook => {
  const answering = makeBoundedMap<string, true>(mostRegistries)
  const made = makeBoundedMap<string, Look>(mostImages)

  /** Makes the look; whoever asks meanwhile waits for it. */
  const look = (image: string, now: bigint, get: Effect.Effect<Option.Option<ManifestHead>, RegistryError>) =>
    Effect.suspend(() => {
      const entry: Look = { until: now + hourNanos, done: Deferred.makeUnsafe() }
      made.set(image, entry)
      return Effect.result(get).pipe(
        Effect.tap((outcome) =>
          // how long to wait was said to whoever asked then, and whoever asks later is not to wait for it again
          Deferred.succeed(
            entry.done,
            Result.mapError(outcome, (error) => registryError({ ...error, retryAfter: undefined }))
          )
        ),
        Effect.onInterrupt(() => {
          if (made.get(image) === entry) made.delete(image)
          return Deferred.succeed(entry.done, undefined)
        }),
        Effect.flatMap(Effect.fromResult)
      )
    })

  return {
    answersHeads: (registry) => Effect.sync(() => answering.set(registry, true)),
    after: Effect.fnUntraced(function*({ mayGet, reference, repository }, get, otherwise) {
      const image = targetOf(repository, reference)
      for (;;) {
        const now = yield* Clock.monotonicTimeNanos
        const last = made.get(image)
        if (last === undefined || last.until <= now) {
          const may = mayGet && answering.get(repository.registry) === undefined
          return yield* (may ? look(image, now, get) : otherwise)
        }
        const outcome = yield* Deferred.await(last.done)
        if (outcome !== undefined) return yield* Effect.fromResult(outcome)
      }
    })
  }
}
