import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { gzipSync } from "node:zlib"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import { failure, fakeApi, testing } from "./FakeApi.ts"

const ask = (server: string) =>
  KubeClient.use((client) => client.request({ method: "GET", path: "/api/v1/things", packed: true })).pipe(
    Effect.provide(KubeClient.layerFrom({ server }))
  )

describe("a packed answer", () => {
  it.live("is the same as one that is not, also where it says what is wrong", () =>
    Effect.gen(function*() {
      const api = yield* fakeApi([
        (_, response) => {
          response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" })
          response.end(gzipSync("{\"kind\":\"Thing\"}"))
        },
        (_, response) => {
          response.writeHead(403, { "content-type": "application/json", "content-encoding": "gzip" })
          response.end(gzipSync(JSON.stringify(failure(403, "Forbidden", "may not see things"))))
        }
      ])
      assert.deepStrictEqual(yield* ask(api.server), { kind: "Thing" })
      assert.include((yield* Effect.flip(ask(api.server))).message, "may not see things")
    }).pipe(Effect.provide(testing)))

  it.live("that nobody here can unpack still says by its status that the server has refused", () =>
    Effect.gen(function*() {
      const api = yield* fakeApi([(_, response) => {
        response.writeHead(403, { "content-type": "application/json", "content-encoding": "br" }).end("x")
      }])
      assert.strictEqual((yield* Effect.flip(ask(api.server))).reason, "Forbidden")
    }).pipe(Effect.provide(testing)))

  it.live("that stands still is given up with whoever asks", () =>
    Effect.gen(function*() {
      let closed = false
      const api = yield* fakeApi([(_, response) => {
        response.on("close", () => {
          closed = true
        })
        response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" })
        response.write(gzipSync("{}").subarray(0, 10))
      }])
      const fiber = yield* Effect.forkChild(ask(api.server))
      yield* Effect.sleep("5 seconds")
      yield* Fiber.interrupt(fiber)
      yield* Effect.sleep("5 seconds")
      assert.isTrue(closed)
    }).pipe(Effect.provide(testing)))
})
