// The kubelet's rules about images on its node: policies, the image store, one pull for what is there already.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { JsonObject } from "../../../sandbox/Json.ts"
import * as J from "../../../sandbox/Json.ts"
import { notReadyAnnotation } from "../../../sandbox/kubelet/Kubelet.ts"
import * as SampleImage from "../../../sandbox/registry/SampleImage.ts"
import { eventually } from "../../support/Eventually.ts"
import * as Objects from "../support/Objects.ts"
import * as Sandbox from "../support/Sandbox.ts"

const pods = "/api/v1/namespaces/default/pods"
const create = (name: string, image: string, policy?: string) =>
  Sandbox.post(
    pods,
    Objects.pod(
      name,
      image,
      policy === undefined ? {} : { containers: [{ name: "app", image, imagePullPolicy: policy }] }
    )
  )
const reaches = (name: string, right: (pod: JsonObject) => boolean) =>
  eventually(`${name} does not come so far`, Sandbox.get(`${pods}/${name}`), right)
const running = (pod: JsonObject) => J.text(pod, "status", "phase") === "Running"
const waits = (reason: string) => (pod: JsonObject) =>
  J.text(pod, "status", "containerStatuses", 0, "state", "waiting", "reason") === reason

describe("the node", () => {
  it.live("is registered, ready, and renews its lease", () =>
    Effect.gen(function*() {
      const { client, kubelet } = yield* Sandbox.whole({ node: "one" })
      yield* Effect.gen(function*() {
        const node = yield* Sandbox.get(`/api/v1/nodes/${kubelet.node}`)
        const ready = J.list(node, "status", "conditions").find((it) => J.text(it, "type") === "Ready")
        assert.strictEqual(J.text(ready, "status"), "True")
        const lease = yield* Sandbox.get("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/one")
        assert.match(J.text(lease, "spec", "renewTime") ?? "", /\.\d{6}Z$/)
      }).pipe(Effect.provideContext(client))
    }))

  it.live("leaves pods alone that are for somebody else", () =>
    Effect.gen(function*() {
      const { client } = yield* Sandbox.whole()
      yield* Effect.gen(function*() {
        yield* Sandbox.post(pods, Objects.pod("gated", "x:1", { schedulingGates: [{ name: "a/b" }] }))
        yield* Sandbox.post(pods, Objects.pod("other", "x:1", { schedulerName: "mine" }))
        yield* Sandbox.post(pods, Objects.pod("elsewhere", "x:1", { nodeName: "another" }))
        yield* Effect.sleep("300 millis")
        for (const name of ["gated", "other", "elsewhere"]) {
          const pod = yield* Sandbox.get(`${pods}/${name}`)
          assert.deepStrictEqual(J.list(pod, "status", "containerStatuses"), [])
        }
      }).pipe(Effect.provideContext(client))
    }))
})

describe("images on the node", () => {
  it.live("are pulled as their policy says", () =>
    Effect.gen(function*() {
      const { client, kubelet, registry } = yield* Sandbox.whole()
      yield* registry.load("app", SampleImage.image("app"), "1")
      const image = `${registry.host}/app:1`
      const manifests = () => registry.log.count("GET", /\/manifests\//)
      yield* Effect.gen(function*() {
        yield* create("never", image, "Never")
        yield* reaches("never", waits("ErrImageNeverPull"))
        assert.strictEqual(manifests(), 0)
        yield* create("first", image, "IfNotPresent")
        yield* reaches("first", running)
        assert.strictEqual(manifests(), 1)
        yield* create("second", image, "IfNotPresent")
        yield* reaches("second", running)
        assert.strictEqual(manifests(), 1)
        yield* create("always", image, "Always")
        yield* reaches("always", running)
        assert.strictEqual(manifests(), 2)
        // With the registry gone, what is on the node still starts, until the node forgets it.
        yield* registry.switchOff
        yield* create("third", image, "IfNotPresent")
        yield* reaches("third", running)
        yield* kubelet.puller.prune
        yield* create("fourth", image, "IfNotPresent")
        yield* reaches("fourth", waits("ImagePullBackOff"))
      }).pipe(Effect.provideContext(client))
    }))

  it.live("with names that are none are never asked for", () =>
    Effect.gen(function*() {
      const { client } = yield* Sandbox.whole()
      yield* create("bad", "Not A Name").pipe(Effect.provideContext(client))
      yield* reaches("bad", waits("InvalidImageName")).pipe(Effect.provideContext(client))
    }))

  it.live("are reported by the digest they resolved to, or as told", () =>
    Effect.gen(function*() {
      const image = SampleImage.twoPlatforms("app")
      for (
        const [imageId, expected] of [
          ["resolved", image.manifest.digest],
          ["manifest", image.children[0]?.digest ?? ""]
        ] as const
      ) {
        const { client, registry } = yield* Sandbox.whole({ imageId })
        yield* registry.load("app", image, "1")
        yield* Effect.gen(function*() {
          yield* create("p", `${registry.host}/app:1`)
          const pod = yield* reaches("p", running)
          assert.strictEqual(
            J.text(pod, "status", "containerStatuses", 0, "imageID"),
            `${registry.host}/app@${expected}`
          )
        }).pipe(Effect.provideContext(client))
      }
    }))
})

describe("pods", () => {
  it.live("can be made to run and never be ready", () =>
    Effect.gen(function*() {
      const { client, registry } = yield* Sandbox.whole()
      yield* registry.load("app", SampleImage.image("app"), "1")
      yield* Effect.gen(function*() {
        const pod = Objects.pod("p", `${registry.host}/app:1`)
        yield* Sandbox.post(pods, {
          ...pod,
          metadata: { ...pod.metadata, annotations: { [notReadyAnnotation]: "true" } }
        })
        const up = yield* reaches("p", running)
        assert.strictEqual(J.at(up, "status", "containerStatuses", 0, "ready"), false)
      }).pipe(Effect.provideContext(client))
    }))

  it.live("survive an API server that goes away and comes back", () =>
    Effect.gen(function*() {
      const { client, cluster, registry } = yield* Sandbox.whole()
      yield* registry.load("app", SampleImage.image("app"), "1")
      yield* cluster.switchOff
      yield* Effect.sleep("300 millis")
      yield* cluster.switchOn
      yield* Effect.gen(function*() {
        yield* create("p", `${registry.host}/app:1`)
        yield* reaches("p", running)
      }).pipe(Effect.provideContext(client))
    }))
})
