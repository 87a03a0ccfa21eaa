import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Metric } from "effect"
import { PrometheusMetrics } from "effect/observability"
import * as Metrics from "../../src/telemetry/Metrics.ts"
import { refuse } from "../support/FakeRegistry.ts"
import { gate } from "../support/Gate.ts"
import { imageOf, layerOf } from "../support/TestImages.ts"
import { assertWhole, betweenRegistries, image } from "../support/SourceAndBackup.ts"

describe("one flight", () => {
  it.live("serves all who ask for an image, however they write it", () =>
    betweenRegistries(({ clone, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "latest")
        const results = yield* Effect.forEach(
          Array.from({ length: 200 }),
          (_, at) => clone(at % 2 === 0 ? {} : { tag: "latest" }),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(source.count(/HEAD/), 1)
        assert.strictEqual(source.count(/GET .*blobs/), 3)
        assert.isTrue(results.every((it) => it.digest === image.root.digest && !it.upToDate))
      })
    ))

  it.live("that fails fails for all who wait, and is not remembered", () =>
    betweenRegistries(({ clone, source }) =>
      Effect.gen(function*() {
        source.on(/./, (_, response) => {
          setTimeout(() => refuse(response, 404, "MANIFEST_UNKNOWN"), 100)
        }, 1)
        const errors = yield* Effect.forEach(Array.from({ length: 200 }), () => Effect.flip(clone()), {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(source.seen.map((it) => it.method), ["HEAD", "GET"])
        assert.isTrue(errors.every((it) => it.reason === "not-found"))
        source.add("app", image, "1")
        assert.strictEqual((yield* clone()).digest, image.root.digest)
      })
    ))

  it.live("goes on while anybody still wants it", () =>
    betweenRegistries(({ clone, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        const door = gate(source)
        const one = yield* Effect.forkChild(clone(), { startImmediately: true })
        const two = yield* Effect.forkChild(clone(), { startImmediately: true })
        yield* door.are(1)
        yield* Fiber.interrupt(one)
        yield* door.one
        assert.strictEqual((yield* Fiber.join(two)).digest, image.root.digest)
        assert.strictEqual(source.count(/HEAD/), 1)
      })
    ))
})

describe("an image whose registry is at a private address", () => {
  it.live("is yours already: it is left alone, and where a registry leads to one it is refused", () =>
    betweenRegistries(({ clone, source }) =>
      Effect.gen(function*() {
        const internal = yield* Effect.flip(clone({ registry: "10.9.8.7:5000", tag: "1" }))
        assert.deepStrictEqual([internal.reason, internal.side, internal.retryable], ["internal", "source", false])
        assert.include(internal.message, "PRIVATE_REGISTRIES")
        source.on(/HEAD/, (_, response) => response.writeHead(307, { location: "http://10.9.8.7:5000/x" }).end())
        assert.strictEqual((yield* Effect.flip(clone())).reason, "refused")
      })
    ))
})

/** A whole answer in small chunks, written at once: Node's own server would join them. */
const chunked = (bytes: Buffer): Buffer => {
  const parts: Array<Buffer> = ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"].map((it) => Buffer.from(it))
  for (let at = 0; at < bytes.length; at += 10_000) {
    const part = bytes.subarray(at, at + 10_000)
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from("\r\n"))
  }
  return Buffer.concat([...parts, Buffer.from("0\r\n\r\n")])
}

describe("many large blobs at once", () => {
  it.live(
    "arrive as they are although their buffers are used again and again",
    () =>
      betweenRegistries(({ backup, clone, into, source }) =>
        Effect.gen(function*() {
          const images = Array.from(
            { length: 4 },
            (_, at) => imageOf([layerOf(`x${at}`, 5_000_000), layerOf(`y${at}`, 3_333_333), layerOf(`z${at}`, 1)])
          )
          images.forEach((it, at) => source.add(`app${at}`, it, "1"))
          // half of them in chunks, whose slices must not come back to the pool
          source.on(/GET .*blobs/, (seen, response, next) => {
            if (!seen.path.includes("app1") && !seen.path.includes("app3")) return next()
            const bytes = source.blob(seen.path.split("/")[2] ?? "", seen.path.split("/").at(-1) ?? "")
            if (bytes === undefined) return next()
            return response.socket?.write(chunked(bytes))
          })
          yield* Effect.forEach(images, (_, at) => clone({ repository: `app${at}`, tag: "1" }), {
            concurrency: "unbounded"
          })
          images.forEach((it, at) => assertWhole(backup, into.replace(/app$/, `app${at}`), it))
        }), { permits: 4 }),
    30_000
  )
})

describe("telemetry", () => {
  const value = (metric: Metric.Metric<never, { readonly count: number | bigint }>) =>
    Effect.map(Metric.value(metric), (it) => Number(it.count))

  it.live("counts clones, blobs and requests, and never names an image", () =>
    betweenRegistries(({ backup, clone, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        yield* clone()
        yield* clone()
        yield* Effect.flip(clone({ tag: "none" }))
        assert.strictEqual(yield* value(Metrics.clones({ result: "copied" })), 1)
        assert.strictEqual(yield* value(Metrics.clones({ result: "up-to-date" })), 1)
        assert.strictEqual(yield* value(Metrics.clones({ result: "not-found" })), 1)
        assert.strictEqual(yield* value(Metrics.blobs({ how: "uploaded" })), 3)
        assert.strictEqual(yield* value(Metrics.blobs({ how: "present" })), 3)
        assert.isAbove(yield* value(Metrics.blobBytes({ how: "uploaded" })), 40_000)
        assert.strictEqual(yield* value(Metrics.manifests), 1)
        assert.isAbove(yield* value(Metrics.registryRequests({ host: backup.host, code: "2xx" })), 5)
        // a source's host is a tenant's word: it has to be used a while first
        assert.isAbove(yield* value(Metrics.registryRequests({ host: "other", code: "2xx" })), 3)
        assert.notInclude(yield* PrometheusMetrics.format(), source.host)
      })
    ).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))
})
