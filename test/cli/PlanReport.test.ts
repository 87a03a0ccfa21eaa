import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Option } from "effect"
import { asText, report } from "../../src/cli/PlanReport.ts"
import * as Snapshot from "../../src/controller/Snapshot.ts"
import { settingsOf } from "../../src/settings/Settings.ts"
import { Workloads } from "../../src/store/WorkloadStore.ts"
import { digestOf, pod, resources, workload } from "../support/Objects.ts"

const given = {
  settings: settingsOf("backup.example/copies"),
  ownNamespace: Option.none<string>(),
  now: 0,
  looked: new Map()
}

const manifests = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {template: {spec: {containers: [{name: app, image: nginx:1.27}, {name: side, image: "UP/per case"}]}}}
---
# a comment alone
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Service
  metadata: {name: web}
- apiVersion: batch/v1
  kind: CronJob
  metadata: {name: nightly, namespace: shop}
  spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: job, image: nginx:1.27}]}}}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: kube-system}
spec: {template: {spec: {containers: [{name: app, image: busybox}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: managed, namespace: shop, labels: {app.kubernetes.io/managed-by: Helm}}
spec: {template: {spec: {containers: [{name: app, image: redis:7}]}}}
`

const planned = Effect.map(Snapshot.fromManifests("test.yaml", manifests), (store) => report(store, given))

describe("the report of a plan", () => {
  it.effect("has a row for every image: what happens to it and why", () =>
    Effect.gen(function*() {
      const { rows } = yield* planned
      assert.deepStrictEqual(rows.map((it) => [it.workload, it.container, it.action, it.reason]), [
        ["DaemonSet/agent", "app", "leave", "namespace-ignored"],
        ["CronJob/nightly", "job", "rewrite", null],
        ["Deployment/managed", "app", "clone", "managed-by"],
        ["Deployment/web", "app", "rewrite", null],
        ["Deployment/web", "side", "leave", "unparsable"]
      ])
      assert.strictEqual(rows[1]?.to, "backup.example/copies/docker.io/library/nginx:1.27")
    }))

  it.effect("counts an image once, with all its users", () =>
    Effect.gen(function*() {
      const { images, summary } = yield* planned
      assert.deepStrictEqual(images, [
        { source: "docker.io/library/nginx:1.27", users: 2 },
        { source: "docker.io/library/redis:7", users: 1 }
      ])
      assert.deepStrictEqual(summary, { rewrite: 2, clone: 1, done: 0, leave: 2 })
    }))

  it.effect("tells sizes and problems when the registries were asked", () =>
    Effect.gen(function*() {
      const store = yield* Snapshot.fromManifests("test.yaml", manifests)
      const digest = digestOf("a")
      const looked = new Map([
        ["docker.io/library/nginx:1.27", {
          digest,
          bytes: 1536,
          manifests: 3,
          problem: null,
          state: { _tag: "BackedUp", digest, contents: new Set([digest]), verifiedAt: 0 } as const
        }],
        ["docker.io/library/redis:7", {
          digest: null,
          bytes: null,
          manifests: null,
          problem: "it is private or does not exist",
          state: { _tag: "Failed", reason: "private", message: "it is private or does not exist", retryAt: 0 } as const
        }]
      ])
      const result = report(store, { ...given, looked })
      assert.strictEqual(result.rows.find((it) => it.workload === "Deployment/managed")?.reason, "private")
      const text = asText(result)
      assert.include(text, "1.5 KiB in 3 manifests")
      assert.include(text, "private: it is private or does not exist")
    }))

  it.effect.each([
    {
      remaining: 76,
      pulls: 14,
      said: /14 pulls to come .* of 100 in 6h 76 are left, 20 of them for the cluster .*: enough/
    },
    { remaining: 34, pulls: 15, said: /not enough: about 1 more windows of 6h/ },
    { remaining: 20, pulls: 200, said: /not enough: about 3 more windows of 6h/ }
  ])(
    "compares $pulls pulls to come with a registry's budget of which $remaining are left",
    ({ pulls, remaining, said }) =>
      Effect.gen(function*() {
        const store = yield* Snapshot.fromManifests("test.yaml", manifests)
        const digest = digestOf("a")
        const sight = (count: number) => ({
          digest,
          bytes: 1,
          manifests: count,
          problem: null,
          state: { _tag: "BackedUp", digest, contents: new Set([digest]), verifiedAt: 0 } as const
        })
        const looked = new Map([
          ["docker.io/library/nginx:1.27", sight(pulls - 1)],
          ["docker.io/library/redis:7", sight(1)]
        ])
        const window = Duration.hours(6)
        const budgets = new Map([
          ["docker.io", { limit: 100, remaining, window, share: remaining / 100 }],
          ["other.example", { limit: 1, remaining: 1, window, share: 1 }]
        ])
        const result = report(store, { ...given, looked, budgets })
        assert.deepStrictEqual(result.budgets, [
          { registry: "docker.io", pulls, limit: 100, remaining, windowSeconds: 21_600, reserved: 20 }
        ])
        assert.match(asText(result), said)
      })
  )

  it("rewrites to the digest that pods run where a look shows that the tag has moved", () => {
    const store = new Workloads()
    const deployment = workload()
    store.putWorkload(deployment)
    store.putPod(pod({ owner: deployment, digest: digestOf("b") }))
    for (const resource of resources) store.markSynced(resource)
    const digest = digestOf("a")
    const state = { _tag: "BackedUp", digest, contents: new Set([digest]), verifiedAt: 0 } as const
    const sight = { digest, bytes: 1, manifests: 1, problem: null, state }
    const { images, rows } = report(store, { ...given, looked: new Map([["docker.io/library/nginx:1.27", sight]]) })
    assert.deepStrictEqual(rows.map((it) => [it.action, it.to]), [
      ["rewrite", `backup.example/copies/docker.io/library/nginx:1.27@${digestOf("b")}`]
    ])
    assert.include(images.map((it) => it.source), `docker.io/library/nginx:1.27@${digestOf("b")}`)
  })

  it.effect("is a table with aligned columns", () =>
    Effect.gen(function*() {
      const [head = "", ...rows] = asText(yield* planned).split("\n")
      const column = head.indexOf("ACTION")
      for (const row of rows.slice(0, 5)) assert.match(row.slice(column), /^(rewrite|clone|leave) /)
    }))

  it.effect("of a text that is no YAML is refused with the file's name", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Snapshot.fromManifests("broken.yaml", "a: [1"))
      assert.include(error.message, "broken.yaml")
    }))
})
