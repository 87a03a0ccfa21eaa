// The stop button in the middle of two hundred workloads and sixty images of a slow source, on the sandbox and on a real control
// plane: what the API server and the backup are asked is counted in front of them.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as J from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { behindProxy } from "../support/ApiProxy.ts"
import { copyOf, daemon, namespace, Stage, stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import * as W from "../support/World.ts"

const images = 60
const workloads = 200
const namespaces = ["stop-0", "stop-1", "stop-2", "stop-3"]

/** Half of them roll, a quarter is at zero, a quarter has nothing that runs. */
const make = (index: number, image: string) => {
  const where = namespaces[index % namespaces.length] ?? ""
  const name = `w-${index}`
  if (index % 8 < 4) return W.make("Deployment", { namespace: where, name, image })
  if (index % 8 < 6) return W.make("StatefulSet", { namespace: where, name, image, replicas: 0 })
  return W.makeCronJob(where, name, image)
}

for (const place of W.nearest) {
  describe(`settings that change in the middle, on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      // seen: after DRY_RUN 192 more patches over twelve minutes, and 46 more images
      it.effect(
        "within five seconds no patch and no copy begins, what is being copied ends, and all goes on to its end",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const { backup, upstream } = stageNow
            for (const name of namespaces) yield* namespace(name)
            for (let index = 0; index < images; index++) {
              yield* upstream.load(`stop/app-${index}`, SampleImage.image(`stop ${index}`), "1")
            }
            const indexes = Array.from({ length: workloads }, (_, index) => index)
            yield* Effect.forEach(
              indexes,
              (index) => make(index, `${upstream.host}/stop/app-${index % images}:1`),
              { concurrency: 8, discard: true }
            )
            yield* eventually(
              "not all pods run",
              Effect.map(Effect.forEach(namespaces, (it) => W.list("Pod", it)), (all) => all.flat()),
              (pods) => pods.length === workloads / 2 && pods.every(W.isReady),
              "120 seconds"
            )
            upstream.faults.add({
              method: "GET",
              path: /\/blobs\//,
              fault: { _tag: "Delay", duration: "600 millis" }
            })
            backup.log.clear()
            const api = yield* behindProxy(stageNow.controlPlane.kubeconfig)
            const patches = (where = "") =>
              api.proxy.seen.filter((it) => it.startsWith("PATCH ") && it.includes(`/namespaces/${where}`)).length
            /** Images of which something was asked for beside whether they are there; and those whose tag is there. */
            const touched = (asked: (method: string, path: string) => boolean) =>
              new Set(
                backup.log.entries().flatMap(({ method, path }) =>
                  asked(method, path) ? [/\/stop\/app-\d+/.exec(path)?.[0] ?? ""] : []
                )
              )
            const begun = () => touched((method, path) => method !== "HEAD" && path.includes("/blobs/")).size
            const ended = () => touched((method, path) => method === "PUT" && path.endsWith("/manifests/1")).size
            const it = yield* daemon(namespaces, {
              MAX_CONCURRENT_RECONCILES: "2",
              MAX_CONCURRENT_ROLLOUTS: "4",
              BACKUP_PULL_BY: "nodes"
            }, api.kubeconfig)
            const reaches = (count: number) =>
              eventually(`${count} images are not copied`, ended, (now) => now >= count)

            yield* reaches(10)
            yield* it.configure({ DRY_RUN: "true" })
            yield* Effect.sleep("5 seconds")
            const stopped = [patches(), begun()]
            assert.isBelow(begun(), images)
            yield* Effect.sleep("8 seconds")
            assert.deepStrictEqual([patches(), begun()], stopped, "something began after DRY_RUN")
            assert.strictEqual(ended(), begun(), "a copy that had a permit did not end")

            yield* it.configure({ DRY_RUN: "false" })
            yield* reaches(begun() + 8)
            yield* it.configure({ NAMESPACES_TO_IGNORE: "stop-0" })
            yield* Effect.sleep("5 seconds")
            const ignored = patches("stop-0/")
            const others = patches()
            yield* eventually("the others wait, too", () => patches(), (now) => now > others + 5)
            assert.strictEqual(patches("stop-0/"), ignored, "an ignored namespace was patched")

            yield* it.configure({ REWRITE_MODE: "off" })
            yield* Effect.sleep("5 seconds")
            const off = patches()
            const copies = ended()
            yield* Effect.sleep("5 seconds")
            assert.strictEqual(patches(), off, "something was patched while REWRITE_MODE is off")
            // they say nothing of copies
            assert.isTrue(ended() > copies || ended() === images, `${copies} of ${images} copied, and no more`)

            yield* it.configure({ REWRITE_MODE: "patch", NAMESPACES_TO_IGNORE: "" })
            yield* eventually(
              "not all are rewritten",
              Effect.map(
                Effect.forEach(
                  namespaces.flatMap((where) =>
                    ["Deployment", "StatefulSet", "CronJob"].map((kind) => [kind, where] as const)
                  ),
                  ([kind, where]) => W.list(kind, where)
                ),
                (all) => all.flat()
              ),
              (all) =>
                all.every((object) => {
                  const index = Number(J.text(object, "metadata", "name")?.slice(2))
                  return JSON.stringify(object["spec"]).includes(
                    `"${copyOf(stageNow, `stop/app-${index % images}`, "1")}"`
                  )
                }),
              "150 seconds"
            )
            assert.strictEqual(ended(), images)
            assert.strictEqual(yield* it.metric("image_cloner_rewrites_total{result=\"rewritten\"}"), workloads)
            yield* Effect.logInfo(
              `DRY_RUN at ${
                stopped.join(" patches and ")
              } images; NAMESPACES_TO_IGNORE at ${others}, REWRITE_MODE at ${off} patches`
            )
          }),
        300_000
      )
    })
  })
}
