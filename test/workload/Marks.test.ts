import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { imagesSetByOf, managerOf } from "../../src/workload/Marks.ts"
import { ownedImage, workload } from "../support/Objects.ts"
import { annotated, inCronJob, inTemplate, item, labelled, owned, triggers, update } from "./Metadata.ts"

const appliedBy = (manager: string, fieldsV1: unknown) =>
  managerOf({}, {}, [{ manager, operation: "Apply", fieldsV1 }], [])

describe("an image field", () => {
  it("is that of a container, an init or ephemeral container, or a volume, of any kind", () => {
    const image = item("app", { "f:image": {} })
    const volume = item("data", { "f:image": { ".": {}, "f:pullPolicy": {}, "f:reference": {} } })
    for (
      const fields of [
        inTemplate({ "f:containers": image }),
        inTemplate({ "f:initContainers": image }),
        inTemplate({ "f:volumes": { ".": {}, ...volume } }),
        inCronJob({ "f:containers": image }),
        { "f:spec": { "f:ephemeralContainers": image } }
      ]
    ) {
      assert.strictEqual(appliedBy("helm", fields), "Helm (field manager helm)", JSON.stringify(fields))
    }
  })

  it("is none of what is only called image: a label, a nodeSelector, an RBD volume", () => {
    for (
      const fields of [
        { "f:metadata": { "f:labels": { "f:image": {} }, "f:annotations": { ".": {}, "f:image": {} } } },
        { "f:spec": { "f:template": { "f:metadata": { "f:labels": { "f:image": {} } } } } },
        { "f:spec": { "f:selector": { "f:image": {} } } },
        inTemplate({ "f:nodeSelector": { "f:image": {} } }),
        inTemplate({ "f:volumes": item("data", { "f:rbd": { "f:image": {}, "f:monitors": {} } }) }),
        inTemplate({ "f:containers": item("app", { "f:env": item("image", { "f:value": {} }) }) }),
        undefined,
        null,
        "f:image"
      ]
    ) {
      assert.isUndefined(appliedBy("helm", fields), JSON.stringify(fields))
    }
  })
})

describe("a template is not owned by", () => {
  const others: ReadonlyArray<readonly [what: string, metadata: Record<string, unknown>]> = [
    [
      "a tool that has set other fields",
      update("Terraform", inTemplate({ "f:containers": item("app", { "f:env": {} }) }))
    ],
    ["a tool that has written the status", update("helm", ownedImage, { subresource: "status" })],
    ["a tool that has only scaled it", update("flagger", { "f:spec": { "f:replicas": {} } }, { subresource: "scale" })],
    ["kubectl", update("kubectl-client-side-apply")],
    ["ourselves", update("image-cloner")],
    ["whoever has a name that a tool's begins with, or that objects are born with", {
      managedFields: ["helm-dashboard", "kapp-controller", "hashicorp", "constructor", "__proto__", null].map((
        manager
      ) => ({
        manager,
        operation: "Apply",
        fieldsV1: ownedImage
      }))
    }],
    ["a chart's instance", labelled({ "app.kubernetes.io/instance": "web", "app.kubernetes.io/managed-by": "me" })],
    // rancher/fleet#1141
    ["Fleet, whose label an operator has copied", labelled({ "objectset.rio.cattle.io/hash": "3bf2f1c5" })],
    ["keel, whose policy is never", annotated({ "keel.sh/policy": "never" })],
    ["keel, whose annotation takes the label's policy back", {
      ...labelled({ "keel.sh/policy": "all" }),
      ...annotated({ "keel.sh/policy": "never" })
    }],
    ["OpenShift, whose triggers are all paused", triggers(true, true)],
    ["OpenShift, whose triggers are none", triggers()],
    [
      "the addon manager, that only sees to its existence",
      labelled({
        "addonmanager.kubernetes.io/mode": "EnsureExists",
        "kubernetes.io/cluster-service": "true"
      })
    ],
    ["a built-in object that lists itself as an owner", owned("v1", "ConfigMap", "all", { controller: false })],
    // it controls it, which is a reason of its own
    [
      "a custom resource that controls it",
      owned("monitoring.coreos.com/v1", "Prometheus", "main", { controller: true })
    ]
  ]
  for (const [what, metadata] of others) {
    it(`${what}`, () => assert.isUndefined(workload({ metadata }).manager))
  }
})

const word = Schema.String.check(Schema.isPattern(/^[a-z]{1,8}$/))
const Key = Schema.Union([
  word,
  Schema.TemplateLiteral([word, ".example.com/", word]),
  Schema.Literals(["app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "kubernetes.io/config.hash", "image"])
])
const Texts = Schema.Record(Key, Schema.String.check(Schema.isPattern(/^[a-z]{0,5}$/)))
const BuiltIn = Schema.Struct({
  manager: Schema.Literals([
    "kubectl",
    "kubectl-client-side-apply",
    "kubectl-edit",
    "kubectl-set",
    "kubectl-rollout",
    "kube-controller-manager",
    "before-first-apply",
    "Mozilla",
    "image-cloner"
  ]),
  operation: Schema.Literals(["Apply", "Update"]),
  subresource: Schema.Literals(["", "status", "scale"]),
  owner: Schema.Literals([
    "v1",
    "apps/v1",
    "batch/v1",
    "policy/v1",
    "networking.k8s.io/v1",
    "scheduling.k8s.io/v1alpha2"
  ]),
  controller: Schema.Boolean
})

describe("metadata of nobody but people and Kubernetes itself", () => {
  it.effect.prop(
    "is never called managed",
    { labels: Texts, annotations: Texts, entries: Schema.Array(BuiltIn) },
    ({ annotations, entries, labels }) =>
      Effect.sync(() => {
        assert.isUndefined(managerOf(
          labels,
          annotations,
          entries.map((it) => ({ ...it, fieldsV1: ownedImage })),
          entries.map((it) => ({ apiVersion: it.owner, kind: "Any", name: "any", controller: it.controller }))
        ))
      }),
    { arbitrary: { runs: 500 } }
  )
})

describe("who set an image last", () => {
  const entry = (manager: string, time: string, more = {}) => ({
    manager,
    operation: "Update",
    time,
    fieldsV1: ownedImage,
    ...more
  })

  it("is the newest manager that holds one, with how it writes", () => {
    const entries = [
      entry("helm", "2026-01-01T00:00:02Z", { operation: "Apply" }),
      entry("kubectl-set", "2026-01-01T00:00:01Z"),
      entry("scaler", "2026-01-01T00:00:09Z", { fieldsV1: { "f:spec": { "f:replicas": {} } } }),
      entry("kubelet", "2026-01-01T00:00:09Z", { subresource: "status" })
    ]
    assert.strictEqual(imagesSetByOf(entries), "helm (Apply)")
    assert.strictEqual(imagesSetByOf(entries.slice(1)), "kubectl-set (Update)")
  })

  it("is nobody where nobody holds one", () => {
    assert.isUndefined(imagesSetByOf([]))
    assert.isUndefined(imagesSetByOf([entry("x", "2026-01-01T00:00:00Z", { fieldsV1: {} })]))
  })
})

// Of every object that a watch brings the fields of all managers were parsed, pods' included: an eighth of a start on a large cluster.
describe("fields of managers that are no tool", () => {
  it("are not asked for", () => {
    const entry = {
      manager: "kube-controller-manager",
      operation: "Update",
      get fieldsV1(): unknown {
        return assert.fail("they were parsed")
      }
    }
    assert.isUndefined(managerOf({}, {}, [entry], []))
    assert.isUndefined(managerOf({}, {}, [Object.defineProperties({}, {
      ...Object.getOwnPropertyDescriptors(entry),
      manager: { value: "helm" },
      subresource: { value: "status" }
    })], []))
  })
})
