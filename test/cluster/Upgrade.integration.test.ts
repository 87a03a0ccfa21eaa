// What version 0.1 has left on a cluster when it is replaced in the middle of its rollouts, on the sandbox and on a real control
// plane: the images and the annotation of its patch, all of it still owned by our field manager, and pods half way.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { JsonObject } from "../../sandbox/Json.ts"
import * as J from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import * as Ending from "../support/Ending.ts"
import { copyOf, daemon, namespace, Stage, stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import * as W from "../support/World.ts"

const annotation = "image-cloner.io/original-images"

/** Four of each: with one pod, with two, and what the kind has of its own. */
const kinds = ["Deployment", "StatefulSet", "DaemonSet"] as const
const workloads = kinds.flatMap((kind) =>
  [1, 2, 1, 2].map((replicas, index) => ({
    kind,
    name: `${kind.toLowerCase()}-${index}`,
    replicas: kind === "DaemonSet" ? 1 : replicas,
    /** Whether it had come up before the upgrade. */
    over: index >= 2
  }))
)

const manifest = (image: string, name: string, replicas: number, kind: string, release: string): JsonObject => ({
  metadata: { labels: { release, "image-cloner.io/rewrite": "patch" } },
  spec: {
    ...(kind === "DaemonSet" ? {} : { replicas }),
    ...(kind === "StatefulSet" ? { serviceName: name } : {}),
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "app", image }] } }
  }
})

/** The patch of version 0.1: by our manager, with nothing given up after it. */
const rewriteAsBefore = (kind: string, where: string, name: string, image: string, copy: string) =>
  W.jsonPatch("image-cloner", kind, where, name, [
    { op: "replace", path: "/spec/template/spec/containers/0/image", value: copy },
    { op: "add", path: "/spec/template/metadata/annotations", value: {} },
    {
      op: "add",
      path: `/spec/template/metadata/annotations/${annotation.replace("/", "~1")}`,
      value: JSON.stringify({ app: image })
    }
  ])

const ownsImage = (object: JsonObject) =>
  J.list(object, "metadata", "managedFields").some((it) =>
    J.text(it, "manager") === "image-cloner" && JSON.stringify(it).includes("\"f:image\"")
  )

const uids = (where: string) =>
  Effect.map(W.list("Pod", where), (pods) => pods.map((it) => J.text(it, "metadata", "uid") ?? "").toSorted())

for (const place of W.controlPlanes) {
  describe.skipIf(place.skipped)(`an upgrade from 0.1, on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect(
        "ends its rollouts, restarts nothing twice, puts nothing back, and gives its fields up",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const { backup, upstream } = stageNow
            const where = "upgrade"
            yield* upstream.load("upgrade/app", SampleImage.image("upgrade"), "1")
            yield* backup.load(
              copyOf(stageNow, "upgrade/app", "1").replace(/^[^/]+\//, "").replace(/:1$/, ""),
              SampleImage.image("upgrade"),
              "1"
            )
            const image = `${upstream.host}/upgrade/app:1`
            const copy = copyOf(stageNow, "upgrade/app", "1")
            yield* namespace(where)
            for (const { kind, name, replicas } of workloads) {
              yield* W.apply("helm", kind, where, name, manifest(image, name, replicas, kind, "1"))
              yield* W.settled(where, name, replicas)
            }
            for (const { kind, name, over, replicas } of workloads) {
              if (!over) continue
              yield* rewriteAsBefore(kind, where, name, image, copy)
              yield* eventually(
                `${name} has not rolled out`,
                W.running(where, name),
                (pods) => pods.length === replicas && pods.every((it) => it.ready && it.image === copy)
              )
            }
            const before = new Set(yield* uids(where))
            // half way: the first pods of the new template wait for their image
            yield* stageNow.kubelet.puller.prune
            const silence = backup.faults.add({
              path: /\/manifests\//,
              when: ({ headers, method }) => method === "GET" && headers["user-agent"] !== "image-cloner",
              fault: { _tag: "Delay", duration: "6 seconds" }
            })
            for (const { kind, name, over } of workloads) {
              if (!over) yield* rewriteAsBefore(kind, where, name, image, copy)
            }
            yield* Effect.sleep("1 second")
            const it = yield* daemon([where], { MAX_CONCURRENT_ROLLOUTS: "1" })
            yield* eventually(
              "the rollouts under way are not seen",
              it.metric("image_cloner_rollouts_in_flight"),
              (count) => count >= 4
            )
            silence.remove()
            yield* Ending.ends(
              Object.fromEntries(
                workloads.map(({ kind, name, replicas }) =>
                  [`${kind}/${where}/${name}`, { image: copy, pods: replicas, reason: "already-backup" }] as const
                )
              ),
              { namespaces: [where], daemon: it, patience: "120 seconds" }
            )
            for (const { kind, name } of workloads) {
              const object = yield* eventually(
                `${name} is still ours`,
                W.get(kind, where, name),
                (given) => !ownsImage(given)
              )
              assert.strictEqual(J.number(object, "metadata", "generation"), 2, `${name} was changed`)
            }
            const after = yield* uids(where)
            for (const { name, over } of workloads) {
              if (!over) continue
              const pods = (yield* W.list("Pod", where)).filter((pod) =>
                J.text(pod, "metadata", "labels", "app") === name
              )
              for (const pod of pods) {
                assert.isTrue(before.has(J.text(pod, "metadata", "uid") ?? ""), `${name} was restarted`)
              }
            }
            for (const { kind, name, replicas } of workloads) {
              yield* W.apply("helm", kind, where, name, manifest(copy, name, replicas, kind, "2"))
            }
            yield* Effect.sleep("5 seconds")
            assert.deepStrictEqual(yield* uids(where), after, "something was restarted twice")
            assert.strictEqual(yield* it.metric("image_cloner_rewrites_total{result=\"rewritten\"}"), 0)
            assert.strictEqual(yield* it.metric("image_cloner_rewrites_total{result=\"restored\"}"), 0)
            assert.strictEqual(yield* it.metric("image_cloner_rewrites_total{result=\"disowned\"}"), workloads.length)
          }),
        180_000
      )
    })
  })
}
