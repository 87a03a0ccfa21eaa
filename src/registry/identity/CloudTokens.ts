// CloudTokens: what clouds have given us to log in with, kept until half of its life is over, six hours at most. Both clocks
// count: the monotonic one stands still while a machine sleeps, and the wall clock may be set back.
// Edge: how a cloud is asked is the caller's; whom a token may be shown to is Identities.ts'.
import { Clock, Duration, Effect, Result } from "effect"
import { makeBoundedMap } from "../../collections/BoundedMap.ts"
import { makeOnce } from "../../collections/Once.ts"
import { uptime } from "../../telemetry/Uptime.ts"
import type { Credential } from "../auth/DockerConfig.ts"
import type { CloudError } from "./CloudError.ts"

export interface CloudToken {
  readonly credential: Credential
  /** Epoch milliseconds. In the past: it is good for whoever waits for it, and asked for anew by the next. */
  readonly expiresAt: number
}

export interface CloudTokens {
  /**
   * The credential under a key, asked for by one at a time. Where that fails the one before is used to its end, with a
   * warning; without one, the failure stands for half a minute.
   * @param least how long it should be good for: one with less left is replaced, once a minute at most, since clouds may have
   * no better one (metadata services give the same until five minutes before its end)
   */
  readonly get: (
    key: string,
    ask: Effect.Effect<CloudToken, CloudError>,
    least?: Duration.Duration
  ) => Effect.Effect<Credential, CloudError>
  /** This one was refused: the next `get` asks anew. False: no token of ours, or one that has been given up already. */
  readonly drop: (fingerprint: string) => Effect.Effect<boolean>
  /** Milliseconds since the credential was given to us; undefined: it is none of ours. */
  readonly ageOf: (fingerprint: string) => Effect.Effect<number | undefined>
}

const longest = Duration.toMillis("6 hours")
/** Milliseconds between a failure and the next try. */
const pause = 30_000
/** Milliseconds for which what has come is the best that there is. */
const newFor = 60_000
/** Regions and roles; a token has some thousand bytes. */
const most = 256

interface Now {
  readonly up: number
  readonly wall: number
}

interface Held {
  readonly credential: Credential
  readonly since: Now
  /** Milliseconds. */
  readonly life: number
}

const now: Effect.Effect<Now> = Effect.zipWith(uptime, Clock.currentTimeMillis, (up, wall) => ({ up, wall }))

const ageAt = ({ since }: Held, { up, wall }: Now): number => Math.max(up - since.up, wall - since.wall)

/** @param least milliseconds that it should have left */
const isFresh = (held: Held, at: Now, least: number): boolean => {
  const age = ageAt(held, at)
  return age < Math.min(held.life / 2, longest) && (age < newFor || held.life - age >= least)
}

export const makeCloudTokens: Effect.Effect<CloudTokens> = Effect.map(
  makeOnce<Credential, CloudError>({ kept: 0 }),
  (flights) => {
    const tokens = makeBoundedMap<string, Held>(most)
    const failures = makeBoundedMap<string, { readonly error: CloudError; readonly until: number }>(most)

    /** What there is without asking: a fresh token, or what came of the last try. */
    const known = (key: string, at: Now, least: number): Effect.Effect<Credential, CloudError> | undefined => {
      const held = tokens.get(key)
      if (held !== undefined && isFresh(held, at, least)) return Effect.succeed(held.credential)
      const failed = failures.get(key)
      if (failed === undefined || failed.until <= at.up) return undefined
      return held !== undefined && ageAt(held, at) < held.life ? Effect.succeed(held.credential) : failed.error
    }

    const ask = Effect.fnUntraced(function*(
      key: string,
      asking: Effect.Effect<CloudToken, CloudError>,
      least: number
    ) {
      // whoever was before us may have brought it
      const there = known(key, yield* now, least)
      if (there !== undefined) return yield* there
      const answer = yield* Effect.result(asking)
      const at = yield* now
      if (Result.isSuccess(answer)) {
        const { credential, expiresAt } = answer.success
        failures.delete(key)
        tokens.set(key, { credential, since: at, life: expiresAt - at.wall })
        return credential
      }
      const error = answer.failure
      const isNews = failures.get(key)?.error.message !== error.message
      failures.set(key, { error, until: at.up + pause })
      const held = tokens.get(key)
      const left = held === undefined ? 0 : held.life - ageAt(held, at)
      if (held === undefined || left <= 0) {
        tokens.delete(key)
        if (isNews) yield* Effect.logWarning("a cloud gives us no login for its registry", error.message)
        return yield* error
      }
      if (isNews) {
        const minutes = Math.floor(left / 60_000)
        yield* Effect.logWarning(
          `a cloud gives us no new login; the one from before is good for ${minutes} min`,
          error.message
        )
      }
      return held.credential
    })

    const keyOf = (fingerprint: string): string | undefined => {
      for (const [key, held] of tokens.entries()) if (held.credential.fingerprint === fingerprint) return key
      return undefined
    }

    return {
      get: (key, asking, least = Duration.zero) =>
        Effect.flatMap(now, (at) => {
          const millis = Duration.toMillis(least)
          return known(key, at, millis) ?? flights.get(key, ask(key, asking, millis))
        }),
      drop: (fingerprint) =>
        Effect.sync(() => {
          const key = keyOf(fingerprint)
          return key !== undefined && tokens.delete(key)
        }),
      ageOf: (fingerprint) =>
        Effect.map(now, (at) => {
          const held = tokens.get(keyOf(fingerprint) ?? "")
          return held === undefined ? undefined : ageAt(held, at)
        })
    }
  }
)
