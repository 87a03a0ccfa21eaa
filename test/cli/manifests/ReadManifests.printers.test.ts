// A world of objects, printed by two printers and read as manifests, is what a cluster with those objects would be.
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { stringify } from "yaml"
import { Workloads } from "../../../src/store/WorkloadStore.ts"
import { kindOf, kinds, type WorkloadKind } from "../../../src/workload/Kinds.ts"
import { projectTemplated } from "../../../src/workload/Project.ts"
import { projectPod } from "../../../src/workload/ProjectPod.ts"
import { readTexts } from "./Reading.ts"

/** Texts that YAML 1.1 takes for something else, and such as are long or have lines. */
const Tricky = Schema.Literals(
  [
    "",
    " ",
    "yes",
    "NO",
    "on",
    "~",
    "null",
    "1.10",
    "0755",
    "0x1f",
    "1e3",
    "2024-01-01",
    "1:30",
    "<<",
    "*a",
    "&a",
    "- x",
    "# y"
  ]
)
const Text = Schema.Union([
  Tricky,
  Schema.String,
  Schema.Literals(["a: b", "l1\nl2\n\n l3\n", "x".repeat(200), "\"'", "é\u2028"])
])
const Texts = Schema.Record(Schema.Literals(["app", "a.b/c", "yes", "1"]), Text)
const Image = Schema.Union([Text, Schema.Literals(["nginx:1.27", "a.b:5000/c/d:v1@sha256:" + "0".repeat(64)])])
const Container = Schema.Struct({ name: Text, image: Image, command: Schema.Array(Text) })
const PodSpec = Schema.Struct({
  containers: Schema.Array(Container),
  initContainers: Schema.optionalKey(Schema.Array(Container)),
  volumes: Schema.optionalKey(Schema.Array(Schema.Struct({ name: Text, image: Schema.Struct({ reference: Image }) }))),
  priorityClassName: Schema.optionalKey(Text)
})
const Thing = Schema.Struct({
  kind: Schema.Literals(["Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "CronJob", "Job", "Pod"]),
  labels: Schema.optionalKey(Texts),
  annotations: Schema.optionalKey(Texts),
  namespace: Schema.optionalKey(Schema.Literals(["shop", "kube-system", "true"])),
  template: Schema.Struct({ metadata: Schema.optionalKey(Schema.Struct({ labels: Texts })), spec: PodSpec }),
  replicas: Schema.optionalKey(Schema.Int)
})

const objectOf = ({ kind, template, replicas, ...metadata }: typeof Thing.Type, index: number) => ({
  apiVersion: kindOf(kind).apiVersion,
  kind,
  metadata: { name: `thing-${index}`, ...metadata },
  spec: kind === "Pod"
    ? template.spec
    : kind === "CronJob"
    ? { jobTemplate: { spec: { template } } }
    : { template, ...(replicas === undefined ? {} : { replicas }) }
})

type ApiObject = ReturnType<typeof objectOf>

/** What the watches would make of the objects. */
const stored = (objects: ReadonlyArray<ApiObject>): Workloads => {
  const store = new Workloads()
  for (const object of objects) {
    const pod = object.kind === "Pod" ? projectPod(object) : undefined
    const workload = pod === undefined ? projectTemplated(kindOf(object.kind))(object) : undefined
    if (pod !== undefined) store.putPod(pod)
    if (workload !== undefined) store.putWorkload(workload)
  }
  return store
}

const list = (items: ReadonlyArray<ApiObject>) => ({
  apiVersion: "v1",
  items,
  kind: "List",
  metadata: { resourceVersion: "" }
})

// as the API machinery's printers, which quote what YAML 1.1 would take for something else
const block = (value: unknown) => stringify(value, { version: "1.1", aliasDuplicateObjects: false })

const printers: Readonly<Record<string, (objects: ReadonlyArray<ApiObject>) => string>> = {
  "YAML in block style": (objects) => objects.map(block).join("---\n"),
  "JSON in YAML": (objects) => objects.map((it) => `--- # flow\n${JSON.stringify(it)} # end\n`).join(""),
  "a list of kubectl's": (objects) => block(list(objects)),
  "a list whose items are indented": (objects) =>
    `---\n${stringify(list(objects), { version: "1.1", indentSeq: true })}`,
  "a JSON list": (objects) => JSON.stringify(list(objects), null, 4),
  "YAML with anchors": (objects) => stringify(list([...objects]), { version: "1.1" })
}

const of = (store: Workloads) => ({
  workloads: store.all.toSorted((a, b) => a.key < b.key ? -1 : 1),
  pods: [...store.pods].toSorted((a, b) => a.workload.key < b.workload.key ? -1 : 1)
})

describe("a world of objects", () => {
  it.prop("is read from what each printer makes of it as the objects themselves", [Schema.Array(Thing)], ([things]) => {
    const objects = things.map(objectOf)
    const expected = of(stored(objects))
    for (const [name, print] of Object.entries(printers)) {
      const { objects: count, problems, store } = readTexts({ "world.yaml": print(objects) })
      assert.deepStrictEqual(problems, [], name)
      assert.strictEqual(count, objects.length, name)
      assert.deepStrictEqual(of(store), expected, name)
    }
  })

  it("has every kind of the table", () => {
    const all: ReadonlyArray<WorkloadKind> = kinds.map((it) => it.kind)
    assert.deepStrictEqual(
      all.filter((it) => it !== "ReplicationController").toSorted(),
      Thing.fields.kind.literals.toSorted()
    )
  })
})
