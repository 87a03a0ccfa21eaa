import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { collectionPath, kindOf, kinds, objectPath } from "../../src/workload/Kinds.ts"
import { projectPod } from "../../src/workload/ProjectPod.ts"
import { projectNamespace, projectNode } from "../../src/workload/ProjectSurroundings.ts"
import { digestOf, ownedImage, podObject, projectManifest, templated, workload } from "../support/Objects.ts"

describe("projections", () => {
  it("know where each kind's images sit", () => {
    for (const { kind } of kinds.filter((it) => it.kind !== "Pod")) {
      const of = workload({ kind, initImages: { setup: "busybox" }, volumes: { data: "ghcr.io/a/d:1" } })
      const at = kind === "CronJob" ? "/spec/jobTemplate/spec/template/spec" : "/spec/template/spec"
      assert.deepStrictEqual(of.images.map((it) => [it.container, it.path, it.namePath]), [
        ["setup", `${at}/initContainers/0/image`, `${at}/initContainers/0/name`],
        ["app", `${at}/containers/0/image`, `${at}/containers/0/name`],
        ["volume:data", `${at}/volumes/0/image/reference`, `${at}/volumes/0/name`]
      ], kind)
    }
  })

  it.effect.prop("survive whatever an API server sends", [Schema.Json], ([json]) =>
    Effect.sync(() => {
      for (const { kind } of kinds) projectManifest(kind, json)
      projectManifest("Deployment", { metadata: {}, spec: json, status: json })
      projectManifest("Pod", { metadata: {}, spec: json })
      projectNamespace(json)
      projectNode(json)
    }), { arbitrary: { runs: 300 } })

  it("take nulls for absent fields", () => {
    const spec = { template: { metadata: { annotations: null, creationTimestamp: null }, spec: { containers: null } } }
    const of = projectManifest("Deployment", { metadata: { name: "a", ownerReferences: null }, spec, status: null })
    assert.deepStrictEqual([of?.images, of?.templateMetadata, of?.namespace], [[], "metadata", "default"])
  })

  it("tell what image a container runs, and an image volume where the runtime says so", () => {
    const digest = digestOf("a")
    const of = { digest, of: "manifest" } as const
    const mounted = (image: object | null) =>
      projectPod({
        metadata: { name: "a" },
        spec: { volumes: [{ name: "data", image: { reference: "data:1" } }] },
        status: {
          containerStatuses: [{
            name: "app",
            imageID: `nginx@${digest}`,
            state: { running: {} },
            volumeMounts: [{ name: "data", mountPath: "/data", volumeStatus: { image } }]
          }]
        }
      })?.containers.map((it) => [it.container, it.imageId, it.started])
    assert.deepStrictEqual(mounted({ imageRef: `data@${digest}` }), [["app", of, true], ["volume:data", of, true]])
    assert.deepStrictEqual(mounted(null), [["app", of, true], ["volume:data", undefined, true]])
  })

  it("tell when our field manager last changed an image", () => {
    const managedFields = [
      { manager: "image-cloner", operation: "Update", time: "2026-01-01T00:00:00Z", fieldsV1: ownedImage },
      { manager: "kubectl", operation: "Update", time: "2026-02-01T00:00:00Z", fieldsV1: ownedImage }
    ]
    assert.strictEqual(workload({ metadata: { managedFields } }).patchedAt, Date.UTC(2026, 0, 1))
    assert.isUndefined(workload().patchedAt)
  })

  it("ask who changed a template and its images only of what is nobody else's work", () => {
    const managedFields = [
      { manager: "helm", operation: "Update", time: "2026-01-01T00:00:00Z", fieldsV1: ownedImage },
      { manager: "image-cloner", operation: "Update", time: "2026-02-01T00:00:00Z", fieldsV1: ownedImage }
    ]
    const replicaSet = (owner: string | undefined) => {
      const ownerReferences = owner === undefined ? [] : [{ kind: owner, name: "web", uid: "u", controller: true }]
      const of = projectManifest("ReplicaSet", { ...templated({ metadata: { managedFields, ownerReferences } }) })
      return [of?.templateChangedAt, of?.imagesSetBy, of?.patchedAt, of?.ownsImages]
    }
    const [at, patched] = [Date.UTC(2026, 0, 1), Date.UTC(2026, 1, 1)]
    assert.deepStrictEqual(replicaSet(undefined), [at, "image-cloner (Update)", patched, true])
    // an operator's may be nobody's here
    assert.deepStrictEqual(replicaSet("Rollout"), [at, "image-cloner (Update)", patched, true])
    assert.deepStrictEqual(replicaSet("Deployment"), [undefined, undefined, patched, true])
  })

  it("know mirror pods and nodes that are not Ready", () => {
    const mirror = podObject({ metadata: { annotations: { "kubernetes.io/config.mirror": "x" } } })
    assert.isTrue(projectPod(mirror)?.workload.mirror)
    assert.isFalse(projectNode({ metadata: { name: "n" } })?.ready)
    const ready = { conditions: [{ type: "Ready", status: "True" }] }
    assert.isTrue(projectNode({ metadata: { name: "n" }, status: ready })?.ready)
  })

  it("of a manifest without status or uid still plan", () => {
    const { status: _, ...manifest } = templated()
    assert.strictEqual(projectManifest("Deployment", manifest)?.images.length, 1)
  })
})

describe("paths", () => {
  it("are those of the API", () => {
    assert.strictEqual(collectionPath(kindOf("CronJob")), "/apis/batch/v1/cronjobs")
    assert.strictEqual(
      objectPath(kindOf("ReplicationController"), "a", "b"),
      "/api/v1/namespaces/a/replicationcontrollers/b"
    )
  })
})
