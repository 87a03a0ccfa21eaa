import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { imagesElsewhere } from "../../src/workload/ImagesElsewhere.ts"
import { fieldPath } from "../../src/workload/UnreadFields.ts"

const found = (apiVersion: string, kind: string, object: object) =>
  imagesElsewhere(apiVersion, kind, object).map((it) => `${fieldPath(it.path)} ${it.container || "-"} ${it.image}`)

const pod = { spec: { containers: [{ name: "c", image: "nginx:1.27" }] } }
const inPod = (path: string) => [`${path}.spec.containers[0].image c nginx:1.27`]

describe("images elsewhere", () => {
  it.each([
    ["argoproj.io/v1alpha1", "Rollout", { spec: { template: pod } }, inPod("spec.template")],
    ["serving.knative.dev/v1", "Service", { spec: { template: pod } }, inPod("spec.template")],
    ["apps.kruise.io/v1alpha1", "CloneSet", { spec: { template: pod } }, inPod("spec.template")],
    ["apps.openshift.io/v1", "DeploymentConfig", { spec: { template: pod } }, inPod("spec.template")],
    ["v1", "PodTemplate", { template: pod }, inPod("template")],
    ["batch/v1", "StatefulSet", { spec: { template: pod } }, inPod("spec.template")],
    [
      "batch.volcano.sh/v1alpha1",
      "Job",
      { spec: { tasks: [{ name: "w", template: pod }] } },
      inPod("spec.tasks[0].template")
    ],
    [
      "keda.sh/v1alpha1",
      "ScaledJob",
      { spec: { jobTargetRef: { template: pod } } },
      inPod("spec.jobTargetRef.template")
    ],
    [
      "kubeflow.org/v1",
      "PyTorchJob",
      { spec: { pytorchReplicaSpecs: { Worker: { template: pod } } } },
      inPod(
        "spec.pytorchReplicaSpecs.Worker.template"
      )
    ],
    [
      "argoproj.io/v1alpha1",
      "Workflow",
      {
        spec: {
          templates: [{ name: "a", container: { image: "alpine" } }, {
            name: "b",
            script: { image: "python", source: "x" },
            sidecars: [{ name: "s", image: "{{inputs.parameters.image}}" }],
            initContainers: [{ name: "i", image: "busybox" }]
          }]
        }
      },
      [
        "spec.templates[0].container.image - alpine",
        "spec.templates[1].script.image - python",
        "spec.templates[1].sidecars[0].image s {{inputs.parameters.image}}",
        "spec.templates[1].initContainers[0].image i busybox"
      ]
    ],
    [
      "tekton.dev/v1",
      "Task",
      { spec: { stepTemplate: { image: "a" }, steps: [{ name: "s", image: "$(params.i)" }] } },
      [
        "spec.stepTemplate.image - a",
        "spec.steps[0].image s $(params.i)"
      ]
    ],
    ["tekton.dev/v1", "Pipeline", { spec: { tasks: [{ taskSpec: { steps: [{ image: "golang:1" }] } }] } }, [
      "spec.tasks[0].taskSpec.steps[0].image - golang:1"
    ]],
    ["monitoring.coreos.com/v1", "Prometheus", { spec: { image: "quay.io/p/p:v2", baseImage: "quay.io/p/p" } }, [
      "spec.image - quay.io/p/p:v2",
      "spec.baseImage - quay.io/p/p"
    ]],
    ["helm.toolkit.fluxcd.io/v2", "HelmRelease", {
      spec: {
        values: { image: { registry: "ghcr.io", repository: "a/b", tag: 1.5 }, x: { image: { repository: "c" } } }
      }
    }, ["spec.values.image - ghcr.io/a/b:1.5", "spec.values.x.image - c"]],
    ["example.com/v1", "Anything", { spec: { volumes: [{ name: "v", image: { reference: "data:1" } }] } }, [
      "spec.volumes[0].image v data:1"
    ]]
  ])("are found in %s %s", (apiVersion, kind, object, expected) => {
    assert.deepStrictEqual(found(apiVersion, kind, object), expected)
  })

  it.each([
    ["apiextensions.k8s.io/v1", "CustomResourceDefinition", { spec: { properties: { image: "a:1" } } }],
    ["v1", "ConfigMap", { data: { image: "a:1" } }],
    ["v1", "Node", { status: { images: [{ names: ["a:1"] }] } }],
    ["apps/v1", "ControllerRevision", { data: { spec: { template: pod } } }],
    ["example.com/v1", "Link", {
      spec: { image: "logo.png", heroImage: "https://example.com/a.svg", splashImage: "sunrise" }
    }],
    ["example.com/v1", "Thing", { status: { image: "a:1" }, metadata: { annotations: { image: "a:1" } } }],
    ["example.com/v1", "Thing", { spec: { imagePullPolicy: "Always", imagePullSecrets: [{ name: "x" }], image: "" } }]
  ])("are not what only looks like them: %s %s", (apiVersion, kind, object) => {
    assert.deepStrictEqual(found(apiVersion, kind, object), [])
  })

  it("are looked for in objects that are too deep for a stack", () => {
    let deep: object = { containers: [{ image: "a" }] }
    for (let depth = 0; depth < 100_000; depth++) deep = { a: deep }
    assert.deepStrictEqual(found("example.com/v1", "Deep", deep), [])
  })

  it.prop("never fail, whatever the object is", [Schema.Json], ([json]) => {
    for (const { image } of imagesElsewhere("example.com/v1", "Any", { spec: json })) assert.notStrictEqual(image, "")
  })
})
