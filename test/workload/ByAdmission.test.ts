import { assert, describe, it } from "@effect/vitest"
import type { Settings } from "../../src/settings/Settings.ts"
import { isByAdmission, runsCopies } from "../../src/workload/ByAdmission.ts"
import { planImages } from "../../src/workload/PlanImages.ts"
import { type HoldReason, holdReasons, type SkipReason, skipReasons } from "../../src/workload/Reason.ts"
import { held, skipped } from "../../src/workload/Verdict.ts"
import { pod, workload } from "../support/Objects.ts"
import { a, copy, given } from "./Planned.ts"

const on: Partial<Settings> = { MUTATING_WEBHOOK: "on" }

/** Reasons that a pod which is made now has as well, or that say that there is nothing to do. */
const ofPods: ReadonlySet<SkipReason | HoldReason> = new Set<SkipReason | HoldReason>([
  "contested",
  "quarantined",
  "critical",
  "serves-backup",
  "mode-off",
  "opted-out",
  "namespace-ignored",
  "unseen",
  "pending",
  "failed",
  "tag-moved",
  "digest-unknown",
  "backup-down",
  "pull-unproven",
  "dry-run",
  "mirror-pod"
])

describe("what new pods get by admission, though the template stays", () => {
  const web = workload()

  it("is all that is held or skipped for the sake of the template or its rollout, and nothing else", () => {
    for (const reason of ["by-admission", "unhealthy", "rolling-out", "no-disruption", "paused", "rollback"] as const) {
      assert.isTrue(isByAdmission(web, held(reason, ""), given(on)), reason)
    }
    for (const reason of ["owned", "immutable"] as const) {
      assert.isTrue(isByAdmission(web, skipped(reason, ""), given(on)), reason)
    }
    for (const reason of Object.keys(holdReasons) as ReadonlyArray<HoldReason>) { // its own keys
      if (ofPods.has(reason)) assert.isFalse(isByAdmission(web, held(reason, ""), given(on)), reason)
    }
    for (const reason of Object.keys(skipReasons) as ReadonlyArray<SkipReason>) { // its own keys
      if (ofPods.has(reason)) assert.isFalse(isByAdmission(web, skipped(reason, ""), given(on)), reason)
    }
    assert.isFalse(isByAdmission(web, { _tag: "Rewrite", as: "rollout" }, given(on)))
    assert.isFalse(isByAdmission(web, { _tag: "Done" }, given(on)))
  })

  it("is nothing without the webhook, and nothing while REWRITE_MODE is off", () => {
    assert.isFalse(isByAdmission(web, held("unhealthy", ""), given()))
    assert.isFalse(isByAdmission(web, skipped("owned", ""), given({ ...on, REWRITE_MODE: "off" })))
  })

  it("is nothing of what is marked never, is critical, or serves the backup", () => {
    const owned = skipped("owned", "")
    const never = workload({ metadata: { annotations: { "image-cloner.io/rewrite": "never" } } })
    const critical = workload({ podSpec: { priorityClassName: "system-node-critical" } })
    assert.isFalse(isByAdmission(never, owned, given(on)))
    assert.isFalse(isByAdmission(critical, owned, given(on)))
    assert.isFalse(isByAdmission(web, owned, given({ ...on, BACKUP_NAMESPACES: ["shop"] })))
    assert.isFalse(isByAdmission(web, owned, given({ ...on, BACKUP_REGISTRY: "registry.shop.svc/copies" })))
    const namespace = { name: "shop", uid: "shop", marks: { ignore: undefined, rewrite: "never" as const } }
    assert.isFalse(isByAdmission(web, owned, given(on, { namespace })))
  })
})

describe("whether all pods run the copies", () => {
  const web = workload()
  const told = (pods: ReadonlyArray<ReturnType<typeof pod>>, settings = on) => {
    const about = given(settings, { pods })
    return runsCopies(web, planImages(web, about), about)
  }
  const running = (image: string, phase = "Running") =>
    pod({ owner: web, name: `${phase}-${image.length}`, images: { app: image }, digest: a, phase })

  it("asks those that live, and there have to be as many as are wanted", () => {
    assert.isTrue(told([running(copy)]))
    assert.isTrue(told([running(copy), running("nginx:1.27", "Succeeded")]), "what has ended runs nothing")
    assert.isFalse(told([running(copy), running("nginx:1.27")]))
    assert.isFalse(told([]))
    assert.isFalse(told([running(copy)], {}))
  })
})
