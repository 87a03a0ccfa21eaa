import { assert, describe, it } from "@effect/vitest"
import { describeRest, NodePulls } from "../../../src/controller/admission/NodePulls.ts"

const minute = 60 * 1000
const rest = 30 * minute
const never = () => false

describe("nodes that cannot reach the backup", () => {
  it("keep the backup from being counted on for half an hour, each time that a pod shows it", () => {
    const nodes = new NodePulls()
    assert.isUndefined(nodes.problem(0))
    for (const now of [0, rest + minute, 3 * rest]) {
      assert.isTrue(nodes.failed("new-1", now))
      assert.isFalse(nodes.failed("new-1", now + minute), "what is known already")
      assert.strictEqual(
        nodes.problem(now + rest - 1),
        "node new-1 cannot reach the backup, and a pod may come to run there"
      )
      assert.isUndefined(nodes.problem(now + rest), "then a pod may try it again")
    }
  })

  it("rest each for itself: one that is mended is named no longer, nor one of which it is long ago", () => {
    const nodes = new NodePulls()
    nodes.failed("edge", 0)
    nodes.failed("new-1", rest)
    nodes.failed("new-2", rest)
    assert.match(String(nodes.problem(rest)), /^node new-1 and 1 more cannot/)
    nodes.expire(rest, (it) => it === "new-1")
    assert.match(String(nodes.problem(rest)), /^node new-2 cannot/)
    nodes.expire(rest, (it) => it === "new-2")
    assert.isUndefined(nodes.problem(rest))
  })

  it("may rest for longer at another replica, which found them later", () => {
    const nodes = new NodePulls()
    nodes.failed("new-1", 0)
    nodes.expire(2 * rest, never)
    assert.isUndefined(nodes.problem(2 * rest))
    assert.match(String(nodes.problemElsewhere()), /^node new-1 cannot/)
    nodes.expire(2 * rest + 1, never)
    assert.isUndefined(nodes.problemElsewhere())
  })

  it("are bounded, however many there are", () => {
    const nodes = new NodePulls()
    for (let at = 0; at < 5000; at++) nodes.failed(`new-${at}`, at)
    assert.match(String(nodes.problemElsewhere()), /^node new-4000 and 999 more/)
  })

  it("are named to whoever runs the cluster, with what to look at and the way on", () => {
    assert.strictEqual(
      describeRest("new-1", "backup.example"),
      "node new-1 cannot reach the backup, and runs no copy: new pods start from their originals for 30m, wherever they are to run. "
        + "See that it resolves and reaches backup.example and trusts its certificate; "
        + "BACKUP_DOWN: rewrite points pods to their copies all the same"
    )
  })
})
