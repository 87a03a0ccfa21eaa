import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { DecisionMap, outcomeOf, reasonsOf } from "../../src/controller/Decisions.ts"
import type { Settings } from "../../src/settings/Settings.ts"
import { plan } from "../../src/workload/Plan.ts"
import { pod, workload } from "../support/Objects.ts"
import { a, copy, given } from "../workload/Planned.ts"

describe("what has become of a workload", () => {
  const web = workload()
  const decided = (of: typeof web, settings: Partial<Settings>, images: Record<string, string> = { app: copy }) => {
    const planned = plan(of, given(settings, { pods: [pod({ owner: of, images, digest: a })] }))
    return { plan: planned, verdict: planned.verdict }
  }

  it("is rewritten where its template names the copy, and where admission has pointed all of its pods there", () => {
    const rewritten = decided(workload({ images: { app: copy } }), {})
    const admitted = decided(web, { MUTATING_WEBHOOK: "on" })
    for (const decision of [rewritten, admitted]) {
      assert.deepStrictEqual([decision.verdict._tag, outcomeOf(decision)], ["Done", "rewritten"])
      assert.deepStrictEqual([...reasonsOf(decision)], [])
    }
  })

  it("is wanted while a pod runs the original, and held while admission is the only way", () => {
    assert.strictEqual(outcomeOf(decided(web, { MUTATING_WEBHOOK: "on" }, { app: "nginx:1.27" })), "wanted")
    const held = decided(web, { MUTATING_WEBHOOK: "on", REWRITE_MODE: "admission" }, { app: "nginx:1.27" })
    assert.deepStrictEqual([outcomeOf(held), ...reasonsOf(held)], ["held", "by-admission"])
  })

  it("is skipped where none of its images is one to copy", () => {
    const local = decided(workload({ images: { app: "localhost/app" } }), { MUTATING_WEBHOOK: "on" })
    assert.deepStrictEqual([local.verdict._tag, outcomeOf(local)], ["Done", "skipped"])
  })
})

describe("a decision that is kept", () => {
  const web = workload()
  const planned = plan(web, given())
  const held = (reason: "paced" | "stopped", detail: string) => ({
    plan: planned,
    verdict: { _tag: "Held", reason, detail } as const
  })

  it.effect("stands since its reason is what it is, whatever its words say", () =>
    Effect.gen(function*() {
      const decisions = new DecisionMap()
      yield* TestClock.adjust("10 seconds")
      yield* decisions.set(held("paced", "it is the turn of a"))
      yield* TestClock.adjust("10 seconds")
      yield* decisions.set(held("paced", "it is the turn of b"))
      assert.strictEqual(decisions.get(web.key)?.since, 10_000)
      yield* decisions.set(held("stopped", "one is stuck"))
      assert.strictEqual(decisions.get(web.key)?.since, 20_000)
      decisions.forget(web.key)
      yield* TestClock.adjust("10 seconds")
      yield* decisions.set(held("stopped", "one is stuck"))
      assert.strictEqual(decisions.get(web.key)?.since, 30_000)
    }))
})
