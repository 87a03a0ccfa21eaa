import { assert, describe, it } from "@effect/vitest"
import {
  eventOf,
  regardingOf,
  rejectedEvent,
  rewrittenEvent,
  rolloutEvent
} from "../../../src/controller/events/EventOf.ts"
import { plan } from "../../../src/workload/Plan.ts"
import { type HoldReason, holdReasons } from "../../../src/workload/Reason.ts"
import { held, type Verdict } from "../../../src/workload/Verdict.ts"
import { rolloutOf } from "../../support/ExtraObjects.ts"
import { type Given, workload } from "../../support/Objects.ts"
import { copy, given } from "../../workload/Planned.ts"

const decision = (verdict?: Verdict, of: Given = {}) => {
  const planned = plan(workload(of), given())
  return { plan: planned, verdict: verdict ?? planned.verdict }
}

const rewritten = decision(undefined, { images: { app: copy } })
const holding = (reason: HoldReason, detail = "the registry said <script>") => decision(held(reason, detail))

describe("an Event", () => {
  it("says what needs somebody, by its reason", () => {
    const reasons = { failed: "CopyFailed", contested: "Contested", quarantined: "Held", refused: "Held" } as const
    for (const [reason, told] of Object.entries(reasons)) {
      const event = eventOf(rewritten, holding(reason as keyof typeof reasons)) // its own keys
      assert.deepInclude(event, { type: "Warning", reason: told, cause: reason })
    }
  })

  it("says nothing of what passes by itself, nor again while its reason is the same", () => {
    for (
      const reason of [
        "pending",
        "paced",
        "unhealthy",
        "rolling-out",
        "dry-run",
        "following",
        "stopped",
        "pull-unproven"
      ] as const
    ) {
      assert.isUndefined(eventOf(rewritten, holding(reason)), reason)
    }
    assert.isUndefined(eventOf(rewritten, rewritten))
    assert.isUndefined(eventOf(holding("failed"), holding("failed", "another word for it")))
    assert.isDefined(eventOf(holding("failed"), holding("contested")))
  })

  it("says that originals were put back, each time, and not that it is held beside", () => {
    for (const reason of ["quarantined", "pull-unproven"] as const) {
      const event = eventOf(holding(reason), holding(reason), true)
      assert.deepInclude(event, { reason: "PutBack", type: "Warning", action: "PuttingBack" })
    }
    assert.deepInclude(eventOf(rewritten, holding("stranded"), true), { reason: "Held" })
  })

  it("has no words of others in it", () => {
    for (const reason of Object.keys(holdReasons)) {
      const note = eventOf(undefined, holding(reason as HoldReason))?.note ?? "" // its own keys
      assert.notInclude(note, "<script>")
    }
  })

  it("names the image that could not be copied, and how many others", () => {
    const state = { _tag: "Failed", reason: "failed", message: "secret words", retryAt: 0 } as const
    const failed = plan(workload({ images: { app: "nginx:1.27", log: "busybox:1" } }), {
      ...given(),
      state: () => state
    })
    const note = eventOf(undefined, { plan: failed, verdict: failed.verdict })?.note ?? ""
    assert.include(note, "(docker.io/library/nginx:1.27 and 1 more)")
    assert.notInclude(note, "secret words")
  })

  it("is its owner's where something controls it", () => {
    const owner = { apiVersion: "apps/v1", kind: "Deployment", name: "top", uid: "u", controller: true }
    const owned = decision(held("failed", "x"), { kind: "ReplicaSet", metadata: { ownerReferences: [owner] } })
    assert.isUndefined(eventOf(undefined, owned))
  })

  it("is about the object as the API server has it", () => {
    const cron = workload({ kind: "CronJob", name: "nightly" })
    assert.deepStrictEqual(regardingOf(cron), {
      apiVersion: "batch/v1",
      kind: "CronJob",
      namespace: "shop",
      name: "nightly",
      uid: cron.uid
    })
    // kinds of EXTRA_KINDS are called Kind.group here
    assert.deepInclude(regardingOf(rolloutOf()), { apiVersion: "argoproj.io/v1alpha1", kind: "Rollout", name: "web" })
  })

  it("names the settings that are wrong, and nothing of what they say", () => {
    const { note, regarding } = rejectedEvent("image-cloner", ["DRY_RUN", "BACKUP_REGISTRY"])
    assert.include(note, "DRY_RUN, BACKUP_REGISTRY")
    assert.deepInclude(regarding, { kind: "ConfigMap", name: "image-cloner-configuration", namespace: "image-cloner" })
  })

  it("says what a patch did, and how its rollout ended", () => {
    assert.deepInclude(rewrittenEvent(workload({}), 2), { type: "Normal", reason: "Rewritten" })
    assert.include(rewrittenEvent(workload({}), 2).note, "2 images")
    assert.deepInclude(rolloutEvent(workload({}), true), { type: "Normal", reason: "RolledOut" })
    assert.deepInclude(rolloutEvent(workload({}), false), { type: "Warning", reason: "RolloutStuck" })
  })
})
