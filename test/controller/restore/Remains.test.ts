import { assert, describe, it } from "@effect/vitest"
import { remainsOf } from "../../../src/controller/restore/Remains.ts"
import { Workloads } from "../../../src/store/WorkloadStore.ts"
import type { Scope } from "../../../src/workload/Scope.ts"
import type { Pod, Workload } from "../../../src/workload/Workload.ts"
import { pod, workload } from "../../support/Objects.ts"

const backup = { registry: "backup.example", prefix: "copies", layout: "nested" } as const
const copy = "backup.example/copies/docker.io/library/nginx:1.27"
const recorded = { "image-cloner.io/original-images": "{\"app\":\"nginx:1.27\"}" }
const all: Scope = { _tag: "All" }

const ownedBy = (owner: Workload) => ({
  ownerReferences: [{ kind: owner.kind, name: owner.name, uid: owner.uid, controller: true }]
})

/** What remains of a cluster with these, as `key reason`, with a star where it counts. */
const remains = (workloads: ReadonlyArray<Workload>, pods: ReadonlyArray<Pod> = [], scope: Scope = all) => {
  const store = new Workloads()
  for (const it of workloads) store.putWorkload(it)
  for (const it of pods) store.putPod(it)
  return remainsOf(store, backup, scope).map((it) => `${it.key} ${it.reason}${it.counts ? " *" : ""}`)
}

const usesCopy = { images: { app: copy } }

describe("what still refers to the backup", () => {
  it("is nothing where no template and no pod does", () => {
    const web = workload()
    assert.deepStrictEqual(remains([web], [pod({ owner: web })]), [])
  })

  it("counts where it is a template, be it ours, its owner's or rewritten anew", () => {
    assert.deepStrictEqual(
      remains([
        workload({ ...usesCopy, templateAnnotations: recorded }),
        workload({ ...usesCopy, name: "own" }),
        workload({
          ...usesCopy,
          name: "release",
          templateAnnotations: recorded,
          metadata: { labels: { "app.kubernetes.io/managed-by": "Helm" } }
        })
      ]),
      ["Deployment/shop/own not-recorded *", "Deployment/shop/release managed-by *", "Deployment/shop/web again *"]
    )
  })

  it("counts where it is a pod that its controller replaces, and not where nobody does", () => {
    const web = workload()
    const set = workload({ kind: "ReplicaSet", name: "bare" })
    const staged = workload({
      kind: "StatefulSet",
      name: "staged",
      spec: { updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 1 } } }
    })
    const daemon = workload({ kind: "DaemonSet", name: "manual", spec: { updateStrategy: { type: "OnDelete" } } })
    const pods = [web, set, staged, daemon].map((owner, at) => pod({ ...usesCopy, owner, name: `p-${at}` }))
    assert.deepStrictEqual(remains([web, set, staged, daemon], pods), [
      "DaemonSet/shop/manual not-replaced",
      "Deployment/shop/web rolling-out *",
      "ReplicaSet/shop/bare not-replaced",
      "StatefulSet/shop/staged not-replaced"
    ])
  })

  it("does not count where nothing can be done about it: Jobs, bare and static pods", () => {
    const job = workload({ ...usesCopy, kind: "Job", name: "bare" })
    const cron = workload({ kind: "CronJob", name: "cron" })
    const runs = workload({ ...usesCopy, kind: "Job", name: "runs", metadata: ownedBy(cron) })
    const over = workload({ ...usesCopy, kind: "Job", name: "over", metadata: ownedBy(cron) })
    assert.deepStrictEqual(
      remains([job, cron, runs, over], [
        pod({ ...usesCopy, owner: runs, name: "of-job" }),
        pod({ ...usesCopy, name: "bare" }),
        pod({ ...usesCopy, name: "done", phase: "Succeeded" }),
        pod({
          ...usesCopy,
          name: "static",
          metadata: {
            annotations: { "kubernetes.io/config.mirror": "x" },
            ownerReferences: [{ kind: "Node", name: "node-1", uid: "node", controller: true }]
          }
        })
      ]),
      ["Job/shop/bare immutable", "Job/shop/runs immutable", "Pod/shop/bare immutable", "Pod/shop/static mirror-pod"]
    )
  })

  it("is told of no old ReplicaSet, and of what an operator makes", () => {
    const web = workload()
    const old = workload({
      ...usesCopy,
      kind: "ReplicaSet",
      name: "web-1",
      spec: { replicas: 0 },
      metadata: ownedBy(web)
    })
    const operator = { ownerReferences: [{ kind: "Database", name: "db", uid: "db", controller: true }] }
    const set = workload({ ...usesCopy, kind: "StatefulSet", name: "db", spec: { replicas: 1 }, metadata: operator })
    assert.deepStrictEqual(
      remains([web, old, set], [
        pod({ ...usesCopy, owner: set }),
        pod({ ...usesCopy, name: "loose", metadata: operator })
      ]),
      ["Pod/shop/loose owned *", "StatefulSet/shop/db owned *"]
    )
  })

  it("is looked for in the scope alone", () => {
    const web = workload({ ...usesCopy, templateAnnotations: recorded })
    const other = workload({ ...usesCopy, namespace: "else", templateAnnotations: recorded })
    assert.deepStrictEqual(remains([web, other], [], { _tag: "Namespaces", names: new Set(["else"]) }), [
      "Deployment/else/web again *"
    ])
    assert.deepStrictEqual(remains([web, other], [], { _tag: "Named", keys: new Set([web.key]) }), [
      "Deployment/shop/web again *"
    ])
  })
})
