import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { asJson, asText } from "../../src/cli/ExplainReport.ts"
import { unfit } from "../../src/http/UnfitText.ts"
import { Answer, type WorkloadExplained } from "../../src/web/Explanation.ts"
import { explainWorkload } from "../../src/web/ExplainWorkload.ts"
import { held } from "../../src/workload/Verdict.ts"
import { known, nobody, noon } from "../web/Explained.ts"

const shown = { width: 80, now: noon }

const paced = explainWorkload(known({}, {
  verdict: held("paced", "it is the turn of Deployment/a/b"),
  standing: { ...nobody, line: { position: 3, of: 12 }, holders: ["Deployment/a/b", "DaemonSet/c/d"] }
}))

describe("an explanation on a screen", () => {
  it("says what was decided and why, what is next, who holds it up, and what to type", () => {
    assert.strictEqual(
      asText(paced, shown),
      [
        "Deployment/shop/web: held, paced",
        "why        as many rollouts as allowed are under way",
        "           it is the turn of Deployment/a/b",
        "since      11:57:00 UTC, 3m ago",
        "  app  nginx:1.27",
        "           → backup.example/copies/docker.io/library/nginx:1.27, whole 0s ago",
        "next       it is rewritten when it has a place: number 3 of 12 in line",
        "held by    Deployment/a/b, DaemonSet/c/d",
        "advice     wait, or raise MAX_CONCURRENT_ROLLOUTS",
        "to         MAX_CONCURRENT_ROLLOUTS:",
        "  kubectl -n image-cloner edit configmap image-cloner-configuration",
        "to         leave it alone:",
        "  kubectl -n shop annotate deployment/web image-cloner.io/rewrite=never --overwrite"
      ].join("\n")
    )
  })

  it("says that the controller was not asked, and what is therefore not known", () => {
    assert.match(asText({ ...paced, by: "command", since: null }, shown), /the controller was not asked/)
  })

  it("says nothing twice", () => {
    const container = { ...paced.containers[0]!, state: "waits" as const, reason: "pending", detail: "it is not there" } // there is one
    const text = asText(
      { ...paced, meaning: "it is not there", detail: "it is not there", containers: [container] },
      shown
    )
    assert.strictEqual(text.split("it is not there").length, 2)
  })

  it("says what may have been meant by what nobody knows", () => {
    const text = asText({
      _tag: "Unknown",
      message: "there is no Deployment shop/wbe",
      candidates: ["Deployment/shop/web"]
    }, shown)
    assert.strictEqual(text, "there is no Deployment shop/wbe\n  Deployment/shop/web")
  })

  it("fits: 80 columns but for commands, and 24 lines, with four containers and long words", () => {
    const detail = "it has to wait for something that takes many words to say, ".repeat(12)
    const container = { ...paced.containers[0]!, state: "waits" as const, reason: "pending", detail } // there is one
    const full: WorkloadExplained = {
      ...paced,
      detail,
      advice: detail,
      containers: Array.from({ length: 9 }, () => container),
      next: Array.from({ length: 3 }, () => ({ what: "it is looked at again", at: paced.since })),
      commands: [...paced.commands, ...paced.commands]
    }
    const lines = asText(full, shown).split("\n")
    assert.isAtMost(lines.length, 29)
    for (const it of lines.filter((line) => !line.includes("kubectl"))) assert.isAtMost(it.length, 80, it)
    assert.isBelow(asText(paced, shown).split("\n").length, 24)
  })

  it.prop("lets nothing through that would move a cursor or turn a line, whatever the daemon answers", [
    Answer
  ], ([of]) => {
    for (const line of `${asText(of, shown)}\n${asJson(of)}`.split("\n")) {
      assert.strictEqual(line.search(unfit), -1, JSON.stringify(line))
    }
    // values of the two ways into memory differ in their prototypes alone
    assert.strictEqual(asJson(Schema.decodeSync(Schema.fromJsonString(Answer))(asJson(of))), asJson(of))
  })
})
