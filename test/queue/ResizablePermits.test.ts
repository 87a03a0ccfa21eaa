import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schema } from "effect"
import { type Claim, unclaimed } from "../../src/queue/FairTurns.ts"
import { makeResizablePermits, type ResizablePermits } from "../../src/queue/ResizablePermits.ts"

/** Work that runs until it is told to end, noting when it starts. */
const job = (permits: ResizablePermits, key: string | Claim, name: string, started: Array<string>) =>
  Effect.gen(function*() {
    const gate = yield* Deferred.make<void>()
    const fiber = yield* Effect.forkChild(
      permits.withPermit(typeof key === "string" ? { lane: key, ...unclaimed } : key)(
        Effect.andThen(Effect.sync(() => started.push(name)), Deferred.await(gate))
      ),
      { startImmediately: true }
    )
    return {
      end: Effect.andThen(Deferred.succeed(gate, undefined), Fiber.join(fiber)),
      stop: Fiber.interrupt(fiber)
    }
  })

describe("ResizablePermits", () => {
  it.effect("serves keys in turns, and each key in order", () =>
    Effect.gen(function*() {
      const permits = makeResizablePermits({ permits: 1, reserve: false })
      const started: Array<string> = []
      const jobs = []
      for (
        const [key, name] of [["a", "a1"], ["a", "a2"], ["a", "a3"], ["b", "b1"], ["c", "c1"], ["b", "b2"]] as const
      ) {
        jobs.push([name, yield* job(permits, key, name, started)] as const)
      }
      assert.strictEqual(yield* permits.waiting, 5)
      for (let index = 0; index < jobs.length; index++) {
        const running = started.at(-1)
        yield* jobs.find(([name]) => name === running)?.[1].end ?? Effect.die("nobody runs")
      }
      assert.deepStrictEqual(started, ["a1", "a2", "b1", "c1", "a3", "b2"])
      assert.strictEqual(yield* permits.waiting, 0)
    }))

  /** Jobs that end one by one; answers the order in which they began. */
  const orderOf = Effect.fnUntraced(
    function*(permits: ResizablePermits, claims: ReadonlyArray<[name: string, claim: Claim]>) {
      const started: Array<string> = []
      const jobs = new Map<string, { readonly end: Effect.Effect<void> }>()
      for (const [name, claim] of claims) jobs.set(name, yield* job(permits, claim, name, started))
      for (let index = 0; index < claims.length; index++) yield* jobs.get(started[index] ?? "")?.end ?? Effect.void
      return started
    }
  )
  const claim = (namespaces: ReadonlyArray<string>, urgency = 0, lane = "a"): Claim => ({
    lane,
    namespaces: new Set(namespaces),
    urgency
  })

  it.effect("within a lane the namespace that waits longest for a turn is served, there the most urgent", () =>
    Effect.gen(function*() {
      const order = yield* orderOf(makeResizablePermits({ permits: 1, reserve: false }), [
        ["first", claim(["one"])],
        ["one, low", claim(["one"], 1)],
        ["one, high", claim(["one"], 4)],
        ["two", claim(["two"])],
        ["both", claim(["one", "three"], 2)],
        ["nobody's", claim([])],
        ["one, higher", claim(["one"], 5)]
      ])
      // those never served go first, the most urgent of them before; then "one" has its turn again
      assert.deepStrictEqual(order, ["first", "both", "two", "nobody's", "one, higher", "one, high", "one, low"])
    }))

  it.effect("a namespace with many images does not delay the one image of another", () =>
    Effect.gen(function*() {
      const many = Array.from({ length: 50 }, (_, at): [string, Claim] => [`many ${at}`, claim(["many"], 9)])
      const order = yield* orderOf(makeResizablePermits({ permits: 1, reserve: false }), [...many, [
        "few",
        claim(["few"])
      ]])
      assert.isAtMost(order.indexOf("few"), 1)
    }))

  it.effect("with a reserve one lane never has the last permit, and alone it has all but that", () =>
    Effect.gen(function*() {
      const permits = makeResizablePermits({ permits: 3, reserve: true })
      const started: Array<string> = []
      const slow = []
      for (const name of ["slow 1", "slow 2", "slow 3"]) {
        slow.push(yield* job(permits, claim([], 0, "slow"), name, started))
      }
      assert.deepStrictEqual(started, ["slow 1", "slow 2"])
      const other = yield* job(permits, claim([], 0, "other"), "other", started)
      assert.deepStrictEqual(started, ["slow 1", "slow 2", "other"])
      yield* other.end
      assert.strictEqual(yield* permits.waiting, 1)
      yield* slow[0]?.end ?? Effect.void
      assert.deepStrictEqual(started, ["slow 1", "slow 2", "other", "slow 3"])
      yield* slow[1]?.end ?? Effect.void
      yield* slow[2]?.end ?? Effect.void
      // of one permit nothing can be kept back
      yield* permits.resize(1)
      const last = yield* job(permits, claim([], 0, "slow"), "last", started)
      assert.strictEqual(started.at(-1), "last")
      yield* last.end
    }))

  it.effect("with a reserve one namespace never has the last permit, over however many lanes it spreads its work", () =>
    Effect.gen(function*() {
      const permits = makeResizablePermits({ permits: 3, reserve: true })
      const started: Array<string> = []
      const greedy = []
      for (const at of [1, 2, 3]) {
        greedy.push(yield* job(permits, claim(["greedy"], 9, `lane ${at}`), `greedy ${at}`, started))
      }
      assert.deepStrictEqual(started, ["greedy 1", "greedy 2"])
      // a lane in which the greedy one waits is not closed for others
      const modest = yield* job(permits, claim(["modest"], 0, "lane 3"), "modest", started)
      assert.strictEqual(started.at(-1), "modest")
      yield* modest.end
      assert.strictEqual(yield* permits.waiting, 1)
      yield* greedy[0]?.end ?? Effect.void
      assert.strictEqual(started.at(-1), "greedy 3")
      yield* greedy[1]?.end ?? Effect.void
      yield* greedy[2]?.end ?? Effect.void
      // every permit of it has come back, one of several lanes as well
      for (const at of [1, 2]) yield* job(permits, claim(["greedy"], 0, `lane ${at}`), `again ${at}`, started)
      assert.strictEqual(started.at(-1), "again 2")
    }))

  it.effect("with a reserve an image of several namespaces, or of none, may have the last permit", () =>
    Effect.gen(function*() {
      for (const last of [["greedy", "modest"], []]) {
        const permits = makeResizablePermits({ permits: 2, reserve: true })
        const started: Array<string> = []
        yield* job(permits, claim(["greedy"], 0, "a"), "own", started)
        yield* job(permits, claim(["greedy"], 0, "b"), "own again", started)
        yield* job(permits, claim(last, 0, "c"), "shared", started)
        assert.deepStrictEqual(started, ["own", "shared"])
      }
    }))

  it.effect("the namespace's part of the permits grows and shrinks with them", () =>
    Effect.gen(function*() {
      const permits = makeResizablePermits({ permits: 2, reserve: true })
      const started: Array<string> = []
      const jobs = []
      for (const at of [1, 2, 3, 4]) jobs.push(yield* job(permits, claim(["one"], 0, `lane ${at}`), `${at}`, started))
      assert.deepStrictEqual(started, ["1"])
      yield* permits.resize(4)
      assert.deepStrictEqual(started, ["1", "2", "3"])
      yield* permits.resize(2)
      yield* jobs[0]?.end ?? Effect.void
      yield* jobs[1]?.end ?? Effect.void
      assert.deepStrictEqual(started, ["1", "2", "3"])
      // of one permit nothing can be kept back
      yield* permits.resize(1)
      yield* jobs[2]?.end ?? Effect.void
      assert.deepStrictEqual(started, ["1", "2", "3", "4"])
    }))

  it.effect("more permits start waiters at once, fewer take effect as they come back", () =>
    Effect.gen(function*() {
      const permits = makeResizablePermits({ permits: 1, reserve: false })
      const started: Array<string> = []
      const jobs = []
      for (const name of ["1", "2", "3", "4", "5"]) jobs.push(yield* job(permits, "a", name, started))
      yield* permits.resize(3)
      assert.deepStrictEqual(started, ["1", "2", "3"])
      yield* permits.resize(1)
      yield* jobs[0]?.end ?? Effect.void
      yield* jobs[1]?.end ?? Effect.void
      assert.deepStrictEqual(started, ["1", "2", "3"])
      yield* jobs[2]?.end ?? Effect.void
      assert.deepStrictEqual(started, ["1", "2", "3", "4"])
    }))

  it.effect("a waiter that leaves gives its place up, a holder that is interrupted its permit", () =>
    Effect.gen(function*() {
      const permits = makeResizablePermits({ permits: 1, reserve: false })
      const started: Array<string> = []
      const one = yield* job(permits, "a", "1", started)
      const two = yield* job(permits, "a", "2", started)
      const three = yield* job(permits, "b", "3", started)
      const four = yield* job(permits, "a", "4", started)
      yield* two.stop
      yield* one.stop
      assert.deepStrictEqual(started, ["1", "4"])
      yield* four.end
      assert.deepStrictEqual(started, ["1", "4", "3"])
      yield* three.end
    }))

  it.effect("a failure inside gives the permit back", () =>
    Effect.gen(function*() {
      const permits = makeResizablePermits({ permits: 1, reserve: false })
      yield* Effect.flip(permits.withPermit({ lane: "a", ...unclaimed })(Effect.fail("no")))
      yield* Effect.exit(permits.withPermit({ lane: "a", ...unclaimed })(Effect.die("worse")))
      assert.strictEqual(yield* permits.withPermit({ lane: "a", ...unclaimed })(Effect.succeed(1)), 1)
    }))

  it.effect("an entered place is left once, when told to or else with its scope", () =>
    Effect.gen(function*() {
      const permits = makeResizablePermits({ permits: 1, reserve: false })
      const started: Array<string> = []
      const [two, three] = yield* Effect.scoped(Effect.gen(function*() {
        const { leave } = yield* permits.enter({ lane: "a", ...unclaimed })
        const jobs = [yield* job(permits, "a", "2", started), yield* job(permits, "a", "3", started)] as const
        yield* Effect.yieldNow
        assert.deepStrictEqual(started, [])
        yield* leave
        yield* leave
        return jobs
      }))
      yield* Effect.yieldNow
      assert.deepStrictEqual(started, ["2"])
      yield* two.end
      yield* three.end
      yield* Effect.exit(Effect.scoped(Effect.andThen(permits.enter({ lane: "a", ...unclaimed }), Effect.die("worse"))))
      assert.strictEqual(yield* permits.withPermit({ lane: "a", ...unclaimed })(Effect.succeed(1)), 1)
    }))

  const step = Schema.Struct({
    key: Schema.Literals(["a", "b", "c"]),
    turns: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 })),
    stop: Schema.Boolean
  })
  /** Runs all at once, stops those that are to be stopped, and waits for the end of all. */
  const runAll = Effect.fnUntraced(function*<E>(
    steps: ReadonlyArray<typeof step.Type>,
    run: (it: typeof step.Type) => Effect.Effect<void, E>
  ) {
    const fibers = yield* Effect.forEach(steps, (it) => Effect.forkChild(run(it)))
    yield* Effect.forEach(fibers, (it, index) => steps[index]?.stop === true ? Fiber.interrupt(it) : Effect.void, {
      concurrency: "unbounded"
    })
    yield* Effect.forEach(fibers, Fiber.await)
  })
  it.effect.prop("never more at once than there are permits, and all of them come back", {
    permits: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4 })),
    reserve: Schema.Boolean,
    steps: Schema.Array(step)
  }, ({ permits: count, reserve, steps }) =>
    Effect.gen(function*() {
      const permits = makeResizablePermits({ permits: count, reserve })
      let running = 0
      let most = 0
      yield* runAll(steps, (it) =>
        permits.withPermit({ lane: it.key, ...unclaimed })(Effect.ensuring(
          Effect.suspend(() => {
            most = Math.max(most, ++running)
            return Effect.asVoid(Effect.repeat(Effect.yieldNow, { times: it.turns }))
          }),
          Effect.sync(() => running--)
        )))
      assert.isAtMost(most, count)
      assert.strictEqual(running, 0)
      assert.strictEqual(yield* permits.waiting, 0)
      // every permit is free again
      const again = yield* Effect.forEach(Array.from({ length: count }), (_, at) => job(permits, `z${at}`, "z", []), {
        concurrency: 1
      })
      assert.strictEqual(yield* permits.waiting, 0)
      yield* Effect.forEach(again, (it) => it.end)
    }), { arbitrary: { runs: 200 } })

  it.effect.prop("a place that is left only for the next one is held by no more than there are, whoever stops", {
    permits: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 3 })),
    reserve: Schema.Boolean,
    steps: Schema.Array(step)
  }, ({ permits: count, reserve, steps }) =>
    Effect.gen(function*() {
      const places = Array.from({ length: 3 }, () => makeResizablePermits({ permits: count, reserve }))
      const held = places.map(() => 0)
      const most = places.map(() => 0)
      const enter = Effect.fnUntraced(function*(lane: string, at: number) {
        const { leave: back } = yield* places[at]?.enter({ lane, ...unclaimed }) ?? Effect.die("no such place")
        const add = (more: number) => {
          held[at] = (held[at] ?? 0) + more
          most[at] = Math.max(most[at] ?? 0, held[at])
        }
        add(1)
        let inside = true
        const leave = Effect.suspend(() => {
          if (inside) add(-1)
          inside = false
          return back
        })
        return yield* Effect.as(Effect.addFinalizer(() => leave), leave)
      })
      yield* runAll(steps, ({ key, turns }) =>
        Effect.gen(function*() {
          let leave: Effect.Effect<void> = Effect.void
          for (const at of places.keys()) {
            const next = yield* enter(key, at)
            yield* leave
            leave = next
            yield* Effect.repeat(Effect.yieldNow, { times: turns })
          }
        }).pipe(Effect.scoped))
      for (const [at, permits] of places.entries()) {
        assert.isAtMost(most[at] ?? 0, count)
        assert.strictEqual(held[at], 0)
        assert.strictEqual(yield* permits.waiting, 0)
        // every permit is free again
        yield* Effect.scoped(
          Effect.forEach(Array.from({ length: count }), (_, lane) => permits.enter({ lane: `z${lane}`, ...unclaimed }))
        )
      }
    }))
})
