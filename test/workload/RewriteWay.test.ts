import { assert, describe, it } from "@effect/vitest"
import { settingsOf } from "../../src/settings/Settings.ts"
import { plan } from "../../src/workload/Plan.ts"
import { heldByWay } from "../../src/workload/RewriteWay.ts"
import { toRestore } from "../../src/workload/Restore.ts"
import type { Facts } from "../../src/workload/Facts.ts"
import type { Namespace } from "../../src/workload/Workload.ts"
import { rolloutOf } from "../support/ExtraObjects.ts"
import { facts as factsOf, pod } from "../support/Objects.ts"

const facts = (settings: Partial<Facts["settings"]> = {}, given: Partial<Facts> = {}) =>
  factsOf(settingsOf("backup.example/copies", settings), given)

const marked = (mark: string) => rolloutOf({ metadata: { annotations: { "image-cloner.io/rewrite": mark } } })
const namespace = (rewrite: "patch" | "never"): Namespace => ({
  name: "shop",
  uid: "n",
  marks: { ignore: undefined, rewrite }
})

describe("an object of EXTRA_KINDS", () => {
  it("is cloned, and held with words that say what to do", () => {
    const planned = plan(rolloutOf(), facts())
    assert.deepStrictEqual(planned.wants, ["docker.io/library/nginx:1.27"])
    assert.deepStrictEqual(planned.verdict, {
      _tag: "Held",
      reason: "managed-by",
      detail:
        "Rollout.argoproj.io is of EXTRA_KINDS: it is patched where it is marked image-cloner.io/rewrite: patch itself"
    })
    assert.isFalse(planned.patchable)
  })

  it("is rewritten where it is marked itself, and takes no place", () => {
    assert.isUndefined(heldByWay(marked("patch"), facts()))
    const planned = plan(marked("patch"), facts({}, { assumeCopied: true }))
    assert.deepStrictEqual(planned.verdict, { _tag: "Rewrite", as: "harmless" })
  })

  it("is not touched while a pod of it is not ready, but where its copy is what helps it", () => {
    const it = marked("patch")
    const late = pod({ owner: it, ready: false })
    const verdict = plan(it, facts({}, { assumeCopied: true, pods: [late] })).verdict
    assert.deepStrictEqual(verdict, { _tag: "Held", reason: "unhealthy", detail: "its pod web-1 is not ready" })
    const unpulled = pod({
      owner: it,
      ready: false,
      state: { waiting: { reason: "ImagePullBackOff", message: "gone" } }
    })
    const cured = plan(it, facts({}, { assumeCopied: true, pods: [unpulled] })).verdict
    assert.deepStrictEqual(cured, { _tag: "Rewrite", as: "harmless" })
  })

  it("is not rewritten by the word of its namespace, which may keep it from being", () => {
    assert.strictEqual(heldByWay(rolloutOf(), facts({}, { namespace: namespace("patch") }))?.reason, "managed-by")
    assert.strictEqual(heldByWay(rolloutOf(), facts({}, { namespace: namespace("never") }))?.reason, "mode-off")
  })

  it("has its pods pointed to the copies at admission, where that is on", () => {
    assert.strictEqual(heldByWay(rolloutOf(), facts({ MUTATING_WEBHOOK: "on" }))?.reason, "by-admission")
  })

  it("names the tool that owns it before itself", () => {
    const owned = rolloutOf({ metadata: { annotations: { "argocd.argoproj.io/tracking-id": "x" } } })
    assert.include(heldByWay(owned, facts())?.detail, "Argo CD")
  })

  it("is restored whether it is still marked or not", () => {
    const backup = { registry: "backup.example", prefix: "copies", layout: "nested" } as const
    const rewritten = rolloutOf({
      images: { app: "backup.example/copies/docker.io/library/nginx:1.27" },
      metadata: { annotations: { "image-cloner.io/original-images": "{\"app\":\"nginx:1.27\"}" } }
    })
    const given = { workload: rewritten, backup, namespace: undefined, owners: [], pods: [], named: false }
    assert.deepStrictEqual(toRestore(given), { _tag: "Restore" })
  })
})
