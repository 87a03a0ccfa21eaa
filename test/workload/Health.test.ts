// Whether a workload is well enough to be touched, as its plan says it.
import { assert, describe, it } from "@effect/vitest"
import { plan } from "../../src/workload/Plan.ts"
import { type Given, pod, unstarted, workload } from "../support/Objects.ts"
import { a, deployed, given, settled, verdict } from "./Planned.ts"

describe("health", () => {
  it("a workload none of whose pods has a started container is rewritten at once", () => {
    const it = workload(unstarted)
    const waiting = { state: { waiting: { reason: "ContainerCreating" } }, ready: false, owner: it }
    for (const pods of [[], [pod(waiting)], [pod({ ...waiting, phase: "Pending" })]]) {
      assert.deepStrictEqual(plan(it, given({}, { pods })).verdict, { _tag: "Rewrite", as: "harmless" })
    }
  })

  it("a workload that its controller calls available has pods, even if none was seen yet", () => {
    assert.strictEqual(verdict(workload(), given({}, { pods: [] })), "rolling-out")
  })

  it("a container that has crashed has started: unhealthy", () => {
    const it = workload()
    const crashed = { state: { waiting: { reason: "CrashLoopBackOff" } }, ready: false, owner: it, digest: a }
    const before = pod(crashed)
    const after = { ...before, containers: before.containers.map((one) => ({ ...one, started: true })) }
    assert.strictEqual(verdict(it, given({}, { pods: [after] })), "unhealthy")
  })

  it("unready pods hold it, unless their node is not Ready", () => {
    const it = workload()
    const pods = [pod({ owner: it, digest: a, ready: false, node: "lost" })]
    assert.strictEqual(verdict(it, given({}, { pods })), "unhealthy")
    assert.strictEqual(verdict(it, given({}, { pods, nodeReady: (name) => name !== "lost" })), "Rewrite")
  })

  it("nothing is begun while it is short of pods; a DaemonSet may be short of less than it would miss itself", () => {
    const short = (kind: "Deployment" | "StatefulSet" | "DaemonSet", maxUnavailable: number | string = 1) =>
      deployed({
        kind,
        spec: { replicas: 10, updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable } } },
        status: {
          replicas: 10,
          updatedReplicas: 10,
          availableReplicas: 9,
          desiredNumberScheduled: 10,
          updatedNumberScheduled: 10,
          numberAvailable: 9
        }
      })
    assert.deepStrictEqual([short("Deployment"), short("StatefulSet")], ["unhealthy", "unhealthy"])
    assert.deepStrictEqual([short("DaemonSet"), short("DaemonSet", "20%")], ["unhealthy", "Rewrite"])
  })

  const rolling: ReadonlyArray<readonly [string, Given]> = [
    ["an unseen generation", { metadata: { generation: 2 } }],
    ["pods of the old revision", { status: { replicas: 2, updatedReplicas: 1 } }],
    ["too few updated pods", { spec: { replicas: 2 } }],
    ["a StatefulSet between revisions", { kind: "StatefulSet", status: { updateRevision: "r2" } }],
    ["a DaemonSet with old pods", { kind: "DaemonSet", status: { updatedNumberScheduled: 0 } }]
  ]
  for (const [what, how] of rolling) {
    it(`rolling-out: ${what}`, () => assert.strictEqual(deployed(how), "rolling-out"))
  }

  it("a StatefulSet with a partition has settled when the pods above it are updated", () => {
    const how: Given = {
      kind: "StatefulSet",
      spec: { replicas: 1, updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 1 } } },
      status: { updatedReplicas: 0, updateRevision: "r2" }
    }
    assert.strictEqual(deployed(how), "Rewrite")
  })

  it("an OnDelete strategy interrupts nobody", () => {
    const it = workload({ kind: "DaemonSet", spec: { updateStrategy: { type: "OnDelete" } } })
    assert.deepStrictEqual(plan(it, given({}, { pods: settled(it) })).verdict, { _tag: "Rewrite", as: "harmless" })
  })
})
