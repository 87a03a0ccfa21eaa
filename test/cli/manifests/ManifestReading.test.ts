import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import { remarkLine } from "../../../src/cli/manifests/ManifestReading.ts"
import { report } from "../../../src/cli/PlanReport.ts"
import { settingsOf } from "../../../src/settings/Settings.ts"
import { readTexts } from "./Reading.ts"

const given = {
  settings: settingsOf("backup.example/copies"),
  ownNamespace: Option.none<string>(),
  now: 0,
  looked: new Map()
}

/** What plan makes of texts: `namespace workload container image action reason`, and what is said beside. */
const planned = (files: Readonly<Record<string, string>> | string, namespace?: string) => {
  const read = readTexts(typeof files === "string" ? { "a.yaml": files } : files, namespace)
  const { rows } = report(read.store, given)
  return {
    rows: rows.map((it) => [it.namespace, it.workload, it.container, it.image, it.action, it.reason ?? "-"].join(" ")),
    problems: read.problems.map(remarkLine),
    warnings: read.warnings.map(remarkLine),
    objects: read.objects
  }
}

const template = "{template: {spec: {containers: [{name: c, image: nginx}]}}}"
const object = (apiVersion: string, kind: string, name: string, more = "", spec = template) =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: ${name}${more}}\nspec: ${spec}\n`
const deployment = (name: string, more = "") => object("apps/v1", "Deployment", name, more)

describe("objects of manifests", () => {
  it.each([
    { what: "an annotation of null", text: deployment("a", ", annotations: {checksum/config: }, labels: {x: null}") },
    { what: "labels that are null themselves", text: deployment("a", ", annotations: null, labels: ~") },
    { what: "an empty namespace", text: deployment("a", ", namespace: \"\"") },
    {
      what: "a list of the core API",
      text: `apiVersion: v1\nkind: List\nitems: [${
        JSON.stringify({
          apiVersion: "apps/v1",
          kind: "Deployment",
          metadata: { name: "a" },
          spec: { template: { spec: { containers: [{ name: "c", image: "nginx" }] } } }
        })
      }]\n`
    },
    {
      what: "a typed list whose items have no kind",
      text: `apiVersion: apps/v1\nkind: DeploymentList\nitems:\n- metadata: {name: a}\n  spec: ${template}\n`
    },
    {
      what: "lists in lists",
      text: "apiVersion: v1\nkind: List\nitems:\n- apiVersion: apps/v1\n  kind: DeploymentList\n  items:\n"
        + `  - metadata: {name: a}\n    spec: ${template}\n`
    }
  ])("are read as the API server reads them: $what", ({ text }) => {
    assert.deepStrictEqual(planned(text), {
      rows: ["default Deployment/a c nginx rewrite -"],
      problems: [],
      warnings: [],
      objects: 1
    })
  })

  it("are of the kind their group says", () => {
    const others = ["apps.kruise.io/v1beta1", "batch/v1", "v1", "example.com/v1"].map((it) =>
      object(it, "StatefulSet", "a")
    )
    assert.deepStrictEqual(planned(others.join("---\n")).rows, [])
    assert.deepStrictEqual(planned(object("apps/v1beta2", "StatefulSet", "a")).rows, [
      "default StatefulSet/a c nginx rewrite -"
    ])
    const former = planned(object("extensions/v1beta1", "Deployment", "a"))
    assert.deepStrictEqual(former.rows, ["default Deployment/a c nginx rewrite -"])
    assert.include(former.warnings[0], "no API server since 1.16 serves extensions/v1beta1")
    assert.deepStrictEqual(planned(object("extensions/v1beta1", "StatefulSet", "a")).rows, [])
  })

  it("with a generated name are told apart, also where the prefix is the same", () => {
    const job = (prefix: string, image: string) =>
      `apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: ${prefix}}\n`
      + `spec: {template: {spec: {containers: [{name: c, image: ${image}}]}}}\n`
    const { rows, warnings } = planned([job("m-", "a"), job("s-", "b"), job("m-", "c"), job("m-", "c")].join("---\n"))
    assert.deepStrictEqual(rows, [
      "default Job/m-* c a clone immutable",
      "default Job/m-* c c clone immutable",
      "default Job/m-* c c clone immutable",
      "default Job/s-* c b clone immutable"
    ])
    assert.deepStrictEqual(warnings, [])
  })

  it("that are there twice count once, and twice where they differ, which is said", () => {
    const other = deployment("a").replace("nginx", "redis")
    const { rows, warnings } = planned({ "a.yaml": deployment("a"), "b.yaml": deployment("a"), "c.yaml": other })
    assert.deepStrictEqual(rows, ["default Deployment/a c nginx rewrite -", "default Deployment/a c redis rewrite -"])
    assert.deepStrictEqual(warnings.map((it) => it.replace(/;.*/, "")), [
      "c.yaml:1: Deployment a: another one of that name is in a.yaml:1"
    ])
  })

  it("without a namespace go where -n says", () => {
    const { rows, warnings } = planned(`${deployment("a")}---\n${deployment("b", ", namespace: own")}`, "shop")
    assert.deepStrictEqual(rows, ["own Deployment/b c nginx rewrite -", "shop Deployment/a c nginx rewrite -"])
    assert.include(warnings.join(), "kubectl would refuse it with -n shop")
  })

  it.each([
    {
      what: "a placeholder",
      text: "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: bad\nspec:\n  replicas: ${N}\n",
      said: "a.yaml:6: Deployment bad: spec.replicas: it is \"${N}\" and has to be a number"
    },
    {
      what: "a label that is no text",
      text: "apiVersion: v1\nkind: Pod\nmetadata:\n  name: bad\n  namespace: shop\n  labels:\n    a.b/c: yes\n",
      said: "a.yaml:7: Pod shop/bad: metadata.labels[\"a.b/c\"]: it is true and has to be a text"
    },
    {
      what: "containers that are no list, in a list",
      text:
        "kind: List\napiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: bad}\n  spec:\n    containers:\n"
        + "      name: x\n",
      said: "a.yaml:8: Pod bad: spec.containers: it is a map and has to be a list"
    },
    {
      what: "a JSON object",
      text:
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"bad\"},\n\"spec\":{\"containers\":[\n{\"image\":1}]}}\n",
      said: "a.yaml:3: Pod bad: spec.containers[0].image: it is 1 and has to be a text"
    },
    { what: "no kind", text: "apiVersion: v1\nmetadata: {name: x}\n", said: "a.yaml:1: kind is missing" },
    { what: "no apiVersion", text: "kind: Pod\nmetadata: {name: x}\n", said: "a.yaml:1: apiVersion is missing" },
    {
      what: "no name",
      text: "apiVersion: v1\nkind: Pod\nmetadata: {}\n",
      said: "a.yaml:3: Pod: metadata: it has no name"
    },
    { what: "a text", text: "hello\n", said: "a.yaml:1: the text \"hello\" is no object" },
    { what: "a list of anything", text: "- a\n", said: "a.yaml:1: a list is no object" },
    { what: "metadata that are none", text: "apiVersion: v1\nkind: Namespace\nmetadata: x\n", said: "it has no name" }
  ])(
    "that cannot be read are named with file, line, kind, name and field, and the others go on: $what",
    ({ said, text }) => {
      const { problems, rows } = planned({ "a.yaml": text, "b.yaml": deployment("good") })
      assert.include(problems.join("\n"), said)
      assert.deepStrictEqual(rows, ["default Deployment/good c nginx rewrite -"])
    }
  )

  it.each([
    ["lists in lists", "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[", "]}"],
    [
      "a field",
      "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"x\",\"managedFields\":[{\"fieldsV1\":",
      "}]}}"
    ]
  ])("that are nested without end are named, too: %s", (_, open, close) => {
    const deep = close.startsWith("]")
      ? open.repeat(20_000) + close.repeat(20_000)
      : `${open}${"{\"a\":".repeat(100_000)}1${"}".repeat(100_000)}${close}`
    const { problems, rows } = planned({ "a.json": deep, "b.yaml": deployment("good") })
    assert.deepStrictEqual(problems, ["a.json:1: it is nested too deep"])
    assert.deepStrictEqual(rows, ["default Deployment/good c nginx rewrite -"])
  })

  it("name the file and its own line where several are read", () => {
    const { problems } = planned({ "plain.yaml": deployment("a"), "tabs.yaml": "a:\n- b: 1\n\tc: 2\n" })
    assert.strictEqual(problems.length, 1)
    assert.match(problems[0] ?? "", /^tabs\.yaml:3: it cannot be read as Kubernetes manifests: Tabs/)
  })

  it("warn of what is no error: a kustomization, and a patch without containers", () => {
    const { problems, warnings } = planned({
      "x/kustomization.yaml": "resources: [a.yaml]\n",
      "x/patch.yaml": object("apps/v1", "Deployment", "a", "", "{replicas: 2}")
    })
    assert.deepStrictEqual(problems, [])
    assert.include(warnings[0], "kubectl kustomize")
    assert.include(warnings[1], "it has no containers")
  })

  it("of a live dump without its pods are planned as if those ran what the template says", () => {
    const status =
      "\nstatus: {observedGeneration: 1, replicas: 2, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1}\n"
    const dump = deployment("web", ", uid: u, generation: 1").trimEnd() + status
    assert.deepStrictEqual(planned(dump).rows, ["default Deployment/web c nginx rewrite -"])
    const pod = object(
      "v1",
      "Pod",
      "web-1",
      ", ownerReferences: [{kind: Deployment, name: web, uid: u, controller: true}]",
      "{containers: [{name: c, image: nginx}]}"
    ) +
      "status: {containerStatuses: [{name: c, imageID: x, state: {running: {}}}]}\n"
    const [row] = planned(`${dump}---\n${pod}`).rows
    assert.match(row ?? "", / clone (rolling-out|unhealthy|digest-unknown)$/)
  })

  it("each have a row and their own marks where their owners have no uid", () => {
    const owned = object(
      "apps/v1",
      "StatefulSet",
      "db",
      ", ownerReferences: [{controller: true, kind: Cluster, name: c}]"
    )
    const marked = deployment("web", ", annotations: {image-cloner.io/ignore: \"true\"}")
    assert.deepStrictEqual(planned(`${owned}---\n${marked}`).rows, [
      "default Deployment/web c nginx leave opted-out",
      "default StatefulSet/db c nginx clone owned"
    ])
  })

  it.each([
    ["no uid", "{controller: true, kind: X, name: x}"],
    ["the uid that all have", "{controller: true, kind: X, name: x, uid: same}"]
  ])("may be many whose owners have %s", (_, owner) => {
    const all = Array.from(
      { length: 60 },
      (_unused, index) => object("apps/v1", "ReplicaSet", `r${index}`, `, uid: same, ownerReferences: [${owner}]`)
    )
    assert.strictEqual(planned(all.join("---\n")).objects, 60)
  })
})
