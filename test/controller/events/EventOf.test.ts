import { assert, describe, it } from "@effect/vitest"
import { eventOf } from "../../../src/controller/events/EventOf.ts"
import { plan } from "../../../src/workload/Plan.ts"
import { type HoldReason, holdReasons } from "../../../src/workload/Reason.ts"
import { held, type Verdict } from "../../../src/workload/Verdict.ts"
import { type Given, workload } from "../../support/Objects.ts"
import { copy, given } from "../../workload/Planned.ts"

const decision = (verdict?: Verdict, of: Given = {}) => {
  const planned = plan(workload(of), given())
  return { plan: planned, verdict: verdict ?? planned.verdict }
}

const rewritten = decision(undefined, { images: { app: copy } })
const holding = (reason: HoldReason, detail = "the registry said <script>") => decision(held(reason, detail))

describe("an Event", () => {
  it("says that a workload has been rewritten, once, and not after a restart", () => {
    assert.deepInclude(eventOf(decision({ _tag: "Rewrite", as: "rollout" }), rewritten), {
      type: "Normal",
      reason: "Rewritten"
    })
    assert.isUndefined(eventOf(undefined, rewritten))
    assert.isUndefined(eventOf(rewritten, rewritten))
  })

  it("says what needs somebody, by its reason", () => {
    const reasons = { failed: "CopyFailed", contested: "Contested", quarantined: "PutBack", refused: "Held" } as const
    for (const [reason, told] of Object.entries(reasons)) {
      const event = eventOf(rewritten, holding(reason as keyof typeof reasons)) // its own keys
      assert.deepInclude(event, { type: "Warning", reason: told })
    }
  })

  it("says nothing of what passes by itself, nor again while its reason is the same", () => {
    for (const reason of ["pending", "paced", "unhealthy", "rolling-out", "dry-run", "following"] as const) {
      assert.isUndefined(eventOf(rewritten, holding(reason)), reason)
    }
    assert.isUndefined(eventOf(holding("failed"), holding("failed", "another word for it")))
    assert.isDefined(eventOf(holding("failed"), holding("contested")))
  })

  it("has no words of others in it, and fits what an API server takes", () => {
    for (const reason of Object.keys(holdReasons)) {
      const note = eventOf(undefined, holding(reason as HoldReason))?.note ?? "" // its own keys
      assert.notInclude(note, "<script>")
      assert.isAtMost(Buffer.byteLength(note), 1024)
    }
  })

  it("is its owner's where something controls it", () => {
    const owner = { apiVersion: "apps/v1", kind: "Deployment", name: "top", uid: "u", controller: true }
    const owned = decision(held("failed", "x"), { kind: "ReplicaSet", metadata: { ownerReferences: [owner] } })
    assert.isUndefined(eventOf(undefined, owned))
  })
})
