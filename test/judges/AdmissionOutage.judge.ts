// The backup is down while Helm 3, Helm 4 and Flux apply again what they have applied, on a real control plane with the webhook on:
// no template changes, no pod is replaced, and what is new starts from its original.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { JsonObject } from "../../sandbox/Json.ts"
import * as J from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import { admitting, imagesOf, installed, makePod, mutates } from "../cluster/Webhooks.ts"
import { eventually } from "../support/Eventually.ts"
import { copyOf, namespace, Stage, stage } from "../support/Stage.ts"
import * as W from "../support/World.ts"
import { kustomization, startFlux } from "./Flux.ts"
import { missing, tool } from "./RealTools.ts"
import { release } from "./Release.ts"

const at = "outage"
const revision = "deployment.kubernetes.io/revision"
const names = ["helm3", "helm4", "flux"] as const

const manifest = (image: string): JsonObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "flux", namespace: at },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: "flux" } },
    template: { metadata: { labels: { app: "flux" } }, spec: { containers: [{ name: "app", image }] } }
  }
})

/** Whatever would be another after a restart or a change of a template. */
const state = Effect.gen(function*() {
  const objects = yield* W.list("Deployment", at)
  const pods = yield* W.list("Pod", at)
  return [
    ...objects.map((it) =>
      // an annotation of a Deployment changes its generation as well
      [J.text(it, "metadata", "name"), J.text(it, "metadata", "annotations", revision), W.imageOf(it)].join(" ")
    ),
    ...pods.map((it) => `${J.text(it, "metadata", "uid")} ${imagesOf(it)[0]}`)
  ].toSorted()
})

const deletePods = Effect.gen(function*() {
  const client = yield* KubeClient
  for (const pod of yield* W.list("Pod", at)) {
    const path = `/api/v1/namespaces/${at}/pods/${J.text(pod, "metadata", "name")}`
    yield* client.request({ method: "DELETE", path })
  }
})

const real = W.controlPlanes.filter((it) => it.name !== "the sandbox")

for (const place of real) {
  describe.skipIf(missing !== "")(`an outage of the backup on ${place.name}${missing}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect("restarts nothing while Helm 3, Helm 4 and Flux apply everything again", () =>
        Effect.gen(function*() {
          const stageNow = yield* Stage
          const { backup, upstream } = stageNow
          yield* upstream.load("outage/app", SampleImage.image("outage"), "1")
          const image = `${upstream.host}/outage/app:1`
          const copy = copyOf(stageNow, "outage/app", "1")
          yield* installed
          yield* namespace(at)
          yield* startFlux
          const cloner = yield* admitting([at], { BACKUP_PULL_BY: "nodes" })
          yield* mutates(1)

          const helm3 = yield* release(tool("helm3"), { namespace: at, name: "helm3" }, false)
          const helm4 = yield* release(tool("helm4"), { namespace: at, name: "helm4" }, false)
          const flux = yield* kustomization(at, "flux")
          yield* helm3.install({ image })
          yield* helm4.install({ image })
          yield* flux.publish(manifest(image))
          for (const name of names) yield* W.settled(at, name)
          yield* eventually(
            "the image is not backed up",
            cloner.metric("image_cloner_images{state=\"backed-up\"}"),
            (it) => it === 1
          )
          const tried = Effect.map(makePod(at, "try", image, { dryRun: "All" }), (pod) => imagesOf(pod)[0])
          yield* eventually("new pods are not pointed to the copy", tried, (it) => it === copy)
          yield* deletePods
          yield* eventually(
            "not all pods run the copy",
            W.list("Pod", at),
            (pods) => pods.length === names.length && pods.every((pod) => imagesOf(pod)[0] === copy)
          )
          for (const name of names) yield* W.settled(at, name)

          const before = yield* state
          yield* backup.switchOff
          yield* eventually("new pods get copies that nobody can pull", tried, (it) => it === image, "90 seconds")
          for (const note of ["1", "2", "3"]) {
            yield* helm3.upgrade({ image, note })
            yield* helm4.upgrade({ image, note })
            yield* flux.publish({
              ...manifest(image),
              metadata: { name: "flux", namespace: at, annotations: { note } }
            })
            assert.deepStrictEqual(yield* state, before)
          }
          yield* backup.switchOn
          yield* eventually("new pods are not pointed to the copy again", tried, (it) => it === copy, "90 seconds")
          yield* Effect.sleep("5 seconds")
          assert.deepStrictEqual(yield* state, before)
        }), 300_000)
    })
  })
}
