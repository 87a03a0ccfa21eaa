// PodDisruptionBudgets, on the sandbox and on a real control plane, whose own controller counts what may be disrupted.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import { copyOf, daemon, namespace, Stage, stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import * as W from "../support/World.ts"

const collection = (name: string) => `/apis/policy/v1/namespaces/${name}/poddisruptionbudgets`

/** A budget for a workload that is never without all its pods; where nobody counts, its status is written here. */
const guard = Effect.fnUntraced(function*(namespaceName: string, name: string, counted: boolean) {
  const client = yield* KubeClient
  yield* client.request({
    method: "POST",
    path: collection(namespaceName),
    body: {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name },
      spec: { minAvailable: "100%", selector: { matchLabels: { app: name } } }
    }
  })
  if (counted) return
  yield* client.request({
    method: "PATCH",
    path: `${collection(namespaceName)}/${name}/status`,
    contentType: "application/merge-patch+json",
    body: { status: { observedGeneration: 1, disruptionsAllowed: 0 } }
  })
})

for (const place of W.controlPlanes) {
  describe.skipIf(place.skipped)(`budgets, on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect(
        "hold what takes pods away while they allow no disruption, and nothing that brings new ones first",
        () =>
          Effect.gen(function*() {
            const now = yield* Stage
            const image = `${now.upstream.host}/guarded/app:1`
            const copy = copyOf(now, "guarded/app", "1")
            yield* now.upstream.load("guarded/app", SampleImage.image("guarded"), "1")
            yield* namespace("guarded")
            const kinds = ["StatefulSet", "Deployment", "DaemonSet"] as const
            for (const kind of kinds) {
              const name = kind.toLowerCase()
              yield* W.make(kind, { namespace: "guarded", name, image })
              yield* W.settled("guarded", name)
              yield* guard("guarded", name, place.name !== "the sandbox")
            }
            const it = yield* daemon(["guarded"], { BACKUP_PULL_BY: "nodes" })
            yield* eventually("not rewritten", W.imageNow("Deployment", "guarded", "deployment"), (is) => is === copy)
            for (const kind of ["StatefulSet", "DaemonSet"] as const) {
              yield* eventually(
                `nothing is said of the ${kind}`,
                () => it.about(`${kind}/guarded/${kind.toLowerCase()}`).join("\n"),
                (lines) => lines.includes(`held, no-disruption: PodDisruptionBudget guarded/${kind.toLowerCase()}`)
              )
              assert.strictEqual(yield* W.imageNow(kind, "guarded", kind.toLowerCase()), image)
            }

            const client = yield* KubeClient
            yield* client.request({ method: "DELETE", path: `${collection("guarded")}/statefulset` })
            yield* eventually(
              "not rewritten",
              W.imageNow("StatefulSet", "guarded", "statefulset"),
              (is) => is === copy
            )
            const mark = [{ op: "add", path: "/metadata/annotations", value: { "image-cloner.io/rewrite": "patch" } }]
            assert.strictEqual(yield* W.imageNow("DaemonSet", "guarded", "daemonset"), image)
            yield* W.jsonPatch("a person", "DaemonSet", "guarded", "daemonset", mark)
            yield* eventually("not rewritten", W.imageNow("DaemonSet", "guarded", "daemonset"), (is) => is === copy)
          }),
        120_000
      )
    })
  })
}
