import { assert, describe, it } from "@effect/vitest"
import { describeRest, NodePulls } from "../../../src/controller/admission/NodePulls.ts"

const minute = 60 * 1000

describe("nodes that cannot reach the backup", () => {
  it("keep the backup from being counted on, for longer each time that a pod shows it", () => {
    const nodes = new NodePulls()
    assert.isUndefined(nodes.problem(0))
    const rests: Array<number> = []
    let now = 0
    for (let time = 0; time < 8; time++) {
      const rest = nodes.failed("new-1", now) ?? 0
      rests.push(rest / minute)
      assert.strictEqual(
        nodes.problem(now + rest - 1),
        `node new-1 cannot reach the backup, and a pod may come to run there`
      )
      assert.isUndefined(nodes.problem(now + rest), "then a pod may try it again")
      now += rest + minute
    }
    assert.deepStrictEqual(rests, [10, 20, 40, 60, 60, 60, 60, 60])
  })

  it("of one pool share a rest: pods of the same minute find them one after the other", () => {
    const nodes = new NodePulls()
    assert.strictEqual(nodes.failed("new-1", 0), 10 * minute)
    assert.isUndefined(nodes.failed("new-1", minute), "what is known already")
    assert.strictEqual(nodes.failed("new-2", minute), 9 * minute)
    assert.strictEqual(nodes.failed("new-3", 2 * minute), 8 * minute)
    assert.match(String(nodes.problem(3 * minute)), /^node new-1 and 2 more cannot reach the backup/)
    assert.strictEqual(nodes.failed("new-4", 11 * minute), 20 * minute, "found by who tried it again")
  })

  it("are forgotten once they run a copy or are gone, and the last one takes all with it", () => {
    const nodes = new NodePulls()
    nodes.failed("new-1", 0)
    nodes.failed("new-2", 0)
    nodes.forget("old-1")
    nodes.forget("new-1")
    assert.deepStrictEqual(nodes.names, ["new-2"])
    assert.match(String(nodes.problem(minute)), /^node new-2 cannot/)
    nodes.forget("new-2")
    assert.isUndefined(nodes.problem(minute))
    assert.strictEqual(nodes.failed("new-2", 2 * minute), 10 * minute)
  })

  it("are bounded, however many there are", () => {
    const nodes = new NodePulls()
    for (let at = 0; at < 5000; at++) nodes.failed(`new-${at}`, at)
    assert.lengthOf(nodes.names, 1000)
  })

  it("are named to whoever runs the cluster, with what to look at and the way on", () => {
    assert.strictEqual(
      describeRest("new-1", "backup.example", 20 * minute),
      "node new-1 cannot reach the backup, and runs no copy: new pods start from their originals for 20m, wherever they are to run. "
        + "See that it resolves and reaches backup.example and trusts its certificate; "
        + "BACKUP_DOWN: rewrite points pods to their copies all the same"
    )
  })
})
