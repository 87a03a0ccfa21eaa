// MAX_BANDWIDTH: what all blobs together are read with, by a clock that the tests move.
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { makeBandwidth, type PacedStream } from "../../../src/registry/transport/Bandwidth.ts"
import type { BodySink, BodyStream } from "../../../src/registry/transport/BodyStream.ts"

const chunk = Buffer.alloc(100_000)

/** A body that has chunks for as long as it is asked, all in one moment. */
const endless = () => {
  let sink: BodySink | undefined
  let aborted = false
  const pump = () => {
    if (aborted) return
    while (sink?.data(chunk) === true);
  }
  const stream: BodyStream = {
    start: (it) => {
      sink = it
      pump()
    },
    resume: pump,
    abort: () => {
      aborted = true
    }
  }
  return stream
}

/** Reads a stream without end; how many bytes came. */
const read = (stream: PacedStream, wanted: () => boolean = () => true) => {
  let bytes = 0
  stream.start({
    data: (it) => {
      bytes += it.length
      return wanted()
    },
    end: () => {},
    error: () => {}
  })
  return () => bytes
}

const bandwidthOf = (limit: () => number | undefined) =>
  Effect.map(Clock.Clock, (clock) => makeBandwidth({ bytesPerSecond: limit, clock, leastBytes: chunk.length }))

describe("a bandwidth", () => {
  it.effect("is what one stream is read with, and a tenth of a second more at its beginning", () =>
    Effect.gen(function*() {
      const bandwidth = yield* bandwidthOf(() => 1_000_000)
      const stream = yield* bandwidth.pace(endless())
      const bytes = read(stream)
      assert.strictEqual(bytes(), 200_000)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(bytes(), 1_200_000)
      yield* TestClock.adjust("9 seconds")
      assert.strictEqual(bytes(), 10_200_000)
      assert.strictEqual(stream.rested(), Duration.toNanosUnsafe(Duration.seconds(10)))
    }))

  it.effect("is shared by all streams, in turns", () =>
    Effect.gen(function*() {
      const bandwidth = yield* bandwidthOf(() => 1_000_000)
      const streams = yield* Effect.forEach([1, 2, 3, 4], () => bandwidth.pace(endless()))
      const counts = streams.map((it) => read(it))
      yield* TestClock.adjust("10 seconds")
      const all = counts.map((it) => it())
      assert.isAtMost(all.reduce((sum, it) => sum + it, 0), 10_000_000 + 5 * chunk.length)
      for (const it of all) assert.approximately(it, 2_500_000, 2 * chunk.length)
    }))

  it.effect("does not add up while nothing is read", () =>
    Effect.gen(function*() {
      const bandwidth = yield* bandwidthOf(() => 1_000_000)
      yield* TestClock.adjust("1 hour")
      const bytes = read(yield* bandwidth.pace(endless()))
      assert.strictEqual(bytes(), 200_000)
    }))

  it.effect("leaves a stream alone whose reader wants nothing more, until it does", () =>
    Effect.gen(function*() {
      const bandwidth = yield* bandwidthOf(() => 1_000_000)
      const stream = yield* bandwidth.pace(endless())
      let wanted = false
      const bytes = read(stream, () => wanted)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(bytes(), 100_000)
      assert.strictEqual(stream.rested(), 0n)
      // while it rests it is not read, whatever its reader says
      wanted = true
      stream.resume()
      const now = bytes()
      stream.resume()
      assert.strictEqual(bytes(), now)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(bytes(), now + 1_000_000)
    }))

  it.effect("follows its setting", () =>
    Effect.gen(function*() {
      let limit: number | undefined = 1_000_000
      const bandwidth = yield* bandwidthOf(() => limit)
      const stream = yield* bandwidth.pace(endless())
      const bytes = read(stream)
      yield* TestClock.adjust("1 second")
      const before = bytes()
      limit = 5_000_000
      yield* TestClock.adjust("10 seconds")
      assert.approximately(bytes() - before, 50_000_000, 500_000)
    }))

  it.effect("ends with the stream", () =>
    Effect.gen(function*() {
      const bandwidth = yield* bandwidthOf(() => 1_000_000)
      const scope = yield* Scope.make()
      const stream = yield* Scope.provide(bandwidth.pace(endless()), scope)
      const bytes = read(stream)
      yield* Scope.close(scope, yield* Effect.exit(Effect.void))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(bytes(), 200_000)
    }))

  it.effect("makes no stream rest behind its end", () =>
    Effect.gen(function*() {
      const bandwidth = yield* bandwidthOf(() => 1_000_000)
      const stream = yield* bandwidth.pace(endless(), 300_000)
      let left = 3
      const bytes = read(stream, () => --left > 0)
      assert.strictEqual(bytes(), 200_000)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(bytes(), 300_000)
      const rested = stream.rested()
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(stream.rested(), rested)
    }))

  it.effect("makes small bodies begin later, which never rest", () =>
    Effect.gen(function*() {
      const bandwidth = yield* bandwidthOf(() => 1_000_000)
      let bytes = 0
      const one = Effect.gen(function*() {
        const stream = yield* bandwidth.pace(endless(), chunk.length)
        bytes += read(stream, () => false)()
      }).pipe(Effect.scoped)
      yield* Effect.forkChild(Effect.forEach(Array.from({ length: 5 }), () => Effect.forever(one), {
        concurrency: "unbounded"
      }))
      for (let at = 0; at < 200; at++) yield* TestClock.adjust("100 millis")
      // and what five of them may be ahead
      assert.isAtMost(bytes, 20 * 1_000_000 + 1_000_000 + 6 * chunk.length)
      assert.isAtLeast(bytes, 20 * 1_000_000)
    }))

  it.effect("keeps no stream silent for more than half a minute", () =>
    Effect.gen(function*() {
      const bandwidth = yield* bandwidthOf(() => 100_000)
      const streams = yield* Effect.forEach(Array.from({ length: 40 }), () => bandwidth.pace(endless()))
      const counts = streams.map((it) => read(it))
      const before = counts.map((it) => it())
      yield* TestClock.adjust("31 seconds")
      for (const [at, it] of counts.entries()) assert.isAbove(it(), before[at] ?? 0)
    }))

  it.effect("is no excuse for a stream that brings next to nothing while others are fast", () =>
    Effect.gen(function*() {
      const bandwidth = yield* bandwidthOf(() => 1_000_000)
      yield* Effect.forEach([1, 2, 3], () => Effect.map(bandwidth.pace(endless()), (it) => read(it)))
      let sink: BodySink | undefined
      const drip = yield* bandwidth.pace({
        start: (it) => {
          sink = it
        },
        resume: () => {},
        abort: () => {}
      })
      read(drip)
      for (let at = 0; at < 1000; at++) {
        assert.isTrue(sink?.data(Buffer.alloc(99)))
        yield* TestClock.adjust("20 millis")
      }
      assert.strictEqual(drip.rested(), 0n)
    }))

  it.effect("that is not set holds nothing back", () =>
    Effect.gen(function*() {
      const bandwidth = yield* bandwidthOf(() => undefined)
      let left = 1000
      const stream = yield* bandwidth.pace(endless())
      const bytes = read(stream, () => --left > 0)
      assert.strictEqual(bytes(), 1000 * chunk.length)
      assert.strictEqual(stream.rested(), 0n)
    }))

  const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
  it.effect.prop("is never exceeded by more than its burst and a chunk of each stream", {
    limit: between(1_000_000, 4_000_000),
    streams: between(1, 6),
    seconds: between(1, 5)
  }, ({ limit, seconds, streams }) =>
    Effect.gen(function*() {
      const bandwidth = yield* bandwidthOf(() => limit)
      const counts = yield* Effect.forEach(
        Array.from({ length: streams }),
        () => Effect.map(bandwidth.pace(endless()), (it) => read(it))
      )
      yield* TestClock.adjust(Duration.seconds(seconds))
      const all = counts.reduce((sum, it) => sum + it(), 0)
      assert.isAtMost(all, Math.ceil(limit * (seconds + 0.1)) + streams * chunk.length)
      assert.isAtLeast(all, limit * seconds)
    }).pipe(Effect.scoped))
})
