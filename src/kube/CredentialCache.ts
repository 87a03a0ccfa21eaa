// How often what we log in to the API server with is read again, and what is kept when that fails.
import { Clock, Effect, Semaphore } from "effect"
import type { Access } from "./Access.ts"
import type { KubeError } from "./KubeError.ts"

/** In milliseconds; client-go reads token files again every minute. */
const mostAge = 60_000

/**
 * Reads once a minute, one at a time. A failed read keeps what was read before, however old: rotation is not atomic
 * everywhere, and the server decides whether it is still good.
 */
export const cached = Effect.fnUntraced(function*(read: Effect.Effect<Access, KubeError>) {
  const lock = yield* Semaphore.make(1)
  let last: { readonly access: Access; readonly at: number } | undefined
  let fresh = false
  const access = lock.withPermit(Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    if (last !== undefined && fresh && now - last.at < mostAge) return last.access
    const before = last
    const next = before === undefined
      ? yield* read
      : yield* read.pipe(
        Effect.catch((error) =>
          Effect.as(Effect.logWarning(`the old credentials stay in use: ${error.message}`), before.access)
        )
      )
    last = { access: next, at: now }
    fresh = true
    return next
  }))
  const reload = (refused: Access) =>
    Effect.sync(() => {
      if (last?.access !== refused) return false
      fresh = false
      return true
    })
  return { access, reload }
})
