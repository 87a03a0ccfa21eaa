import { assert, describe, it } from "@effect/vitest"
import { RolloutsSeen } from "../../src/controller/RolloutsSeen.ts"
import { pod, workload } from "../support/Objects.ts"

const failing = (name: string) => pod({ name, ready: false, state: { waiting: { reason: "ErrImagePull" } } })

describe("what is seen of a rollout over time", () => {
  it("is when a pod was last made and when it last got further, by the most that there was", () => {
    const seen = new RolloutsSeen()
    const at = (now: number, made: number, availableReplicas: number) => {
      const pods = Array.from({ length: made }, (_, index) => pod({ name: `web-${index}` }))
      const { madeAt, progressAt } = seen.note(
        workload({ status: { availableReplicas } }),
        "one",
        pods,
        new Set(pods),
        { now, uptime: now }
      )
      return [madeAt, progressAt]
    }
    assert.deepStrictEqual(at(1, 1, 0), [1, 1])
    assert.deepStrictEqual(at(2, 1, 1), [1, 2])
    assert.deepStrictEqual(at(3, 2, 0), [3, 3])
    // what comes back to where it was is no progress
    assert.deepStrictEqual(at(4, 1, 0), [3, 3])
    assert.deepStrictEqual(at(5, 2, 1), [3, 3])
  })

  it("begins anew with another patch of ours", () => {
    const seen = new RolloutsSeen()
    const note = (patch: string, now: number) =>
      seen.note(workload(), patch, [], new Set(), { now, uptime: now }).progressAt
    assert.deepStrictEqual([note("one", 1), note("one", 2), note("two", 3)], [1, 1, 3])
  })

  it("is since when each pod fails to pull, until it does not", () => {
    const seen = new RolloutsSeen()
    const since = (now: number, ...pods: ReadonlyArray<ReturnType<typeof pod>>) => {
      const { pullFailsSince } = seen.note(workload(), "one", pods, new Set(), { now, uptime: now })
      return pods.map((it) => pullFailsSince(it, "app"))
    }
    assert.deepStrictEqual(since(1, failing("a")), [1])
    assert.deepStrictEqual(since(2, failing("a"), failing("b")), [1, 2])
    assert.deepStrictEqual(since(3, pod({ name: "a" }), failing("b")), [3, 2])
    assert.deepStrictEqual(since(4, failing("a"), failing("b")), [4, 2])
    seen.forget(workload().key)
    assert.deepStrictEqual(since(5, failing("b")), [5])
  })

  it("is nothing but pulls that fail where no patch of ours is shown: most workloads, and each would be remembered", () => {
    const seen = new RolloutsSeen()
    const note = (now: number, pods: ReadonlyArray<ReturnType<typeof pod>>, patch?: string) => {
      const times = seen.note(workload(), patch, pods, new Set(pods), { now, uptime: now })
      return [times.progressAt, times.unpulledAt, times.pullFailsSince(failing("a"), "app")]
    }
    assert.deepStrictEqual(note(1, []), [1, -Infinity, 1])
    assert.deepStrictEqual(note(2, []), [2, -Infinity, 2])
    assert.deepStrictEqual(note(3, [failing("a")])[2], 3)
    assert.deepStrictEqual(note(4, [failing("a")]), [4, 4, 3])
    // our patch finds it failing, and what was seen before goes on
    assert.deepStrictEqual(note(5, [failing("a")], "one"), [5, 5, 3])
    assert.deepStrictEqual(note(6, [failing("a")], "one"), [5, 6, 3])
    assert.deepStrictEqual(note(7, [pod({ name: "a" })]), [7, -Infinity, 7])
    assert.deepStrictEqual(note(8, [], "one"), [8, -Infinity, 8])
  })

  it("goes on when somebody sets the wall clock: nothing is over sooner or later for it", () => {
    const seen = new RolloutsSeen()
    const note = (now: number, uptime: number) =>
      seen.note(workload(), "one", [failing("a")], new Set(), { now, uptime })
    note(10_000, 0)
    for (const now of [10_000, 0, 3_600_000]) {
      const times = note(now, 5000)
      assert.strictEqual(now - times.progressAt, 5000)
      assert.strictEqual(now - times.pullFailsSince(failing("a"), "app"), 5000)
    }
  })

  it("is when a pod last failed to pull and did not run yet", () => {
    const seen = new RolloutsSeen()
    const at = (now: number, ...pods: ReadonlyArray<ReturnType<typeof pod>>) =>
      seen.note(workload(), "one", pods, new Set(), { now, uptime: now }).unpulledAt
    const tries = pod({ name: "a", ready: false, state: { waiting: { reason: "ContainerCreating" } } })
    assert.deepStrictEqual([at(1), at(2, failing("a")), at(3, tries), at(4, pod({ name: "a" })), at(5)], [
      -Infinity,
      2,
      3,
      3,
      3
    ])
  })

  it("is whether all of a revision was seen to serve, whatever is missing later, until another patch", () => {
    const seen = new RolloutsSeen()
    const at = (patch: string, numberAvailable: number) =>
      seen.note(workload({ kind: "DaemonSet", status: { numberAvailable } }), patch, [], new Set(), {
        now: 0,
        uptime: 0
      })
        .reached
    assert.deepStrictEqual([at("one", 0), at("one", 1), at("one", 0), at("two", 0)], [false, true, true, false])
  })
})
