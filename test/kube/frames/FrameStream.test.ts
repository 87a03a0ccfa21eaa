import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Queue, Schema, Stream } from "effect"
import { PassThrough, Readable } from "node:stream"
import { setImmediate, setTimeout } from "node:timers/promises"
import type { Frame } from "../../../src/kube/frames/Frames.ts"
import { makeFramer } from "../../../src/kube/frames/Frames.ts"
import { frameStream } from "../../../src/kube/frames/FrameStream.ts"
import { type KubeError, protocolError } from "../../../src/kube/KubeError.ts"

const longest = 32 * 1024

const framesOf = (body: Readable): Stream.Stream<ReadonlyArray<Frame>, KubeError> =>
  frameStream(body, makeFramer("application/json", longest), {
    broken: (cause) => protocolError("GET /pods", String(cause)),
    tooLong: () => protocolError("GET /pods", "too long")
  })

/** Takes batches one by one, each when it is asked for. */
const taking = Effect.fnUntraced(function*(body: Readable) {
  const wanted = yield* Queue.unbounded<void>()
  const taken = yield* Queue.unbounded<ReadonlyArray<Frame>>()
  const fiber = yield* Effect.forkScoped(
    framesOf(body).pipe(Stream.runForEach((frames) => Effect.andThen(Queue.offer(taken, frames), Queue.take(wanted))))
  )
  return { fiber, taken: Queue.take(taken), next: Queue.offer(wanted, undefined) }
})

/** Until all that has been written was read, or could be. */
const settled = Effect.repeat(Effect.promise(() => setImmediate()), { times: 10 })

describe("the frames of an answer", () => {
  it.effect("that have come together are taken together, and wake whoever takes them once", () =>
    Effect.scoped(Effect.gen(function*() {
      const body = new PassThrough()
      const { fiber, next, taken } = yield* taking(body)
      yield* settled
      for (const line of ["a", "b", "c"]) body.write(`${line}\n`)
      assert.deepStrictEqual(yield* taken, ["a", "b", "c"])
      body.write("d\n")
      yield* settled
      body.write("e\n")
      yield* settled
      yield* next
      assert.deepStrictEqual(yield* taken, ["d", "e"])
      body.end("f")
      yield* next
      // what follows the last newline was cut off
      yield* Fiber.join(fiber)
    })))

  it.effect.prop(
    "are all there in their order, wherever the bytes are cut",
    {
      lines: Schema.Array(Schema.String.check(Schema.isPattern(/^[a-z]{1,40}$/))),
      size: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 50 }))
    },
    ({ lines, size }) =>
      Effect.gen(function*() {
        const bytes = Buffer.from(lines.map((it) => `${it}\n`).join(""))
        const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
          bytes.subarray(at * size, (at + 1) * size))
        const body = Readable.from(chunks, { objectMode: false })
        const seen = yield* Stream.runCollect(Stream.flattenIterable(framesOf(body)))
        assert.deepStrictEqual(seen.map(String), lines)
      })
  )

  it.effect("come before what has ended the answer: a connection that broke, or was closed", () =>
    Effect.gen(function*() {
      for (const [cause, said] of [[new Error("reset"), /reset/], [undefined, /closed/]] as const) {
        const body = new PassThrough()
        const seen: Array<string> = []
        body.write("a\n")
        void setTimeout(1).then(() => body.destroy(cause))
        const error = yield* framesOf(body).pipe(
          Stream.runForEach((frames) => Effect.sync(() => void seen.push(...frames.map(String)))),
          Effect.flip
        )
        assert.deepStrictEqual(seen, ["a"])
        assert.match(error.message, said)
      }
    }))

  it.effect("are given up where one is too long, with the connection", () =>
    Effect.gen(function*() {
      const body = new PassThrough()
      body.write(`a\n${"b".repeat(longest + 1)}`)
      const error = yield* Effect.flip(Stream.runDrain(framesOf(body)))
      assert.match(error.message, /too long/)
      yield* settled
      assert.isTrue(body.destroyed)
    }))
})

describe("a server that sends faster than its frames are taken", () => {
  it.effect("is made to wait, and goes on when they are", () =>
    Effect.scoped(Effect.gen(function*() {
      let sent = 0
      const line = Buffer.from(`${"x".repeat(longest - 1)}\n`)
      const body = new Readable({
        read() {
          if (sent === 400) return void this.push(null)
          sent += 1
          void setTimeout(0).then(() => this.push(line))
        }
      })
      const { fiber, next, taken } = yield* taking(body)
      let seen = (yield* taken).length
      let held = -1
      while (held !== sent) {
        held = sent
        yield* Effect.promise(() => setTimeout(50))
      }
      assert.isBelow(held, 60)
      while (seen < 400) {
        yield* next
        seen += (yield* taken).length
      }
      yield* next
      yield* Fiber.join(fiber)
      assert.strictEqual(seen, 400)
    })))

  it.effect("is not made to wait within a frame, of which there is nothing to take yet", () =>
    Effect.gen(function*() {
      const whole = `${"x".repeat(3 * 1024 * 1024)}\n`
      const body = Readable.from([
        ...Array.from({ length: 48 }, (_, at) => Buffer.from(whole.slice(at * 65536, (at + 1) * 65536))),
        Buffer.from("\n")
      ], {
        objectMode: false
      })
      const seen = yield* frameStream(body, makeFramer(undefined, 8 * 1024 * 1024), {
        broken: (cause) => protocolError("GET /pods", String(cause)),
        tooLong: () => protocolError("GET /pods", "too long")
      }).pipe(Stream.flattenIterable, Stream.runCollect)
      assert.deepStrictEqual(seen.map((it) => it.length), [3 * 1024 * 1024])
    }))
})

describe("whoever stops taking frames", () => {
  it.effect("closes the connection, at any moment", () =>
    Effect.gen(function*() {
      for (const write of [[], ["a\n"], ["a\n", "b"]]) {
        const body = new PassThrough()
        const begun = yield* Deferred.make<void>()
        const fiber = yield* Effect.forkChild(
          Effect.andThen(Deferred.succeed(begun, undefined), Stream.runForEach(framesOf(body), () => Effect.never))
        )
        yield* Deferred.await(begun)
        for (const it of write) body.write(it)
        yield* settled
        yield* Fiber.interrupt(fiber)
        assert.isTrue(body.destroyed)
      }
    }))
})
