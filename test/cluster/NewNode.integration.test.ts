// A new node that lacks the way to the backup, on a real control plane with the bundled daemon beside it: without an end to that, every pod
// that is moved there would wait for its copy.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import * as J from "../../sandbox/Json.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import { eventually } from "../support/Eventually.ts"
import { Stage, stage } from "../support/Stage.ts"
import * as W from "../support/World.ts"
import { admitting, imagesOf, makePod, mutates, podSpec, withWeb } from "./Webhooks.ts"

/** A pod that no scheduler has a say in. */
const makePodOn = (node: string, name: string, image: string) =>
  W.create("Pod", "team", { metadata: { name }, spec: { ...podSpec(image), restartPolicy: "Always", nodeName: node } })

const dryPod = (image: string) => makePod("team", "try", image, { dryRun: "All" })

for (const place of W.controlPlanes.filter((it) => it.name !== "the sandbox")) {
  describe.skipIf(place.skipped)(`a new node without a way to the backup, on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect(
        "has pods start from their originals until it is gone",
        () =>
          Effect.gen(function*() {
            const { backup, controlPlane, kubelet } = yield* Stage
            const { copy, image } = yield* withWeb
            const cloner = yield* admitting(["team"], { BACKUP_PULL_BY: "nodes" })
            yield* mutates(1)
            yield* eventually("pods have no copy", dryPod(image), (it) => imagesOf(it)[0] === copy)
            yield* makePodOn(kubelet.node, "old", image)
            yield* eventually(
              "the old node does not run the copy",
              W.list("Pod", "team"),
              (pods) => pods.some((it) => W.isReady(it) && imagesOf(it)[0] === copy)
            )

            const scope = yield* Scope.make()
            // nothing listens at port 1
            yield* Scope.provide(W.node(controlPlane, { node: "new", hosts: { [backup.host]: "127.0.0.1:1" } }), scope)
            yield* makePodOn("new", "moved", image)
            yield* eventually(
              "pods are pointed to copies that the new node cannot pull",
              dryPod(image),
              (it) => imagesOf(it).every((one) => one === image),
              "90 seconds"
            )
            assert.match(
              JSON.stringify(cloner.log),
              /node new cannot reach the backup, and runs no copy: new pods start from their originals for 30m/
            )
            yield* makePodOn("new", "next", image)
            yield* eventually(
              "the next pod does not run",
              W.list("Pod", "team"),
              (pods) =>
                pods.some((it) =>
                  W.isReady(it) && imagesOf(it)[0] === image && J.text(it, "metadata", "name") === "next"
                )
            )

            yield* Scope.close(scope, Exit.void)
            const client = yield* KubeClient
            yield* client.request({ method: "DELETE", path: "/api/v1/nodes/new" })
            yield* eventually("pods have no copy again", dryPod(image), (it) => imagesOf(it)[0] === copy)
          }),
        { timeout: 180_000 }
      )
    })
  })
}
