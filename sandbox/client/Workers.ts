// Keys to be worked on: each at most once at a time, again when it was added while busy, and later when work asks so.
import { Effect, Latch } from "effect"
import type { Duration, Scope } from "effect"

export interface Workers {
  readonly add: (key: string) => void
}

/**
 * Works on keys, `concurrency` at a time, until the scope closes. What `work` gives back is when the key is due again
 * at the latest. `work` handles its own failures.
 */
export const make = Effect.fnUntraced(function*<R>(
  concurrency: number,
  work: (key: string) => Effect.Effect<Duration.Input | undefined, never, R>
): Effect.fn.Return<Workers, never, R | Scope.Scope> {
  const dirty = new Set<string>()
  const busy = new Set<string>()
  const waiting = new Set<string>()
  const ready = yield* Latch.make(false)
  const add = (key: string) => {
    dirty.add(key)
    ready.openUnsafe()
  }
  const next = (): string | undefined => {
    for (const key of dirty) {
      if (busy.has(key)) continue
      dirty.delete(key)
      busy.add(key)
      return key
    }
    ready.closeUnsafe()
    return undefined
  }
  const scope = yield* Effect.scope
  const later = (key: string, delay: Duration.Input) => {
    // One timer a key is enough: work that still has something to wait for asks again.
    if (waiting.has(key)) return Effect.void
    waiting.add(key)
    return Effect.sleep(delay).pipe(
      Effect.andThen(Effect.sync(() => {
        waiting.delete(key)
        add(key)
      })),
      Effect.forkIn(scope),
      Effect.asVoid
    )
  }
  const worker = Effect.gen(function*() {
    yield* ready.await
    const key = next()
    if (key === undefined) return
    const again = yield* work(key)
    busy.delete(key)
    if (dirty.has(key)) ready.openUnsafe()
    if (again !== undefined) yield* later(key, again)
  })
  yield* Effect.all(Array.from({ length: concurrency }, () => Effect.forkScoped(Effect.forever(worker))))
  return { add }
})
