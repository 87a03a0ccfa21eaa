// The bytes that run, on the sandbox and on a real control plane: a change of an image by its owner is never answered with
// the image from before, nor a push with the copy from before.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Objects from "../../sandbox/client/Objects.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { copyOf, daemon, namespace, Stage, stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import * as W from "../support/World.ts"

const manager = "kubectl-set"

/** A person sets another image. */
const setImage = (kind: string, namespaceName: string, name: string, image: string) =>
  Objects.patch(manager, { resource: Objects.resource(kind), namespace: namespaceName, name }, {
    spec: { template: { spec: { containers: [{ name: "app", image }] } } }
  })

const staged = {
  StatefulSet: { updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 1 } } },
  DaemonSet: { updateStrategy: { type: "OnDelete" } }
} as const

for (const place of W.nearest) {
  describe(`the bytes that run, on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect(
        "a new image of which no pod runs yet becomes its own copy, not a pin of the one before",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const { upstream } = stageNow
            for (const tag of ["v1", "v2"]) yield* upstream.load("bytes/app", SampleImage.image(`bytes ${tag}`), tag)
            const v1 = `${upstream.host}/bytes/app:v1`
            const v2 = `${upstream.host}/bytes/app:v2`
            yield* namespace("bytes")
            for (const kind of ["StatefulSet", "DaemonSet"] as const) {
              yield* W.make(kind, { namespace: "bytes", name: kind.toLowerCase(), image: v1, spec: staged[kind] })
              yield* W.settled("bytes", kind.toLowerCase())
            }
            const template = {
              metadata: { labels: { app: "replicaset" } },
              spec: { containers: [{ name: "app", image: v1 }] }
            }
            yield* W.create("ReplicaSet", "bytes", {
              metadata: { name: "replicaset" },
              spec: { replicas: 1, selector: { matchLabels: { app: "replicaset" } }, template }
            })
            yield* W.settled("bytes", "replicaset")
            for (const kind of ["StatefulSet", "DaemonSet", "ReplicaSet"]) {
              yield* setImage(kind, "bytes", kind.toLowerCase(), v2)
            }

            const it = yield* daemon(["bytes"], { BACKUP_PULL_BY: "nodes" })
            const copy = copyOf(stageNow, "bytes/app", "v2")
            for (const kind of ["StatefulSet", "DaemonSet", "ReplicaSet"]) {
              const image = yield* eventually(
                `${kind} is not rewritten`,
                W.imageNow(kind, "bytes", kind.toLowerCase()),
                (it) => it !== v2
              )
              assert.strictEqual(image, copy, kind)
            }
            // nobody wants v1 any more but the pods that still run it, by their own name
            assert.notInclude(JSON.stringify(it.log), "tag-moved")
          }),
        120_000
      )

      it.effect("a workload that is created after a push gets what the tag names now", () =>
        Effect.gen(function*() {
          const stageNow = yield* Stage
          const { kubelet, upstream } = stageNow
          yield* upstream.load("pushed/app", SampleImage.image("pushed one"), "1")
          const image = `${upstream.host}/pushed/app:1`
          const copy = copyOf(stageNow, "pushed/app", "1")
          yield* namespace("pushed")
          yield* W.make("Deployment", { namespace: "pushed", name: "first", image })
          yield* W.settled("pushed", "first")
          yield* daemon(["pushed"])
          yield* eventually("not rewritten", W.imageNow("Deployment", "pushed", "first"), (it) => it === copy)
          yield* eventually(
            "not rolled out",
            W.running("pushed", "first"),
            (pods) => pods.length === 1 && pods.every((it) => it.ready && it.image === copy)
          )

          yield* upstream.load("pushed/app", SampleImage.image("pushed two"), "1")
          yield* kubelet.puller.prune
          const two = upstream.resolve("pushed/app", "1")
          // what was asked of the tag for the first one holds for ten seconds
          yield* Effect.sleep("11 seconds")
          yield* W.create("CronJob", "pushed", {
            metadata: { name: "nightly" },
            spec: {
              schedule: "0 0 1 1 *",
              jobTemplate: {
                spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "app", image }] } } }
              }
            }
          })
          yield* eventually(
            "the CronJob is not rewritten",
            W.get("CronJob", "pushed", "nightly"),
            (it) => JSON.stringify(it["spec"]).includes(copy)
          )
          const repository = `copies/${upstream.host.replace(":", "_")}/pushed/app`
          assert.strictEqual(stageNow.backup.resolve(repository, "1"), two)
        }), 120_000)
    })
  })
}
