import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import { report } from "../../../src/cli/PlanReport.ts"
import { asNames } from "../../../src/cli/PlanTable.ts"
import { settingsOf } from "../../../src/settings/Settings.ts"
import { rollout } from "../../support/ExtraObjects.ts"
import { readTexts } from "./Reading.ts"

const manifest = (version: string, annotations = "", spec = "containers: [{ name: app, image: nginx:1 }]") => `
apiVersion: argoproj.io/${version}
kind: Rollout
metadata:
  name: web
  namespace: shop
  annotations: {${annotations}}
spec:
  analysis:
    container: { name: check, image: busybox:1 }
  template:
    spec:
      ${spec}
`

const read = (text: string, extras = [rollout]) => readTexts({ "test.yaml": text }, undefined, extras)

const reportOf = (text: string) => {
  const { elsewhere, store } = read(text)
  const settings = settingsOf("backup.example/copies", { EXTRA_KINDS: [rollout], BACKUP_PULL_BY: "nodes" })
  return report(store, { settings, ownNamespace: Option.none(), now: 0, looked: new Map(), elsewhere })
}

describe("manifests with kinds of EXTRA_KINDS", () => {
  it("are planned as the controller would, whichever version of the kind they are of", () => {
    for (const version of ["v1alpha1", "v2"]) {
      const { rows, images } = reportOf(manifest(version))
      assert.deepStrictEqual(
        rows.map(({ action, container, reason, workload }) => [workload, container, action, reason]),
        [["Rollout.argoproj.io/web", "app", "clone", "managed-by"]]
      )
      assert.deepStrictEqual(images.map((it) => it.source), ["docker.io/library/nginx:1"])
    }
    const marked = reportOf(manifest("v1alpha1", "image-cloner.io/rewrite: patch"))
    assert.deepStrictEqual(marked.rows.map((it) => it.action), ["rewrite"])
    assert.strictEqual(asNames(marked), "Rollout.argoproj.io/shop/web")
  })

  it("have their other images told as not handled", () => {
    assert.deepStrictEqual(read(manifest("v1alpha1")).elsewhere.map((it) => [it.path, it.image, it.line]), [
      ["spec.analysis.container.image", "busybox:1", 10]
    ])
    // of a kind that nobody has named, all of them
    assert.deepStrictEqual(read(manifest("v1alpha1"), []).elsewhere.map((it) => it.image), ["busybox:1", "nginx:1"])
    assert.lengthOf(read(manifest("v1alpha1").replace("argoproj.io", "argo.example"), undefined).store.all, 0)
  })

  it("that cannot be read are told with line and field", () => {
    const { problems } = read(manifest("v1alpha1", "", "containers: [{ name: app, image: [nginx] }]"))
    assert.deepStrictEqual(problems.map(({ field, line, object, text }) => [object, line, field, text]), [
      [
        "Rollout shop/web",
        13,
        "spec.template.spec.containers[0].image",
        "it is a list and has to be a text"
      ]
    ])
  })
})
