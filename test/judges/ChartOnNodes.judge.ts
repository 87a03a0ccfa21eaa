// Our own chart on the network of nodes, by a real Helm and a real scheduler: two replicas are replaced where there are two nodes, going
// back leaves nothing of it, and what OpenShift wants left out stays out when the next upgrade does not say so again.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as J from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { chart } from "../charts/Rendering.ts"
import { Stage, stage } from "../support/Stage.ts"
import * as W from "../support/World.ts"
import { done, kubectl, objectOf, own, shape } from "./ChartRelease.ts"
import { missing, tool } from "./RealTools.ts"

const release = "cloner"

const pod = Effect.map(objectOf("deployment/image-cloner-controller"), (it) => J.object(it, "spec", "template", "spec"))

/** The nodes of the pods that are there, and of what image these are. */
const placed = Effect.map(objectOf("pods"), (it) =>
  J.list(it, "items").map((one) => ({
    node: J.text(one, "spec", "nodeName"),
    tag: J.text(one, "spec", "containers", 0, "image")?.split(":").at(-1),
    hostPorts: J.list(one, "spec", "containers", 0, "ports").map((port) => J.number(port, "hostPort"))
  })).toSorted((a, b) => (a.node ?? "").localeCompare(b.node ?? "")))

const story = Effect.fnUntraced(function*(helm: string) {
  const { controlPlane, kubelet, upstream } = yield* Stage
  yield* W.node(controlPlane, { node: "second" })
  for (const tag of ["1", "2"]) yield* upstream.load("tools/image-cloner", SampleImage.image(`controller ${tag}`), tag)
  yield* kubectl("create", "namespace", own)
  const values = {
    image: { repository: `${upstream.host}/tools/image-cloner`, tag: "1" },
    settings: { BACKUP_REGISTRY: "registry.example/backup" },
    highAvailability: { enabled: true },
    hostNetwork: true,
    admission: { port: 10_260 },
    httpPort: 10_261
  }
  /** The same values, but what is typed. */
  const upgrade = (set: string) =>
    done(helm, ["upgrade", release, chart, "--reset-then-reuse-values", "--set-string", set])

  yield* done(helm, ["install", release], values)
  yield* upgrade("image.tag=2")
  assert.deepStrictEqual(
    yield* placed,
    [kubelet.node, "second"].toSorted().map((node) => ({ node, tag: "2", hostPorts: [10_260, 10_261] }))
  )

  yield* done(helm, ["upgrade", release, chart, "--reset-then-reuse-values", "--set", "hostNetwork=false"])
  const back = yield* pod
  assert.notProperty(back, "hostNetwork")
  assert.strictEqual(back["dnsPolicy"], "ClusterFirst")
  for (const port of J.list(back, "containers", 0, "ports")) assert.notProperty(port, "hostPort")

  const without = ["runAsUser", "runAsGroup", "fsGroup"].map((it) => `podSecurityContext.${it}=null`).join()
  yield* done(helm, ["upgrade", release, chart, "--reset-then-reuse-values", "--set", without])
  yield* upgrade("image.tag=1")
  assert.match((yield* shape).image ?? "", /:1$/)
  assert.deepStrictEqual((yield* pod)["securityContext"], {
    runAsNonRoot: true,
    seccompProfile: { type: "RuntimeDefault" }
  })
})

for (const place of W.controlPlanes.filter((it) => it.name !== "the sandbox")) {
  for (const name of ["helm3", "helm4"] as const) {
    describe.skipIf(missing !== "")(`our chart on the network of nodes, by ${name} on ${place.name}${missing}`, () => {
      it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
        it.effect(
          "replaces replicas where nodes are as many, goes back, and keeps out what OpenShift wants out",
          () => story(tool(name)),
          300_000
        )
      })
    })
  }
}
