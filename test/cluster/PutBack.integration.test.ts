// Rollouts of ours that do not come up, and ones that came up long ago, on the sandbox and on a real control plane: what is put
// back is what never came up, and only to images that are there. An outage of the backup changes nothing.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as J from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import { copyOf, daemon, namespace, Stage, stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import * as W from "../support/World.ts"

const kinds = ["Deployment", "StatefulSet", "DaemonSet"] as const

const waiting = (namespaceName: string) =>
  Effect.map(
    W.list("Pod", namespaceName),
    (pods) => pods.map((it) => J.text(it, "status", "containerStatuses", 0, "state", "waiting", "reason") ?? "")
  )

for (const place of W.controlPlanes) {
  describe.skipIf(place.skipped)(`putting back, on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect(
        "a restart while the backup is down and the sources are gone changes no template",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const { backup, kubelet, upstream } = stageNow
            yield* upstream.load("outage/app", SampleImage.image("outage"), "1")
            const image = `${upstream.host}/outage/app:1`
            const copy = copyOf(stageNow, "outage/app", "1")
            yield* namespace("outage")
            for (const kind of kinds) {
              yield* W.make(kind, { namespace: "outage", name: kind.toLowerCase(), image })
              yield* W.settled("outage", kind.toLowerCase())
            }
            const first = yield* daemon(["outage"])
            for (const kind of kinds) {
              yield* eventually(
                `${kind} has not rolled out`,
                W.running("outage", kind.toLowerCase()),
                (pods) => pods.length === 1 && pods.every((pod) => pod.ready && pod.image === copy)
              )
            }
            yield* first.kill

            yield* backup.switchOff
            yield* upstream.removeRepository("outage/app")
            yield* kubelet.puller.prune
            const client = yield* KubeClient
            for (const pod of yield* W.list("Pod", "outage")) {
              const name = J.text(pod, "metadata", "name") ?? ""
              yield* client.request({ method: "DELETE", path: `/api/v1/namespaces/outage/pods/${name}` })
            }
            yield* eventually(
              "pods can pull",
              waiting("outage"),
              (reasons) => reasons.length >= 3 && reasons.every((it) => it === "ImagePullBackOff")
            )
            const again = yield* daemon(["outage"])
            for (const kind of ["Deployment", "StatefulSet"]) {
              yield* eventually(
                `no word about the ${kind}`,
                () => again.about(`${kind}/outage/${kind.toLowerCase()}`),
                (lines) => lines.some((line) => line.includes("cannot-pull"))
              )
            }
            yield* Effect.sleep("5 seconds")
            for (const kind of kinds) {
              assert.strictEqual(yield* W.imageNow(kind, "outage", kind.toLowerCase()), copy, kind)
            }
            yield* backup.switchOn
          }),
        180_000
      )
    })
  })
}
