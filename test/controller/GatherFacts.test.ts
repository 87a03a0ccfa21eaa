import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import { gatherFacts } from "../../src/controller/GatherFacts.ts"
import { settingsOf } from "../../src/settings/Settings.ts"
import { Workloads } from "../../src/store/WorkloadStore.ts"
import type { WorkloadKind } from "../../src/workload/Kinds.ts"
import { resources, workload } from "../support/Objects.ts"

const unseen = (
  kind: WorkloadKind,
  synced: ReadonlyArray<string>,
  unheard?: (resource: string) => string | undefined
) => {
  const store = new Workloads()
  for (const resource of synced) store.markSynced(resource)
  return gatherFacts(store, workload({ kind }), {
    settings: settingsOf("backup.example/copies"),
    backup: { registry: "backup.example", prefix: "copies", layout: "nested" },
    ownNamespace: Option.none(),
    now: 0,
    uptime: 0,
    state: () => undefined,
    assumeCopied: false,
    ...(unheard === undefined ? {} : { unheard })
  }).unseen
}
const without = (...missing: ReadonlyArray<string>) => resources.filter((it) => !missing.includes(it))

describe("what has to be seen to decide about a workload", () => {
  it("is its pods, its namespace and its own kind, and what stands between it and its pods", () => {
    const all = [
      ["Deployment", "deployments", "replicasets"],
      ["StatefulSet", "statefulsets", undefined],
      ["DaemonSet", "daemonsets", "nodes"],
      ["CronJob", "cronjobs", "jobs"],
      ["ReplicaSet", "replicasets", undefined]
    ] as const
    for (const [kind, own, between] of all) {
      for (const one of ["pods", "namespaces", own, ...(between === undefined ? [] : [between])]) {
        assert.deepStrictEqual(unseen(kind, without(one)), [`${one} cannot be seen`], `${kind} without ${one}`)
      }
      assert.deepStrictEqual(unseen(kind, resources), [], kind)
    }
    assert.deepStrictEqual(unseen("StatefulSet", without("nodes", "replicasets", "jobs")), [])
  })

  it("is not seen any more once nothing is heard of it", () => {
    const silent = (resource: string) => resource === "pods" ? "nothing was heard of pods for 200 s" : undefined
    assert.deepStrictEqual(unseen("StatefulSet", resources, silent), ["nothing was heard of pods for 200 s"])
  })

  it("is all there, where it comes from manifests", () => assert.deepStrictEqual(unseen("Deployment", []), []))
})
