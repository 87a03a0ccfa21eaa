// Faults on purpose, and switching a server off: what a client sees of each.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import * as EmbeddedRegistry from "../../../sandbox/registry/EmbeddedRegistry.ts"
import { send } from "../Http.ts"

const content = Buffer.from("0123456789".repeat(10))
const start = Effect.gen(function*() {
  const registry = yield* EmbeddedRegistry.make()
  const digest = yield* registry.loadBlob("app", content)
  return { registry, url: `${registry.url}/v2/app/blobs/${digest}` }
})
const failed = (url: string, init?: RequestInit) =>
  Effect.map(Effect.result(send(url, init)), (it) => it._tag === "Failure")

describe("faults", () => {
  it.live("answer the nth request with something else, as often as told", () =>
    Effect.gen(function*() {
      const { registry, url } = yield* start
      const handle = registry.faults.add({
        path: /\/blobs\//,
        nth: 2,
        times: 1,
        fault: { _tag: "Respond", status: 429, headers: { "retry-after": "7" }, body: "slow down" }
      })
      const statuses: Array<number> = []
      for (let i = 0; i < 3; i++) statuses.push((yield* send(url)).status)
      assert.deepStrictEqual(statuses, [200, 429, 200])
      assert.strictEqual(handle.hits(), 1)
      assert.strictEqual(registry.log.entries()[1]?.status, 429)
    }))

  it.live("cut the body short", () =>
    Effect.gen(function*() {
      const { registry, url } = yield* start
      const handle = registry.faults.add({ fault: { _tag: "Cut", after: 10 } })
      assert.isTrue(yield* failed(url))
      handle.remove()
      assert.isFalse(yield* failed(url))
      assert.strictEqual(registry.log.entries()[0]?.sent, 10)
    }))

  it.live("corrupt one byte, without touching what is stored", () =>
    Effect.gen(function*() {
      const { registry, url } = yield* start
      registry.faults.add({ times: 1, fault: { _tag: "Corrupt", at: 3 } })
      assert.strictEqual((yield* send(url)).text, `0122${content.subarray(4).toString()}`)
      assert.strictEqual((yield* send(url)).text, content.toString())
    }))

  it.live("stall before and within an answer, and delay one", () =>
    Effect.gen(function*() {
      const { registry, url } = yield* start
      for (const fault of [{ _tag: "Stall" }, { _tag: "StallAfter", bytes: 5 }] as const) {
        const handle = registry.faults.add({ fault })
        const answer = yield* Effect.timeoutOption(send(url), "100 millis")
        assert.isTrue(Option.isNone(answer))
        handle.remove()
      }
      registry.faults.add({ fault: { _tag: "Delay", duration: "60 millis" } })
      yield* send(url)
      const last = registry.log.entries().at(-1)
      assert.isAtLeast((last?.endedAt ?? 0) - (last?.startedAt ?? 0), 50)
    }))

  it.live("reset the connection, at once or while a body is sent", () =>
    Effect.gen(function*() {
      const { registry, url } = yield* start
      registry.faults.add({ method: "GET", fault: { _tag: "Refuse" } })
      registry.faults.add({ method: "POST", fault: { _tag: "CutUpload", after: 1 } })
      assert.isTrue(yield* failed(url))
      assert.isTrue(yield* failed(`${registry.url}/v2/app/blobs/uploads/`, { method: "POST", body: content }))
      registry.faults.clear()
      assert.isFalse(yield* failed(url))
    }))
})

describe("a switched-off server", () => {
  it.live("refuses, and comes back on the same port with what it had", () =>
    Effect.gen(function*() {
      const { registry, url } = yield* start
      assert.strictEqual((yield* send(url)).status, 200)
      yield* registry.switchOff
      assert.isTrue(yield* failed(url))
      yield* registry.switchOn
      yield* registry.switchOn
      assert.strictEqual((yield* send(url)).text, content.toString())
    }))

  it.live("resets what is under way", () =>
    Effect.gen(function*() {
      const { registry, url } = yield* start
      registry.faults.add({ fault: { _tag: "StallAfter", bytes: 5 } })
      const [under] = yield* Effect.all([failed(url), Effect.delay(registry.switchOff, "50 millis")], {
        concurrency: "unbounded"
      })
      assert.isTrue(under)
    }))
})
