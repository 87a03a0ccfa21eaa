import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Option } from "effect"
import { report } from "../../src/cli/PlanReport.ts"
import { asText } from "../../src/cli/PlanTable.ts"
import { type Settings, settingsOf } from "../../src/settings/Settings.ts"
import { Workloads } from "../../src/store/WorkloadStore.ts"
import { digestOf, pod, resources, workload } from "../support/Objects.ts"
import { storeOf } from "./manifests/Reading.ts"

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

const stored = (text: string) => Effect.sync(() => storeOf(text))
const planned = Effect.map(stored(manifests), (store) => report(store, given))

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
      assert.deepStrictEqual(summary, { rewrite: 2, admission: 0, clone: 1, done: 0, leave: 2 })
    }))

  it.effect("tells sizes and problems when the registries were asked", () =>
    Effect.gen(function*() {
      const store = yield* stored(manifests)
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
        const store = yield* stored(manifests)
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

  it.effect("names the tags of copies that are not what their sources' name, with both digests", () =>
    Effect.gen(function*() {
      const store = yield* stored(manifests)
      const drifts = [{ source: "quay.io/team/app:1", names: digestOf("b"), copy: digestOf("a") }]
      const text = asText(report(store, { ...given, looked: new Map(), drifts }))
      assert.match(text, /the tag quay\.io\/team\/app:1 has moved: its source names sha256:b+….*, its copy sha256:a+…/)
      assert.notInclude(asText(report(store, { ...given, looked: new Map() })), "has moved")
    }))

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

  describe("with the mutating webhook", () => {
    const copyOf = (name: string) => `backup.example/copies/docker.io/library/${name}`
    const settingsWith = (more: Partial<Settings>): Settings =>
      settingsOf("backup.example/copies", { MUTATING_WEBHOOK: "on", ...more })
    const reported = (more: Partial<Settings>, store: Workloads) =>
      report(store, { ...given, settings: settingsWith(more) })

    it.effect("says of each workload whether a patch or admission brings its pods the copies, and names them", () =>
      Effect.gen(function*() {
        const result = reported({}, yield* stored(manifests))
        const rows = result.rows.filter((it) => it.action !== "leave")
        assert.deepStrictEqual(rows.map((it) => [it.workload, it.action, it.reason, it.to]), [
          ["CronJob/nightly", "rewrite", null, copyOf("nginx:1.27")],
          ["Deployment/managed", "admission", "by-admission", copyOf("redis:7")],
          ["Deployment/web", "rewrite", null, copyOf("nginx:1.27")]
        ])
        assert.deepStrictEqual(result.summary, { rewrite: 2, admission: 1, clone: 0, done: 0, leave: 2 })
        const text = asText(result)
        assert.include(text, `${copyOf("redis:7")} (by-admission: Helm (label app.kubernetes.io/managed-by))`)
        assert.include(text, "2 to rewrite, 1 by admission, 0 to clone only")
      }))

    it.effect("has none to be patched where REWRITE_MODE is admission, nor one by admission where it is off", () =>
      Effect.gen(function*() {
        const store = yield* stored(manifests)
        const { images, summary } = reported({ REWRITE_MODE: "admission" }, store)
        assert.deepStrictEqual(summary, { rewrite: 0, admission: 3, clone: 0, done: 0, leave: 2 })
        assert.strictEqual(images.length, 2, "they are copied all the same")
        assert.deepStrictEqual(reported({ REWRITE_MODE: "off" }, store).summary, {
          rewrite: 0,
          admission: 0,
          clone: 3,
          done: 0,
          leave: 2
        })
      }))

    it.effect.each([
      { what: "a Job, whose template nobody can change", kind: "Job", metadata: "", row: ["admission", "immutable"] },
      {
        what: "what an operator controls",
        kind: "StatefulSet",
        metadata: "ownerReferences: [{apiVersion: a.example/v1, kind: A, name: a, uid: u, controller: true}]",
        row: ["admission", "owned"]
      },
      {
        what: "but nothing that is marked never",
        kind: "Job",
        metadata: "annotations: {image-cloner.io/rewrite: never}",
        row: ["clone", "immutable"]
      },
      {
        what: "and nothing that serves the backup",
        kind: "Job",
        metadata: "",
        settings: { BACKUP_NAMESPACES: ["shop"] },
        row: ["clone", "immutable"]
      },
      {
        what: "and nothing in the namespace whose Service the backup is",
        kind: "Job",
        metadata: "",
        settings: { BACKUP_REGISTRY: "registry.shop.svc:5000/copies" },
        row: ["clone", "immutable"]
      }
    ])("brings them to $what", ({ kind, metadata, row, settings }) =>
      Effect.gen(function*() {
        const store = yield* stored(`
apiVersion: ${kind === "Job" ? "batch/v1" : "apps/v1"}
kind: ${kind}
metadata: {name: once, namespace: shop${metadata === "" ? "" : `, ${metadata}`}}
spec: {template: {spec: {containers: [{name: app, image: nginx:1.27}]}}}
`)
        const { rows } = reported(settings ?? {}, store)
        assert.deepStrictEqual(rows.map((it) => `${it.action} ${it.reason}`), [row.join(" ")])
      }))

    it.each([
      { settings: {}, image: copyOf("nginx:1.27"), row: ["done", "by-admission", "its pods run the copies"] },
      {
        settings: { REWRITE_MODE: "admission" } as const,
        image: copyOf("nginx:1.27"),
        row: ["done", "by-admission", "its pods run the copies"]
      },
      {
        settings: { REWRITE_MODE: "admission" } as const,
        image: "nginx:1.27",
        row: ["admission", "by-admission", "REWRITE_MODE is admission"]
      }
    ])("is done where the pods run the copies: $image with $settings", ({ image, row, settings }) => {
      const store = new Workloads()
      const deployment = workload()
      store.putWorkload(deployment)
      store.putPod(pod({ owner: deployment, images: { app: image }, digest: digestOf("a") }))
      for (const resource of resources) store.markSynced(resource)
      const { rows } = reported(settings, store)
      const first = rows.find((it) => it.workload === "Deployment/web")
      assert.deepStrictEqual([first?.action, first?.reason, first?.detail], row)
    })
  })

  it.effect("is a table with aligned columns", () =>
    Effect.gen(function*() {
      const [head = "", ...rows] = asText(yield* planned).split("\n")
      const column = head.indexOf("ACTION")
      for (const row of rows.slice(0, 5)) assert.match(row.slice(column), /^(rewrite|clone|leave) /)
    }))

  it.effect("names the copy of what somebody else owns: they may want to write it there", () =>
    Effect.gen(function*() {
      const copy = "backup.example/copies/docker.io/library/redis:7"
      assert.include(asText(yield* planned), `${copy} (managed-by: Helm (label app.kubernetes.io/managed-by))`)
    }))
})
