// Keys that wait without a fiber: each is called once its permit is there, and none of them is lost.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Schema, Scope } from "effect"
import { type Claim, unclaimed } from "../../src/queue/FairTurns.ts"
import { makeResizablePermits } from "../../src/queue/ResizablePermits.ts"

const claim = (lane: string, namespaces: ReadonlyArray<string> = [], urgency = 0): Claim => ({
  lane,
  namespaces: new Set(namespaces),
  urgency
})

/** A line that notes who is called, and what is held by whom. */
const world = (permits: number, reserve = false) => {
  const calls: Array<string> = []
  const held = new Map<string, Scope.Closeable>()
  const all = makeResizablePermits({ permits, reserve, called: (key) => void calls.push(key) })
  /** Asks for a permit by name; true: it has one. */
  const ask = Effect.fnUntraced(function*(key: string, of: Claim = claim("a")) {
    const scope = yield* Scope.make()
    const isIn = yield* Scope.provide(all.line.take(key, of), scope)
    if (isIn) held.set(key, scope)
    return isIn
  })
  const end = (key: string) =>
    Effect.suspend(() => {
      const scope = held.get(key)
      held.delete(key)
      return scope === undefined ? Effect.void : Scope.close(scope, Exit.void)
    })
  return { all, ask, calls, end, held, line: all.line }
}

describe("a line", () => {
  it.effect("calls the next when a permit is given back, and keeps it until that one comes", () =>
    Effect.gen(function*() {
      const { all, ask, calls, end, line } = world(1)
      assert.isTrue(yield* ask("first"))
      assert.isFalse(yield* ask("second"))
      assert.isFalse(yield* ask("third"))
      assert.strictEqual(yield* all.waiting, 2)
      yield* end("first")
      assert.deepStrictEqual(calls, ["second"])
      assert.isTrue(line.keeps("second"))
      // whoever has not been called waits on
      assert.isFalse(yield* ask("third"))
      assert.isTrue(yield* ask("second"))
      assert.isFalse(line.keeps("second"))
    }))

  it.effect("has one place for a key, however often it asks, with what it said last", () =>
    Effect.gen(function*() {
      const { ask, calls, end, line } = world(1)
      yield* ask("first", claim("a"))
      yield* ask("patient", claim("a", [], 1))
      yield* ask("urgent", claim("a", [], 0))
      assert.isTrue(line.renew("urgent", claim("a", [], 5)))
      assert.isFalse(line.renew("nobody", claim("a")))
      yield* end("first")
      assert.deepStrictEqual(calls, ["urgent"])
    }))

  it.effect("has nothing for whoever has left, be it called or not", () =>
    Effect.gen(function*() {
      const { ask, calls, end, line } = world(1)
      yield* ask("first")
      for (const key of ["gone", "called", "last"]) yield* ask(key)
      line.leave("gone")
      yield* end("first")
      assert.deepStrictEqual(calls, ["called"])
      line.leave("called")
      assert.deepStrictEqual(calls, ["called", "last"])
      line.leave("nobody")
    }))

  it.effect("waits with fibers in one line, by the same rules", () =>
    Effect.gen(function*() {
      const { all, ask, calls, end } = world(2, true)
      // of two permits one lane never has the last
      assert.isTrue(yield* ask("a1", claim("a")))
      assert.isFalse(yield* ask("a2", claim("a")))
      let ran = false
      yield* all.withPermit({ ...unclaimed, lane: "b" })(Effect.sync(() => void (ran = true)))
      assert.isTrue(ran)
      yield* end("a1")
      assert.deepStrictEqual(calls, ["a2"])
      yield* all.resize(3)
      assert.isTrue(yield* ask("a3", claim("a")))
    }))

  const Key = Schema.Literals(["k1", "k2", "k3", "k4", "k5"])
  const Step = Schema.Struct({
    do: Schema.Literals(["ask", "ask", "end", "leave", "resize"]),
    key: Key,
    lane: Schema.Literals(["a", "b"]),
    most: Schema.Literals([1, 2, 3])
  })
  it.effect.prop(
    "loses no permit and forgets no key",
    [Schema.Array(Step), Schema.Boolean],
    ([steps, reserve]) =>
      Effect.gen(function*() {
        const { all, ask, calls, end, held, line } = world(2, reserve)
        let most = 2
        // a key has one lane as long as it waits, as an image has one registry
        const lanes = new Map<string, string>()
        for (const step of steps) {
          const { key } = step
          if (step.do === "ask" && !held.has(key)) {
            if (!lanes.has(key)) lanes.set(key, step.lane)
            yield* ask(key, claim(lanes.get(key) ?? "a"))
          }
          if (step.do === "end") yield* end(key)
          if (step.do === "leave") line.leave(key)
          if (step.do === "resize") {
            const grown = Math.max(most, step.most)
            most = step.most
            yield* all.resize(most)
            if (grown > most) continue
          }
        }
        // whoever was called comes, or leaves; then every permit is there again
        for (const key of Key.literals) {
          yield* end(key)
          line.leave(key)
        }
        assert.strictEqual(yield* all.waiting, 0)
        yield* all.resize(3)
        assert.isTrue(yield* ask("x1", claim("a")))
        assert.isTrue(yield* ask("x2", claim("a")))
        assert.isTrue(yield* ask("x3", claim("b")))
        assert.isFalse(yield* ask("x4", claim("b")))
        assert.strictEqual(new Set(calls.filter((it) => it.startsWith("x"))).size, 0)
      })
  )
})
