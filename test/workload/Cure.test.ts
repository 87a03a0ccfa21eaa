import { assert, describe, it } from "@effect/vitest"
import { settingsOf } from "../../src/settings/Settings.ts"
import type { Facts } from "../../src/workload/Facts.ts"
import { plan } from "../../src/workload/Plan.ts"
import type { Pod } from "../../src/workload/Workload.ts"
import { digestOf, facts, pod, workload } from "../support/Objects.ts"

const nginx = "docker.io/library/nginx:1.27"
const now = 1_000_000_000

const runs = (name: string) => pod({ name, digest: digestOf("a") })
const fails = (reason = "ImagePullBackOff", image = "nginx:1.27") =>
  pod({ name: "web-3", images: { app: image }, node: "new", ready: false, state: { waiting: { reason } } })

/** A Deployment of three, of which two run; its copy was seen `age` ago. */
const verdict = (pods: ReadonlyArray<Pod>, given: Partial<Facts> = {}, age = 1000) => {
  const of = workload({ spec: { replicas: 3 }, status: { replicas: 3, updatedReplicas: 3, availableReplicas: 2 } })
  const digest = digestOf("a")
  const planned = plan(
    of,
    facts(settingsOf("backup.example/copies"), {
      now,
      pods,
      state: () => ({ _tag: "BackedUp", digest, contents: new Set([digest]), verifiedAt: now - age }),
      ...given
    })
  )
  const { verdict: it } = planned
  return { is: it._tag === "Rewrite" ? it.as : "reason" in it ? it.reason : it._tag, stale: planned.stale }
}
const short = [runs("web-1"), runs("web-2")]

describe("a workload whose pods cannot pull their source", () => {
  it("is cured while it is short of pods: two run, the third is on a new node and the source is gone", () => {
    assert.strictEqual(verdict([...short, fails()]).is, "cure")
    assert.strictEqual(verdict([fails()]).is, "cure")
  })

  it("is not cured by what may pass in a moment, but by two failures half a minute apart", () => {
    const failing = [...short, fails("ErrImagePull")]
    assert.strictEqual(verdict(failing).is, "unhealthy")
    assert.strictEqual(verdict(failing, { pullFailsSince: () => now - 30_000 }).is, "cure")
  })

  it("is not cured where another image fails, nor on a node that has pulled nothing since it came up", () => {
    assert.strictEqual(verdict([...short, fails("ImagePullBackOff", "nginx:1.26")]).is, "unhealthy")
    assert.strictEqual(verdict([...short, fails()], { nodeHasPulled: (node) => node !== "new" }).is, "unhealthy")
  })

  it("is cured only by a backup that has answered within a minute: it is looked at before", () => {
    assert.deepStrictEqual(verdict([...short, fails()], {}, 61_000), { is: "pending", stale: [nginx] })
  })
})
