// How to reach one API server and as whom: what the transport needs, wherever it comes from.
import { Clock, Effect, type Redacted, Semaphore } from "effect"
import type { KubeError } from "./KubeError.ts"

/** What a TLS connection needs beyond Node's defaults. */
export interface Tls {
  readonly ca?: string | Buffer | undefined
  readonly cert?: string | Buffer | undefined
  readonly key?: Redacted.Redacted<string | Buffer> | undefined
  readonly servername?: string | undefined
  readonly rejectUnauthorized?: boolean | undefined
}

/** Good for a minute at most: tokens and certificates are rotated. */
export interface Access {
  readonly headers: Readonly<Record<string, Redacted.Redacted>>
  readonly tls: Tls
}

export interface Credentials {
  /** `https://host:port`, possibly with a path, without a slash at the end. */
  readonly server: string
  readonly proxy: string | undefined
  /** Headers and TLS as of now. */
  readonly access: Effect.Effect<Access, KubeError>
  /** Forgets what the server has refused, unless it has been replaced already. */
  readonly reload: (refused: Access) => Effect.Effect<void>
}

const mostAge = 60_000 // client-go reads token files again every minute

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
