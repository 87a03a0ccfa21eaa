import { assert, describe, it } from "@effect/vitest"
import { type Settings } from "../../src/settings/Settings.ts"
import type { ImageState } from "../../src/image/ImageState.ts"
import { writeHeld } from "../../src/workload/HeldMark.ts"
import { heldAnnotation } from "../../src/workload/HeldMark.ts"
import { admissible } from "../../src/workload/Freshness.ts"
import { planPod, type PodFacts } from "../../src/workload/PlanPod.ts"
import { type GivenPod, pod, workload } from "../support/Objects.ts"
import { a, b, backedUp, copy, failed, given, nginx, now, states } from "./Planned.ts"

const facts = (settings: Partial<Settings> = {}, more: Partial<PodFacts> = {}): PodFacts => ({
  ...given({ MUTATING_WEBHOOK: "on", ...settings }),
  backupFails: undefined,
  unshown: undefined,
  recreated: undefined,
  ...more
})

const made = (how: GivenPod = {}) => pod({ digest: "", ...how }).workload

/** What becomes of a pod of nginx:1.27, in one word. */
const verdict = (how: GivenPod, about: PodFacts): string => {
  const { replacements, verdict: it } = planPod(made(how), about)
  if (it._tag !== "Rewrite") assert.deepStrictEqual(replacements, [])
  return "reason" in it ? it.reason : it._tag
}

const only = (state: ImageState | undefined) => states(state === undefined ? {} : { [nginx]: state })

describe("a pod that is about to be made", () => {
  it("is pointed to the copy of its image, whoever owns it and whatever becomes of that", () => {
    const owner = workload({ metadata: { labels: { "app.kubernetes.io/managed-by": "Helm" } } })
    const planned = planPod(made({ owner }), facts({}, { owners: [owner] }))
    assert.deepStrictEqual(planned.verdict, { _tag: "Rewrite" })
    assert.deepStrictEqual(planned.replacements.map((it) => it.to), [copy])
  })

  it("has each image for itself: what is not there yet is left as it is, and missing", () => {
    const it = made({ images: { app: "nginx:1.27", side: "busybox" } })
    const planned = planPod(it, facts())
    assert.deepStrictEqual(planned.replacements.map(({ slot, to }) => [slot.container, to]), [["app", copy]])
    assert.deepStrictEqual(planned.missing, ["docker.io/library/busybox:latest"])
  })

  it("is left as it is where no copy is there, or it could not be made", () => {
    assert.strictEqual(verdict({}, facts({}, { state: only(undefined) })), "pending")
    assert.strictEqual(verdict({}, facts({}, { state: only({ _tag: "Pending" }) })), "pending")
    assert.strictEqual(verdict({}, facts({}, { state: only(failed("failed")) })), "failed")
    assert.strictEqual(verdict({}, facts({}, { state: only(failed("private")) })), "Done")
  })

  it("may use a copy that was seen whole within six hours, and none that was not", () => {
    const at = (verifiedAt: number) => facts({}, { uptime: now, state: only(backedUp(a, { verifiedAt })) })
    assert.strictEqual(verdict({}, at(now - admissible)), "Rewrite")
    assert.strictEqual(verdict({}, at(now - admissible - 1)), "pending")
  })

  it("asks for a copy again that was not seen for long", () => {
    const about = facts({}, { uptime: now, state: only(backedUp(a, { verifiedAt: now - admissible - 1 })) })
    assert.deepStrictEqual(planPod(made(), about).missing, [nginx])
  })

  it("runs the bytes that the others of its revision run", () => {
    const owner = workload()
    const others = [pod({ owner, digest: b })]
    const siblings = { owners: [owner], pods: others, newestPods: new Set(others) }
    const pin = `${nginx}@${b}`
    assert.strictEqual(verdict({ owner }, facts({}, siblings)), "pending")
    const planned = planPod(
      made({ owner }),
      facts({}, { ...siblings, state: states({ [nginx]: backedUp(a), [pin]: backedUp(b) }) })
    )
    assert.deepStrictEqual(planned.replacements.map((it) => it.to), [`${copy}@${b}`])
  })

  it("is rewritten no second time", () => {
    assert.strictEqual(verdict({ images: { app: copy } }, facts()), "Done")
  })
})

describe("a pod is left as it is", () => {
  it("where its namespace is ignored, or it is a static pod", () => {
    assert.strictEqual(verdict({ namespace: "kube-system" }, facts()), "namespace-ignored")
    assert.strictEqual(verdict({}, facts({ NAMESPACES_TO_IGNORE: ["shop"] })), "namespace-ignored")
    const mirror = { metadata: { annotations: { "kubernetes.io/config.mirror": "x" } } }
    assert.strictEqual(verdict(mirror, facts()), "mirror-pod")
  })

  it("where somebody opted it, its owner or its namespace out", () => {
    const ignore = { annotations: { "image-cloner.io/ignore": "true" } }
    const never = { annotations: { "image-cloner.io/rewrite": "never" } }
    assert.strictEqual(verdict({ metadata: ignore }, facts()), "opted-out")
    const owner = workload({ metadata: ignore })
    assert.strictEqual(verdict({ owner }, facts({}, { owners: [owner] })), "opted-out")
    assert.strictEqual(verdict({ metadata: never }, facts()), "mode-off")
    assert.strictEqual(verdict({}, facts({}, { owners: [workload({ metadata: never })] })), "mode-off")
    const namespace = { name: "shop", uid: "u", marks: { ignore: undefined, rewrite: "never" as const } }
    assert.strictEqual(verdict({}, facts({}, { namespace })), "mode-off")
    // the nearer mark counts
    const wanted = workload({ metadata: { annotations: { "image-cloner.io/rewrite": "admission" } } })
    assert.strictEqual(verdict({}, facts({}, { namespace, owners: [wanted] })), "Rewrite")
  })

  it("where it has to start without the backup", () => {
    assert.strictEqual(verdict({}, facts({ BACKUP_NAMESPACES: ["shop"] })), "serves-backup")
    assert.strictEqual(verdict({}, facts({ BACKUP_REGISTRY: "registry.shop.svc/copies" })), "serves-backup")
    const critical = { podSpec: { priorityClassName: "system-node-critical" } }
    assert.strictEqual(verdict(critical, facts()), "critical")
  })

  it("where its owner was put back from this image, or fights over it", () => {
    const mark = (reason: "quarantined" | "contested") =>
      workload({
        metadata: {
          annotations: {
            [heldAnnotation]: writeHeld({
              reason,
              detail: "it did not start",
              count: 1,
              images: { app: ["nginx:1.27", copy] }
            })
          }
        }
      })
    assert.strictEqual(verdict({}, facts({}, { owners: [mark("quarantined")] })), "quarantined")
    assert.strictEqual(verdict({}, facts({}, { owners: [mark("contested")] })), "contested")
    assert.strictEqual(
      verdict({ images: { app: "nginx:1.28" } }, facts({}, { owners: [mark("quarantined")] })),
      "pending"
    )
  })

  it("while the webhook, the rewriting or the backup is off, or nothing may be changed", () => {
    assert.strictEqual(verdict({}, facts({ MUTATING_WEBHOOK: "off" })), "mode-off")
    assert.strictEqual(verdict({}, facts({ REWRITE_MODE: "off" })), "mode-off")
    assert.strictEqual(verdict({}, facts({ DRY_RUN: true })), "dry-run")
    assert.strictEqual(verdict({}, facts({}, { backupFails: "it has not answered for 30 seconds" })), "backup-down")
    assert.strictEqual(verdict({}, facts({}, { unshown: "nobody has shown it" })), "pull-unproven")
    assert.strictEqual(verdict({}, facts({}, { recreated: "Cluster shop/db deletes its pods" })), "contested")
    assert.strictEqual(verdict({}, facts({}, { unseen: ["namespaces cannot be seen"] })), "unseen")
  })
})
