// What the tests of certificates share.
import { Clock, Duration, Effect, Layer, Logger } from "effect"
import { SecureRandom } from "effect/crypto"
import { TestClock } from "effect/testing"
import { setTimeout } from "node:timers/promises"
import { eventually } from "../../support/Eventually.ts"

export const day = 86_400_000

/** When the tests begin. */
export const start = Date.UTC(2030, 0, 1)

/** What a leaf is for. */
export const names = ["webhook", "webhook.cloner.svc", "127.0.0.1", "::1"]

/** With a source of randomness, and no logs. */
export const made = Effect.provide(Layer.merge(SecureRandom.layerWebCrypto, Logger.layer([])))

export const base64 = (text: string): string => Buffer.from(text).toString("base64")

/** What is logged, each with its level before it. */
export const logged = () => {
  const lines: Array<string> = []
  const layer = Logger.layer([Logger.make<unknown, void>(({ logLevel, message }) => {
    lines.push(`${logLevel} ${String(message)}`)
  })])
  return { lines, layer }
}

/** Lets fibers and cryptography, which no test clock knows, come to rest: for what is not to happen. */
export const settle = Effect.promise(() => setTimeout(60))

/** Waits in real time, as cryptography takes some. */
export const comes = <A, E, R>(wrong: string, look: Effect.Effect<A, E, R>, wanted: (it: A) => boolean) =>
  TestClock.withLive(eventually(wrong, look, wanted))

/**
 * A test that begins at `start`, and whose wall clock jumps as that of a machine does that has slept: no timer ends by it. The
 * test's own clock would live through every minute in between.
 */
export const withJumps = <A, E, R>(
  body: (jump: (by: Duration.Input) => Effect.Effect<void>) => Effect.Effect<A, E, R>
) =>
  TestClock.testClockWith((clock) => {
    let ahead = start
    const jumping = {
      ...clock,
      currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + ahead,
      currentTimeMillis: Effect.sync(() => clock.currentTimeMillisUnsafe() + ahead)
    }
    const jump = (by: Duration.Input) => Effect.sync(() => void (ahead += Duration.toMillis(by)))
    return Effect.provideService(body(jump), Clock.Clock, jumping)
  })
