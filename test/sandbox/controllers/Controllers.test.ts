// Controllers and kubelet on the embedded API server: workloads become pods that run what they pulled.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { JsonObject } from "../../../sandbox/Json.ts"
import * as J from "../../../sandbox/Json.ts"
import * as SampleImage from "../../../sandbox/registry/SampleImage.ts"
import { eventually } from "../../support/Eventually.ts"
import * as Objects from "../support/Objects.ts"
import * as Sandbox from "../support/Sandbox.ts"

const apps = "/apis/apps/v1/namespaces/default"
const pods = "/api/v1/namespaces/default/pods"
const patch = (path: string, body: unknown) =>
  Sandbox.call({ method: "PATCH", path, body, contentType: "application/strategic-merge-patch+json" })
const setImage = (path: string, image: string) =>
  patch(path, { spec: { template: { spec: { containers: [{ name: "app", image }] } } } })

/** kubectl rollout status' rule. */
const isRolledOut = (it: JsonObject) =>
  J.number(it, "status", "observedGeneration") === J.number(it, "metadata", "generation") &&
  ["updatedReplicas", "availableReplicas", "replicas"].every((field) =>
    J.number(it, "status", field) === J.number(it, "spec", "replicas")
  )
const rolledOut = (name: string) =>
  eventually(`${name} does not roll out`, Sandbox.get(`${apps}/deployments/${name}`), isRolledOut)
const imagesOf = (list: JsonObject) =>
  J.list(list, "items").map((it) => J.text(it, "status", "containerStatuses", 0, "imageID")).toSorted()

describe("a Deployment", () => {
  it.live("runs its pods, and rolls them to another image", () =>
    Effect.gen(function*() {
      const { client, registry } = yield* Sandbox.whole()
      const one = SampleImage.twoPlatforms("one")
      const two = SampleImage.twoPlatforms("two")
      yield* registry.load("app", one, "1")
      yield* registry.load("app", two, "2")
      yield* Effect.gen(function*() {
        yield* Sandbox.post(`${apps}/deployments`, Objects.deployment("web", `${registry.host}/app:1`))
        yield* rolledOut("web")
        const first = yield* Sandbox.get(pods)
        assert.deepStrictEqual(
          imagesOf(first),
          [`${registry.host}/app@${one.manifest.digest}`, `${registry.host}/app@${one.manifest.digest}`]
        )
        yield* setImage(`${apps}/deployments/web`, `${registry.host}/app:2`)
        const after = yield* rolledOut("web")
        assert.strictEqual(J.text(after, "metadata", "annotations", "deployment.kubernetes.io/revision"), "2")
        const second = yield* eventually(
          "the old pods stay",
          Sandbox.get(pods),
          (it) => J.list(it, "items").length === 2
        )
        assert.deepStrictEqual(
          imagesOf(second),
          [`${registry.host}/app@${two.manifest.digest}`, `${registry.host}/app@${two.manifest.digest}`]
        )
        const sets = yield* Sandbox.get(`${apps}/replicasets`)
        assert.deepStrictEqual(J.list(sets, "items").map((it) => J.number(it, "spec", "replicas")).toSorted(), [0, 2])
      }).pipe(Effect.provideContext(client))
    }))

  it.live("keeps its old pods while the new image cannot be had, and goes on when it can", () =>
    Effect.gen(function*() {
      const { client, registry } = yield* Sandbox.whole()
      yield* registry.load("app", SampleImage.image("one"), "1")
      yield* Effect.gen(function*() {
        yield* Sandbox.post(`${apps}/deployments`, Objects.deployment("web", `${registry.host}/app:1`))
        yield* rolledOut("web")
        yield* setImage(`${apps}/deployments/web`, `${registry.host}/app:2`)
        const stuck = yield* eventually(
          "no pod waits",
          Sandbox.get(pods),
          (it) =>
            J.list(it, "items").some((pod) =>
              J.text(pod, "status", "containerStatuses", 0, "state", "waiting", "reason") === "ImagePullBackOff"
            )
        )
        const running = J.list(stuck, "items").filter((it) => J.text(it, "status", "phase") === "Running")
        assert.strictEqual(running.length, 2)
        yield* registry.load("app", SampleImage.image("two"), "2")
        yield* rolledOut("web")
      }).pipe(Effect.provideContext(client))
    }))
})

describe("the other workloads", () => {
  it.live("run: StatefulSet in order, DaemonSet on the node, Job to its end, ReplicationController", () =>
    Effect.gen(function*() {
      const { client, registry } = yield* Sandbox.whole()
      for (const tag of ["1", "2"]) yield* registry.load("app", SampleImage.image(tag), tag)
      const image = `${registry.host}/app:1`
      yield* Effect.gen(function*() {
        yield* Sandbox.post(`${apps}/statefulsets`, Objects.statefulSet("db", image))
        yield* Sandbox.post(`${apps}/daemonsets`, Objects.daemonSet("agent", image))
        yield* Sandbox.post("/apis/batch/v1/namespaces/default/jobs", Objects.job("once", image))
        const controller = Objects.deployment("old", image)
        yield* Sandbox.post("/api/v1/namespaces/default/replicationcontrollers", {
          ...controller,
          apiVersion: "v1",
          kind: "ReplicationController",
          spec: { ...controller.spec, selector: { app: "old" } }
        })
        const isReady = (field: string) => (it: JsonObject) =>
          J.number(it, "status", field) === (J.number(it, "spec", "replicas") ?? 1)
        yield* eventually("db is not ready", Sandbox.get(`${apps}/statefulsets/db`), isReady("readyReplicas"))
        yield* eventually("agent is not ready", Sandbox.get(`${apps}/daemonsets/agent`), isReady("numberReady"))
        yield* eventually(
          "old is not ready",
          Sandbox.get("/api/v1/namespaces/default/replicationcontrollers/old"),
          isReady("readyReplicas")
        )
        yield* eventually(
          "the Job is not complete",
          Sandbox.get("/apis/batch/v1/namespaces/default/jobs/once"),
          (it) => J.list(it, "status", "conditions").some((one) => J.text(one, "type") === "Complete")
        )
        yield* setImage(`${apps}/statefulsets/db`, `${registry.host}/app:2`)
        yield* setImage(`${apps}/daemonsets/agent`, `${registry.host}/app:2`)
        yield* eventually(
          "db does not roll out",
          Sandbox.get(`${apps}/statefulsets/db`),
          (it) =>
            J.number(it, "status", "observedGeneration") === 2 &&
            J.number(it, "status", "updatedReplicas") === 2 && J.number(it, "status", "readyReplicas") === 2 &&
            J.text(it, "status", "currentRevision") === J.text(it, "status", "updateRevision")
        )
        yield* eventually(
          "agent does not roll out",
          Sandbox.get(`${apps}/daemonsets/agent`),
          (it) =>
            J.number(it, "status", "updatedNumberScheduled") === 1 && J.number(it, "status", "numberAvailable") === 1
        )
      }).pipe(Effect.provideContext(client))
    }))
})
