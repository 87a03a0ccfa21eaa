import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { layer, mostChanges, RecentChanges } from "../../src/telemetry/RecentChanges.ts"

describe("recent changes", () => {
  it.effect("are the last hundred, newest first, with when they were", () =>
    Effect.gen(function*() {
      const { latest, note } = yield* RecentChanges
      for (let number = 0; number < mostChanges + 20; number++) {
        yield* TestClock.adjust("1 second")
        yield* note("copied", `image ${number}`)
      }
      const all = yield* latest
      assert.strictEqual(all.length, mostChanges)
      assert.deepStrictEqual(all[0], { at: 120_000, kind: "copied", name: "image 119", detail: "" })
      assert.strictEqual(all.at(-1)?.name, "image 20")
    }).pipe(Effect.provide(layer)))

  it.effect("keep little of what others wrote", () =>
    Effect.gen(function*() {
      const { latest, note } = yield* RecentChanges
      yield* note("copy failed", "n".repeat(5000), "d".repeat(1_000_000))
      const [change] = yield* latest
      assert.isBelow((change?.name.length ?? 0) + (change?.detail.length ?? 0), 610)
    }).pipe(Effect.provide(layer)))

  it.effect("are kept by nobody where nobody could look", () =>
    Effect.gen(function*() {
      const { latest, note } = yield* RecentChanges
      yield* note("copied", "image")
      assert.deepStrictEqual(yield* latest, [])
    }))
})
