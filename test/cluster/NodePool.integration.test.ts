// A node pool is replaced while the sources are gone, on the sandbox and on a real control plane: the new nodes have nothing, so
// each pod has to be pulled again, and only the backup can give it.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import * as J from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import * as Ending from "../support/Ending.ts"
import { copyOf, daemon, namespace, Stage, stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import * as W from "../support/World.ts"

const where = "pool"
const groups = ["rewritten", "copied", "unknown"] as const
const each = 4

const names = (group: (typeof groups)[number]) =>
  (["Deployment", "DaemonSet"] as const).flatMap((kind) =>
    Array.from({ length: each }, (_, index) => [kind, `${group}-${kind.toLowerCase()}-${index}`] as const)
  )

const make = Effect.fnUntraced(function*(group: (typeof groups)[number]) {
  const { upstream } = yield* Stage
  yield* upstream.load(`pool/${group}`, SampleImage.image(group), "1")
  const image = `${upstream.host}/pool/${group}:1`
  for (const [kind, name] of names(group)) yield* W.make(kind, { namespace: where, name, image })
  for (const [, name] of names(group)) yield* W.settled(where, name)
})

const remove = (path: string) =>
  Effect.flatMap(
    KubeClient,
    (client) => Effect.ignore(client.request({ method: "DELETE", path, body: { gracePeriodSeconds: 0 } }))
  )

for (const place of W.controlPlanes) {
  describe.skipIf(place.skipped)(`a node pool that is replaced, on ${place.name}`, () => {
    const oldPool = Scope.makeUnsafe()
    it.layer(stage(place.start, oldPool), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect(
        "with the sources gone: copies run, what has one is cured, what has none waits and says so, nothing is put back",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const { controlPlane, kubelet, upstream } = stageNow
            yield* namespace(where)
            const endings = (group: (typeof groups)[number], copied: boolean, pods: number): Ending.Endings =>
              Object.fromEntries(
                names(group).map(([kind, name]) => [`${kind}/${where}/${name}`, {
                  image: copied ? copyOf(stageNow, `pool/${group}`, "1") : `${upstream.host}/pool/${group}:1`,
                  pods: copied && kind === "DaemonSet" ? pods : copied ? 1 : -1,
                  reason: copied ? "already-backup" : "failed"
                }])
              )
            yield* make("rewritten")
            const it = yield* daemon([where])
            const given: Ending.Given = { namespaces: [where], daemon: it }
            yield* Ending.ends(endings("rewritten", true, 1), given)
            yield* it.configure({ REWRITE_MODE: "off" })
            yield* eventually(
              "the settings are not seen",
              () => it.log.map((line) => J.text(line, "message") ?? ""),
              (lines) => lines.some((line) => line.includes("REWRITE_MODE=off"))
            )
            yield* make("copied")
            yield* eventually(
              "not copied",
              it.metric("image_cloner_clones_total{result=\"copied\"}"),
              (count) => count === 2
            )
            yield* it.kill
            yield* make("unknown")

            yield* Effect.acquireRelease(upstream.switchOff, () => Effect.orDie(upstream.switchOn))
            const again = yield* daemon([where])
            const nodes = ["new-1", "new-2"]
            for (const name of nodes) yield* W.node(controlPlane, { node: name })
            yield* Scope.close(oldPool, Exit.void)
            yield* remove(`/api/v1/nodes/${kubelet.node}`)
            for (const pod of yield* W.list("Pod", where)) {
              if (J.text(pod, "spec", "nodeName") !== kubelet.node) continue
              yield* remove(`/api/v1/namespaces/${where}/pods/${J.text(pod, "metadata", "name") ?? ""}`)
            }
            yield* Ending.ends({
              ...endings("rewritten", true, nodes.length),
              ...endings("copied", true, nodes.length),
              ...endings("unknown", false, nodes.length)
            }, { ...given, daemon: again })
            assert.strictEqual(yield* again.metric("image_cloner_rewrites_total{result=\"restored\"}"), 0)
            assert.strictEqual(
              yield* again.metric("image_cloner_rewrites_total{result=\"rewritten\"}"),
              names("copied").length
            )
          }),
        150_000
      )
    })
  })
}
