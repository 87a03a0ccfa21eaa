import { assert, describe, it } from "@effect/vitest"
import { statusText } from "../../src/cli/StatusTable.ts"
import { percent } from "../../src/upkeep/Coverage.ts"
import { Images } from "../../src/store/Inventory.ts"
import { CoverageTally } from "../../src/upkeep/Coverage.ts"
import { backedUp } from "../workload/Planned.ts"
import { statusOf } from "../../src/web/ClusterStatus.ts"

const world = (namespaces: number, name: (index: number) => string) => {
  const coverage = new CoverageTally()
  const inventory = new Images()
  for (let index = 0; index < namespaces; index++) {
    const namespace = name(index)
    const key = `Pod/${namespace}/a`
    coverage.note(key, { namespace, state: index % 2 === 0 ? "at-risk" : "whole", reason: undefined, running: [] })
    coverage.note(`${key}b`, { namespace, state: "left", reason: "private", running: [] })
    inventory.want(key, [`registry.example/${"very/".repeat(30)}long-${index}:1\u001b[2J`])
  }
  return statusOf("command", { coverage, inventory })
}

describe("the screen of status", () => {
  it("fits into 80 columns and 24 rows, and moves no cursor", () => {
    const lines = statusText(world(100, (index) => `${"n".repeat(60)}-${index}`), 80).split("\n")
    for (const line of lines) assert.isAtMost(line.length, 80, line)
    assert.isAtMost(lines.length, 24)
    assert.notInclude(lines.join(""), "\u001b")
    assert.match(lines.join("\n"), /… and 94 more namespaces/)
  })

  it("says who has counted, the share, and why pods are left", () => {
    const text = statusText(world(2, (index) => `shop-${index}`), 80)
    assert.match(text, /^50 % of the pods [\s\S]*reckoned\s+by\s+this\s+command/)
    assert.match(text, /Left: private 2/)
  })

  it("has what lost its source, that without a copy first, and fits all the same", () => {
    const coverage = new CoverageTally()
    const inventory = new Images()
    for (let index = 0; index < 40; index++) {
      const source = `registry.example/${"long/".repeat(20)}a${index}:1`
      coverage.note(`Pod/n${index}/a`, { namespace: `n${index}`, state: "at-risk", reason: undefined, running: [] })
      inventory.want(`Pod/n${index}/a`, [source, `${source}0`])
      inventory.set(`${source}0`, backedUp())
    }
    const sources = inventory.all.map((it) => it.source)
    inventory.setVanished(new Map(sources.map((it) => [it, "not-found"])))
    const status = statusOf("controller", { coverage, inventory })
    assert.strictEqual(status.vanished.count, 80)
    assert.isFalse(status.vanished.images[0]?.kept)
    const lines = statusText(status, 80).split("\n")
    assert.include(lines, "Sources that have vanished: 80")
    assert.match(lines.join("\n"), / {2}registry\.example.*\n {4}NO COPY: 404 for a day\n/)
    assert.match(lines.join("\n"), /… and 79 more sources/)
    for (const line of lines) assert.isAtMost(line.length, 80, line)
    assert.isAtMost(lines.length, 24)
  })

  it("rounds no missing copy away", () => {
    assert.deepStrictEqual([percent(1), percent(0.99999), percent(0)], ["100 %", "99.9 %", "0 %"])
  })
})
