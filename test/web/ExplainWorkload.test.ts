import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { WorkloadExplained } from "../../src/web/Explanation.ts"
import { explainWorkload } from "../../src/web/ExplainWorkload.ts"
import { held } from "../../src/workload/Verdict.ts"
import { holdReasons } from "../../src/workload/Reason.ts"
import { copy, failed, nginx, now, states } from "../workload/Planned.ts"
import { known, nobody, noon } from "./Explained.ts"

const isoAfter = (millis: number) => new Date(noon + millis).toISOString()

describe("the explanation of a workload", () => {
  it("tells of what is paced its place in line, since when, and who has the places", () => {
    const told = explainWorkload(known({}, {
      verdict: held("paced", "it is the turn of Deployment/a/b"),
      standing: { ...nobody, line: { position: 3, of: 12 }, holders: ["Deployment/a/b", "DaemonSet/c/d"] }
    }))
    assert.deepInclude(told, {
      workload: "Deployment/shop/web",
      decision: "held",
      reason: "paced",
      meaning: holdReasons.paced,
      since: isoAfter(-180_000),
      heldUpBy: ["Deployment/a/b", "DaemonSet/c/d"],
      next: [{ what: "it is rewritten when it has a place: number 3 of 12 in line", at: null }],
      advice: "wait, or raise MAX_CONCURRENT_ROLLOUTS"
    })
    assert.deepStrictEqual(told.containers, [{
      container: "app",
      image: "nginx:1.27",
      state: "ready",
      reason: null,
      detail: `${nginx} is backed up`,
      copy,
      wholeAt: isoAfter(0)
    }])
  })

  it("tells of an image that failed what was said, and when it is tried again", () => {
    const told = explainWorkload(known({ facts: { state: states({ [nginx]: failed("not-found") }) } }))
    assert.deepStrictEqual([told.reason, told.heldUpBy], ["failed", [nginx]])
    assert.deepStrictEqual(told.next, [{ what: `${nginx} is tried again`, at: isoAfter(60_000) }])
    assert.include(told.containers[0]?.detail ?? "", "said the registry")
    assert.strictEqual(told.containers[0]?.state, "waits")
  })

  it("tells of a set of pull secrets who shows it, or when it is tried again", () => {
    const verdict = held("pull-unproven", "nothing has shown it")
    const shown = explainWorkload(known({}, { verdict, standing: { ...nobody, showing: "Deployment/shop/first" } }))
    assert.deepStrictEqual(shown.heldUpBy, ["Deployment/shop/first"])
    const rests = explainWorkload(known({}, { verdict, standing: { ...nobody, restsUntil: now + 120_000 } }))
    assert.deepStrictEqual(rests.next, [
      { what: "one rollout of pods of namespace shop with pull secret backup tries again", at: isoAfter(120_000) }
    ])
  })

  it("tells of a mark when it ends by itself, and of one for good what ends it", () => {
    const mark = (until?: string) => ({
      "image-cloner.io/held": JSON.stringify({
        reason: "quarantined",
        detail: "its pods crash",
        ...(until === undefined ? {} : { until }),
        count: 1,
        images: { app: ["nginx:1.27", copy] }
      })
    })
    const until = new Date(noon + 3_600_000).toISOString()
    const passing = explainWorkload(known({ of: { metadata: { annotations: mark(until) } } }))
    assert.deepStrictEqual([passing.reason, passing.next], ["quarantined", [
      { what: "it is tried again by itself", at: until }
    ]])
    const lasting = explainWorkload(known({ of: { metadata: { annotations: mark() } } }))
    assert.match(lasting.next[0]?.what ?? "", /until its template names another image, or the mark/)
    assert.deepStrictEqual(lasting.commands.map((it) => it.command), [
      "kubectl -n shop annotate deployment/web image-cloner.io/held-"
    ])
  })

  it("tells of a refused patch the API server's words, and when it is sent again", () => {
    const told = explainWorkload(known({}, {
      verdict: held("refused", "policy \"p\" denied request"),
      outlook: { busy: false, nextAt: now + 300_000 }
    }))
    assert.strictEqual(told.detail, "policy \"p\" denied request")
    assert.deepStrictEqual(told.next, [{ what: "it is looked at again", at: isoAfter(300_000) }])
  })

  it("tells which rollout is stuck, of others and of its own", () => {
    const others = explainWorkload(known({}, {
      verdict: held("stopped", "rollouts in shop are stopped"),
      standing: { ...nobody, stuck: ["Deployment/shop/api"] }
    }))
    assert.deepStrictEqual([others.heldUpBy, others.commands.map((it) => it.command)], [
      ["Deployment/shop/api"],
      ["image-cloner restore Deployment/shop/api"]
    ])
    const own = explainWorkload(known({ of: { images: { app: copy } } }, {
      standing: { ...nobody, rollout: { _tag: "Stuck", detail: "web-1 cannot pull" } }
    }))
    assert.match(own.next[0]?.what ?? "", /its rollout is stuck: web-1 cannot pull/)
    assert.deepStrictEqual(own.commands.map((it) => it.command), ["image-cloner restore Deployment/shop/web"])
  })

  it("tells of what is done which copies there are, when the next look is, and what undoes it", () => {
    const told = explainWorkload(known({ of: { images: { app: copy } } }))
    assert.deepInclude(told, { decision: "done", reason: null, advice: null, meaning: "its template names the copies" })
    assert.deepStrictEqual(told.containers.map((it) => [it.state, it.copy, it.wholeAt]), [["copy", copy, isoAfter(0)]])
    assert.deepStrictEqual(told.next, [{ what: "its copy is looked at, and its tag compared", at: isoAfter(60_000) }])
  })

  it("lists the containers of what is left alone as a whole", () => {
    const told = explainWorkload(known({ of: { namespace: "kube-system" } }))
    assert.deepStrictEqual([told.reason, told.containers.map((it) => it.state)], ["namespace-ignored", ["left"]])
  })

  it("is bounded, whatever others wrote and however many hold it up", () => {
    const told = explainWorkload(known({}, {
      verdict: held("paced", "x".repeat(10_000)),
      standing: { ...nobody, holders: Array.from({ length: 500 }, (_, index) => `Deployment/a/${index}`) }
    }))
    assert.strictEqual(told.detail.length, 601)
    assert.deepStrictEqual(told.heldUpBy.slice(9), ["Deployment/a/9", "490 more"])
  })

  it("goes through its Schema and back", () => {
    const told = explainWorkload(known())
    const text = JSON.stringify(Schema.encodeSync(WorkloadExplained)(told))
    assert.deepStrictEqual(Schema.decodeUnknownSync(WorkloadExplained)(JSON.parse(text)), told)
  })
})
