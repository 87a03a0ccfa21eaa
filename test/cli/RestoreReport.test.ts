import { assert, describe, it } from "@effect/vitest"
import { asJson, asText, lineOf, Tally, undoneAsText } from "../../src/cli/RestoreReport.ts"
import type { Restored } from "../../src/controller/restore/RestoreAll.ts"

const changes = [{ container: "app", from: "backup.example/copies/docker.io/library/nginx:1.27", to: "nginx:1.27" }]
const web = "Deployment/shop/web"

const result: Restored = {
  outcomes: [{ _tag: "Restored", key: web, changes }],
  left: [{ key: "Deployment/shop/own", reason: "not-recorded", detail: "change its manifest" }],
  rest: [{ key: "Job/shop/once", reason: "immutable", detail: "it uses a copy until it is made anew" }]
}

describe("the report of a restore", () => {
  it("says each thing as it happens, on a line of its own", () => {
    assert.isUndefined(lineOf({ _tag: "Begun", count: 1 }))
    assert.strictEqual(
      lineOf({ _tag: "Patched", key: web, changes }),
      "Deployment/shop/web put back: app backup.example/copies/docker.io/library/nginx:1.27 → nginx:1.27"
    )
    assert.strictEqual(
      lineOf({ _tag: "Ended", outcome: { _tag: "Left", key: web, reason: "stuck", detail: "pod web-1: it crashed" } }),
      "Deployment/shop/web is left, stuck: pod web-1: it crashed"
    )
  })

  it("claims the proof only where nothing is left", () => {
    assert.match(asText(result, false), /1 restored, 1 left$/)
    assert.match(
      asText({ ...result, left: [] }, false),
      /1 restored, 0 left; no template refers to the backup any more/
    )
    assert.match(asText({ ...result, left: [] }, true), /0 would be restored, 0 left; nothing was changed$/)
    assert.include(asText(result, false), "STILL USES THE BACKUP")
  })

  it("is JSON for scripts", () => {
    const json = JSON.parse(asJson(result, false))
    assert.deepStrictEqual(json.summary, { restored: 1, planned: 0, left: 1, rest: 1 })
    assert.deepStrictEqual(json.workloads, [{ workload: web, result: "restored", images: changes }])
    assert.deepStrictEqual(json.left[0].reason, "not-recorded")
  })

  it("tells whoever stops it how far it came", () => {
    const tally = new Tally()
    tally.note({ _tag: "Begun", count: 3 })
    tally.note({ _tag: "Patched", key: web, changes })
    tally.note({ _tag: "Patched", key: "CronJob/shop/job", changes })
    tally.note({ _tag: "Ended", outcome: { _tag: "Restored", key: "CronJob/shop/job", changes } })
    assert.strictEqual(
      tally.text,
      "Stopped: 1 of 3 restored; put back and not yet rolled out: Deployment/shop/web. Run it again to go on."
    )
  })

  it("names the marks that were taken away, and what kept the others", () => {
    assert.strictEqual(undoneAsText([], false), "there are no marks of ours")
    const undone = [
      { key: web, marks: ["image-cloner.io/rewrite"], problem: undefined },
      { key: "Deployment/shop/b", marks: [], problem: "there is no such workload" }
    ]
    assert.deepStrictEqual(undoneAsText(undone, false).split("\n"), [
      "Deployment/shop/web has lost image-cloner.io/rewrite",
      "Deployment/shop/b is as it was: there is no such workload"
    ])
  })
})
