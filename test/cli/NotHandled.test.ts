import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import { notHandledLine } from "../../src/cli/NotHandled.ts"
import { report } from "../../src/cli/PlanReport.ts"
import { asText } from "../../src/cli/PlanTable.ts"
import { type Settings, settingsOf } from "../../src/settings/Settings.ts"
import { readTexts } from "./manifests/Reading.ts"

const reported = (text: string, more: Partial<Settings> = {}) => {
  const { elsewhere, store } = readTexts({ "a.yaml": text }, "shop")
  const settings = settingsOf("backup.example/copies", more)
  return report(store, { settings, ownNamespace: Option.none(), now: 0, looked: new Map(), elsewhere })
}

const rollout = (image: string) =>
  `apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web}
spec:
  template:
    spec:
      containers:
      - name: c
        image: ${image}
`

const copy = "backup.example/copies/docker.io/library/nginx:1.27"

describe("what is not handled", () => {
  it("is told with its place, its copy's name and what can be done, and counted", () => {
    const result = reported(rollout("nginx:1.27"))
    assert.deepStrictEqual(result.notHandled, [{
      file: "a.yaml",
      line: 9,
      apiVersion: "argoproj.io/v1alpha1",
      kind: "Rollout",
      namespace: "shop",
      name: "web",
      path: "spec.template.spec.containers[0].image",
      container: "c",
      image: "nginx:1.27",
      to: copy
    }])
    const text = asText(result)
    assert.include(
      text,
      "not handled: nginx:1.27 in a.yaml:9: Rollout/shop/web (argoproj.io/v1alpha1), spec.template.spec"
    )
    assert.include(text, "MUTATING_WEBHOOK")
    assert.include(text, copy)
    assert.match(text, /1 in other objects, not handled$/)
  })

  it("has the line of its field in JSON, too", () => {
    const json = JSON.stringify(
      {
        apiVersion: "x.example/v1",
        kind: "X",
        metadata: { name: "x" },
        spec: { containers: [{ image: "a" }, { image: "b" }] }
      },
      null,
      1
    )
    assert.deepStrictEqual(reported(`\n${json}`).notHandled.map((it) => it.line), [11, 14])
  })

  it("is no copy, and nothing that is ignored", () => {
    assert.deepStrictEqual(reported(rollout(copy)).notHandled, [])
    assert.deepStrictEqual(
      reported(rollout("nginx:1.27"), { IMAGES_TO_IGNORE: ["docker.io/library/*"] }).notHandled,
      []
    )
  })

  it("may be filled in by somebody else", () => {
    const [it] = reported(rollout("\"{{image}}\"")).notHandled
    assert.strictEqual(it?.to, null)
    assert.include(it === undefined ? "" : notHandledLine(it), "filled in by somebody else")
  })

  it("shows no control characters of a file", () => {
    const text = asText(reported(rollout("\"\\e[31m\\u202enginx\"")))
    assert.include(text, "\\u001b[31m\\u202enginx")
  })
})
