// Downloads that break off are taken up where they broke off; the table of what registries answer then.
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Result } from "effect"
import { TestClock } from "effect/testing"
import type { ServerResponse } from "node:http"
import { makeDownload } from "../../../src/clone/blob/Download.ts"
import type { OpenBlob } from "../../../src/registry/api/Blobs.ts"
import type { BodySink } from "../../../src/registry/transport/BodyStream.ts"
import { defaultLimits } from "../../../src/registry/Limits.ts"
import { registryError } from "../../../src/registry/RegistryError.ts"
import { type Seen, startServer } from "../../support/FakeRegistry.ts"
import { imageOf, layerOf } from "../../support/TestImages.ts"
import { eventually } from "../../support/Eventually.ts"
import { assertWhole, betweenRegistries, type SourceAndBackup } from "../../support/SourceAndBackup.ts"

const layer = layerOf("long", 6_000_000)
const long = imageOf([layer])
const half = 3_000_000
const gets = new RegExp(`GET .*blobs/${layer.digest}`)
const puts = new RegExp(`PUT .*uploads.*${layer.digest.replace(":", "%3A")}`)

/** Sends bytes `from` to `to` of the layer as if there were more to come, and hangs up. */
const cut = (response: ServerResponse, from: number, to: number) => {
  response.writeHead(from === 0 ? 200 : 206, {
    "content-length": layer.bytes.length - from,
    ...(from === 0 ? {} : { "content-range": `bytes ${from}-${layer.bytes.length - 1}/${layer.bytes.length}` })
  })
  response.write(layer.bytes.subarray(from, to), () => setTimeout(() => response.destroy(), 20))
}

const offsetOf = (seen: Seen) => Number(/^bytes=(\d+)-$/.exec(seen.headers.range ?? "")?.[1] ?? 0)
const offsets = ({ source }: SourceAndBackup) =>
  source.seen.filter((it) => it.method === "GET" && it.path.endsWith(layer.digest)).map(offsetOf)

describe("a download that breaks off", () => {
  it.live("is taken up where it was, in the same upload", () =>
    betweenRegistries((it) =>
      Effect.gen(function*() {
        it.source.add("app", long, "1")
        it.source.on(gets, (_, response) => cut(response, 0, half), 1)
        const copied = yield* it.clone()
        const [first, second, ...more] = offsets(it)
        assert.deepStrictEqual([first, more], [0, []])
        // what was on the way when the connection ended may be lost, never counted twice
        assert.isAbove(second ?? 0, 0)
        assert.isAtMost(second ?? 0, half)
        assertWhole(it.backup, it.into, long)
        assert.strictEqual(it.backup.count(puts), 1)
        assert.strictEqual(it.backup.count(/DELETE/), 0)
        assert.strictEqual(copied.blobs.uploaded, 2)
      })
    ))

  it.live("as often as it comes a good part further", () =>
    betweenRegistries((it) =>
      Effect.gen(function*() {
        it.source.add("app", long, "1")
        it.source.on(gets, (seen, response, next) => {
          const from = offsetOf(seen)
          if (from > 4_500_000) return next()
          return cut(response, from, from + 1_500_000)
        })
        yield* it.clone()
        assert.isAtLeast(offsets(it).length, 4)
        assert.deepStrictEqual(offsets(it), offsets(it).toSorted((one, other) => one - other))
        assertWhole(it.backup, it.into, long)
        assert.strictEqual(it.backup.count(puts), 1)
      })
    ))

  it.live("for a few bytes each time is given up", () =>
    betweenRegistries((it) =>
      Effect.gen(function*() {
        it.source.add("app", long, "1")
        it.source.on(gets, (seen, response) => cut(response, offsetOf(seen), offsetOf(seen) + 10_000))
        const error = yield* Effect.flip(it.clone())
        assert.deepStrictEqual([error.reason, error.side, error.retryable], ["unavailable", "source", true])
        assert.strictEqual(offsets(it).length, 4)
        assert.isUndefined(it.backup.manifest(it.into, "1"))
      }), { limits: { attempts: 2 } }))

  it.live("at a registry without ranges begins anew, and what is known is thrown away", () =>
    betweenRegistries((it) =>
      Effect.gen(function*() {
        it.source.add("app", long, "1")
        it.source.on(gets, (_, response) => {
          response.writeHead(200, { "content-length": layer.bytes.length })
          response.end(layer.bytes)
        })
        it.source.on(gets, (_, response) => cut(response, 0, half), 1)
        yield* it.clone()
        assert.strictEqual(offsets(it).length, 2)
        assertWhole(it.backup, it.into, long)
        assert.strictEqual(it.backup.count(puts), 1)
      })
    ))

  it.live.each<[string, (seen: Seen, response: ServerResponse) => void]>([
    ["another part", (_, response) => {
      response.writeHead(206, { "content-range": `bytes 0-9/${layer.bytes.length}` }).end(Buffer.alloc(10))
    }],
    ["a part without saying which", (_, response) => {
      response.writeHead(206).end(Buffer.alloc(10))
    }],
    ["416", (_, response) => {
      response.writeHead(416).end()
    }]
  ])(
    "and gets %s is downloaded anew as a whole, or not at all",
    ([, answer]) =>
      betweenRegistries((it) =>
        Effect.gen(function*() {
          it.source.add("app", long, "1")
          it.source.on(gets, (seen, response) => {
            if (offsetOf(seen) === 0) return cut(response, 0, half)
            return answer(seen, response)
          })
          const error = yield* Effect.flip(it.clone())
          assert.strictEqual(error.side, "source")
          assert.isUndefined(it.backup.blob(it.into, layer.digest))
          assert.isUndefined(it.backup.manifest(it.into, "1"))
        }), { limits: { attempts: 2 } })
  )

  it.live("and goes on with other bytes never completes an upload", () =>
    betweenRegistries((it) =>
      Effect.gen(function*() {
        it.source.add("app", long, "1")
        it.source.on(gets, (seen, response) => {
          const from = offsetOf(seen)
          if (from === 0) return cut(response, 0, half)
          response.writeHead(206, {
            "content-length": layer.bytes.length - from,
            "content-range": `bytes ${from}-${layer.bytes.length - 1}/${layer.bytes.length}`
          })
          return response.end(Buffer.alloc(layer.bytes.length - from))
        })
        const error = yield* Effect.flip(it.clone())
        assert.deepStrictEqual([error.reason, error.side], ["corrupt", "source"])
        assert.strictEqual(it.backup.count(puts), 0)
        assert.isUndefined(it.backup.manifest(it.into, "1"))
      })
    ))

  it.live("behind a redirect asks the registry anew: the storage's link has expired", () =>
    Effect.gen(function*() {
      let live = 0
      const ranges: Array<string | undefined> = []
      const storage = yield* startServer((seen, response) => {
        ranges.push(seen.headers.range)
        if (seen.query.get("signature") !== String(live)) return void response.writeHead(403).end()
        if (live === 1) return cut(response, 0, half)
        const from = offsetOf(seen)
        response.writeHead(206, { "content-range": `bytes ${from}-${layer.bytes.length - 1}/${layer.bytes.length}` })
        response.end(layer.bytes.subarray(from))
      })
      yield* betweenRegistries((it) =>
        Effect.gen(function*() {
          it.source.add("app", long, "1")
          it.source.on(gets, (_, response) => {
            live++
            response.writeHead(307, { location: `${storage.origin}/object?signature=${live}` }).end()
          })
          yield* it.clone()
          assertWhole(it.backup, it.into, long)
          assert.strictEqual(it.source.count(gets), 2)
          assert.match(ranges[1] ?? "", /^bytes=\d+-$/)
          assert.strictEqual(it.backup.count(puts), 1)
        }), { others: [storage] })
    }))
})

describe("a download that stands still", () => {
  it.live("goes on over another connection", () =>
    betweenRegistries((it) =>
      Effect.gen(function*() {
        it.source.add("app", long, "1")
        it.source.on(gets, (_, response) => {
          response.writeHead(200, { "content-length": layer.bytes.length })
          response.write(layer.bytes.subarray(0, half))
        }, 1)
        yield* it.clone()
        assert.deepStrictEqual(offsets(it), [0, half])
        assertWhole(it.backup, it.into, long)
        assert.strictEqual(it.backup.count(puts), 1)
      }), { limits: { stallWindow: Duration.millis(300), stallBytes: 100_000 } }))
})

describe("a download that MAX_BANDWIDTH holds back", () => {
  const stall = { stallWindow: Duration.millis(200), stallBytes: 400_000 }

  it.live("takes the time that it has to, stands still for no registry's fault, and arrives whole", () =>
    betweenRegistries((it) =>
      Effect.gen(function*() {
        it.source.add("app", long, "1")
        const [elapsed] = yield* Effect.timed(it.clone())
        // less a tenth of a second's burst, and the last read, which need not be waited for
        assert.isAbove(Duration.toMillis(elapsed), 1500)
        assert.deepStrictEqual(offsets(it), [0])
        assertWhole(it.backup, it.into, long)
      }), { bytesPerSecond: 3_000_000, limits: { ...stall, readBytes: 1024 * 1024 } }))

  it.live("is shared by all images", () =>
    betweenRegistries((it) =>
      Effect.gen(function*() {
        const images = [1, 2, 3, 4].map((at) => imageOf([layerOf(`${at}`, 1_500_000)]))
        images.forEach((image, at) => it.source.add("app", image, `${at}`))
        const [elapsed] = yield* Effect.timed(
          Effect.forEach(images, (_, at) => it.clone({ tag: `${at}` }), { concurrency: "unbounded" })
        )
        assert.isAbove(Duration.toMillis(elapsed), 1500)
        for (const image of images) assertWhole(it.backup, it.into, image)
      }), { bytesPerSecond: 3_000_000, limits: stall }))

  it.live("is given up all the same where the source drips, whatever the others do", () =>
    betweenRegistries((it) =>
      Effect.gen(function*() {
        const others = [1, 2].map((at) => imageOf([layerOf(`${at}`, 4_000_000)]))
        others.forEach((image, at) => it.source.add("app", image, `${at}`))
        it.source.add("app", long, "drip")
        it.source.on(gets, (_, response) => {
          response.writeHead(200, { "content-length": layer.bytes.length })
          const drip = setInterval(() => response.write("x"), 20)
          response.once("close", () => clearInterval(drip))
        })
        const busy = yield* Effect.forkChild(
          Effect.forEach(others, (_, at) => it.clone({ tag: `${at}` }), { concurrency: "unbounded" }),
          { startImmediately: true }
        )
        const error = yield* Effect.flip(it.clone({ tag: "drip" }))
        assert.include(error.message, "stalled after")
        assert.isUndefined(busy.pollUnsafe())
        yield* Fiber.join(busy)
      }), { bytesPerSecond: 3_000_000, limits: { ...stall, attempts: 1 } }))
})

describe("a download over a slow line", () => {
  /** Bytes that come a portion every ten seconds, from a registry that cannot be asked again. */
  const trickle = Effect.fnUntraced(function*(portion: number) {
    const size = 600_000
    let sink: BodySink | undefined
    const closed: OpenBlob = {
      size,
      offset: 0,
      start: (it) => {
        sink = it
      },
      resume: () => {},
      rested: () => 0n,
      release: () => {},
      abort: () => {}
    }
    const gone = registryError({ operation: "GET blob", target: "it", reason: "NotFound", detail: "gone" })
    const download = makeDownload({
      limits: defaultLimits,
      first: closed,
      reopen: () => Effect.fail(gone),
      size,
      target: "it",
      data: () => true,
      blocked: () => false
    })
    const running = yield* Effect.forkScoped(Effect.result(download.run), { startImmediately: true })
    for (let sent = 0; sent < size; sent += portion) {
      yield* TestClock.adjust("10 seconds")
      sink?.data(Buffer.alloc(Math.min(portion, size - sent)))
    }
    yield* TestClock.adjust("2 minutes")
    return Result.isSuccess(yield* Fiber.join(running))
  })

  it.effect("of little more than a kilobyte a second, one of many that share it, is let come to its end", () =>
    Effect.gen(function*() {
      assert.isTrue(yield* trickle(14_000))
      assert.isFalse(yield* trickle(5000))
    }))
})

describe("an answer that has brought all bytes", () => {
  it.live(
    "and never ends is enough, and its connection is closed",
    () =>
      betweenRegistries((it) =>
        Effect.gen(function*() {
          const open = new Set<unknown>()
          it.source.add("app", long, "1")
          for (const blob of long.blobs) {
            it.source.on(new RegExp(`GET .*blobs/${blob.digest}`), (_, response) => {
              open.add(response)
              response.on("close", () => open.delete(response))
              response.writeHead(200).write(blob.bytes)
            })
          }
          yield* it.clone().pipe(Effect.timeout("10 seconds"))
          assertWhole(it.backup, it.into, long)
          assert.strictEqual(it.backup.count(puts), 1)
          yield* eventually("the connections do not end", () => open.size === 0)
        })
      ),
    15_000
  )

  it.live("and goes on with more is corrupt", () =>
    betweenRegistries((it) =>
      Effect.gen(function*() {
        it.source.add("app", long, "1")
        it.source.on(
          gets,
          (_, response) => response.writeHead(200).write(Buffer.concat([layer.bytes, Buffer.from("x")]))
        )
        const error = yield* Effect.flip(it.clone())
        assert.deepStrictEqual([error.reason, error.side], ["corrupt", "source"])
        assert.strictEqual(it.backup.count(puts), 0)
      })
    ))

  it.live("and ends a little later leaves a connection that is used again", () =>
    betweenRegistries((it) =>
      Effect.gen(function*() {
        const sockets = new Set<unknown>()
        const images = Array.from({ length: 4 }, (_, at) => imageOf([layerOf(`short${at}`, 10_000)]))
        for (const [at, { blobs }] of images.entries()) {
          it.source.add("app", images[at] ?? long, String(at))
          for (const blob of blobs) {
            it.source.on(new RegExp(`GET .*blobs/${blob.digest}`), (_, response) => {
              sockets.add(response.socket)
              response.writeHead(200).write(blob.bytes)
              setTimeout(() => response.end(), 100)
            })
          }
        }
        for (const at of images.keys()) yield* it.clone({ tag: String(at) })
        // two blobs at once, and undici frees a connection just after the answer is handed over
        assert.isAtMost(sockets.size, 3)
      })
    ))
})

it.live("a length that contradicts the manifest is found before a byte is moved", () =>
  betweenRegistries((it) =>
    Effect.gen(function*() {
      it.source.add("app", long, "1")
      it.source.on(gets, (_, response) => response.writeHead(200, { "content-length": 5 }).end("12345"))
      const error = yield* Effect.flip(it.clone())
      assert.deepStrictEqual([error.reason, error.side], ["corrupt", "source"])
      assert.strictEqual(it.backup.count(puts), 0)
    })
  ))
