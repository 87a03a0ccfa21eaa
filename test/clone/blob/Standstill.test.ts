import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { standstill } from "../../../src/clone/blob/Standstill.ts"

const limits = { stallBytes: 1000, stallWindow: Duration.seconds(60) }
const seconds = (count: number) => Duration.toNanosUnsafe(Duration.seconds(count))

/** Bytes that come and seconds that are rested in each minute; after how many minutes it is a standstill. */
const endOf = Effect.fnUntraced(function*(minutes: ReadonlyArray<readonly [bytes: number, rested: number]>) {
  let bytes = 0
  let rested = 0n
  const fiber = yield* Effect.forkChild(standstill(limits, () => ({ bytes, rested })), { startImmediately: true })
  for (const [at, [more, rest]] of minutes.entries()) {
    bytes += more
    rested += seconds(rest)
    yield* TestClock.adjust("60 seconds")
    if (fiber.pollUnsafe() !== undefined) return at + 1
  }
  yield* Fiber.interrupt(fiber)
  return undefined
})

describe("a standstill", () => {
  it.effect.each<readonly [string, ReadonlyArray<readonly [number, number]>, number | undefined]>([
    ["is when nothing comes", [[0, 0]], 1],
    ["is when too little comes in one window, however much did before", [[9000, 0], [999, 0]], 2],
    ["is none while enough comes", [[1000, 0], [1000, 0], [1000, 0]], undefined],
    ["is none while the stream mostly rests", [[0, 31], [0, 60], [999, 31]], undefined],
    ["is one when it rests half the time or less", [[0, 31], [999, 30]], 2]
  ])("%s", ([, minutes, end]) => Effect.map(endOf(minutes), (it) => assert.strictEqual(it, end)))
})
