import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import { report } from "../../src/cli/PlanReport.ts"
import { type Settings, settingsOf } from "../../src/settings/Settings.ts"
import { Workloads } from "../../src/store/WorkloadStore.ts"
import type { Workload } from "../../src/workload/Workload.ts"
import { digestOf, type Given, pod, resources, workload } from "../support/Objects.ts"

const podSpec = { imagePullSecrets: [{ name: "backup" }] }
const copy = "backup.example/copies/docker.io/library/nginx:1.27"

/** What a plan of the cluster says of each workload, in the order of its rows. */
const planned = (given: ReadonlyArray<Given>, settings: Partial<Settings> = {}, copies = false) => {
  const store = new Workloads()
  for (const resource of [...resources, "serviceaccounts"]) store.markSynced(resource)
  const marks = { ignore: undefined, rewrite: undefined }
  for (const name of ["shop", "web"]) store.putNamespace({ name, uid: `uid-${name}`, marks })
  const put = (of: Workload) => {
    store.putWorkload(of)
    store.putPod(pod({ owner: of, name: of.name, digest: digestOf("a"), podSpec }))
  }
  for (const it of given) put(workload({ podSpec, ...it }))
  if (copies) store.putPod(pod({ name: "try", images: { app: copy }, podSpec }))
  const { rows } = report(store, {
    settings: settingsOf("backup.example/copies", settings),
    ownNamespace: Option.none(),
    now: 0,
    looked: new Map()
  })
  return rows.filter((it) => !it.workload.startsWith("Pod/")).map((it) => [it.workload, it.reason ?? it.action])
}

const database: Given = { kind: "StatefulSet", name: "db" }
const front: Given = { namespace: "web", name: "front" }

describe("a plan of a cluster", () => {
  it("names first what would wait for ever, because nothing of its pull secrets could show that pods can pull", () => {
    assert.deepStrictEqual(planned([{ ...front, namespace: "web", name: "a" }, database]), [
      ["StatefulSet/db", "pull-unproven"],
      ["Deployment/a", "rewrite"]
    ])
  })

  it("says so while DRY_RUN is on, too: that is when it is read", () => {
    assert.deepStrictEqual(planned([database], { DRY_RUN: true }), [["StatefulSet/db", "pull-unproven"]])
  })

  it("does not where something shows it, could show it, was named for it, or every node can pull", () => {
    const rewritten = [["StatefulSet/db", "rewrite"]]
    const asked = { ...database, metadata: { annotations: { "image-cloner.io/rewrite": "patch" } } }
    assert.deepStrictEqual(planned([database], {}, true), rewritten)
    assert.deepStrictEqual(planned([asked]), rewritten)
    assert.deepStrictEqual(planned([database], { BACKUP_PULL_BY: "nodes" }), rewritten)
    assert.deepStrictEqual(planned([database, { name: "web" }]), [["Deployment/web", "rewrite"], ...rewritten])
  })
})
