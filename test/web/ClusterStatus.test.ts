import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Images } from "../../src/store/Inventory.ts"
import { CoverageTally } from "../../src/upkeep/Coverage.ts"
import { ClusterStatus, statusOf } from "../../src/web/ClusterStatus.ts"
import { backedUp, failed } from "../workload/Planned.ts"

describe("the status of a cluster", () => {
  it("has namespaces with most at risk first, images of each, and why something is left or at risk", () => {
    const inventory = new Images()
    inventory.want("Pod/shop/a", ["there", "gone"])
    inventory.want("Pod/bank/b", ["there"])
    inventory.want("Deployment/shop/web", ["gone"])
    inventory.set("there", backedUp())
    inventory.set("gone", failed("not-found"))
    const coverage = new CoverageTally()
    coverage.note("Pod/bank/b", { namespace: "bank", state: "running", reason: undefined, running: ["there"] })
    coverage.note("Pod/bank/c", { namespace: "bank", state: "left", reason: "private", running: [] })
    coverage.note("Pod/shop/a", { namespace: "shop", state: "at-risk", reason: undefined, running: [] })
    const status = statusOf("controller", { coverage, inventory })
    assert.isTrue(Schema.is(ClusterStatus)(status))
    assert.deepStrictEqual(status.namespaces.map((it) => it.namespace), ["shop", "bank"])
    assert.deepStrictEqual(status.namespaces[0]?.images, { running: 1, whole: 0, left: 0, "at-risk": 1 })
    assert.deepStrictEqual(status.left, [{ reason: "private", pods: 1 }])
    assert.deepStrictEqual(status.atRisk, [{ source: "gone", why: "not-found: said the registry", pods: 1 }])
    assert.strictEqual(status.ratio, 0.5)
  })

  it("is bounded, whatever tenants make", () => {
    const coverage = new CoverageTally()
    const inventory = new Images()
    for (let index = 0; index < 600; index++) {
      const namespace = `n${index}`
      coverage.note(`Pod/${namespace}/a`, { namespace, state: "at-risk", reason: undefined, running: [] })
      inventory.want(`Pod/${namespace}/a`, [`image-${index}`])
    }
    const status = statusOf("command", { coverage, inventory })
    assert.deepStrictEqual([status.namespaces.length, status.more, status.atRisk.length], [500, 100, 10])
  })
})
