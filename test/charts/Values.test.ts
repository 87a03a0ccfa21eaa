// The values of the Helm chart, their schema and its version agree with each other, with the settings and with the manifests.
// Edge: what is made of them is Objects.integration.test.ts.
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parse } from "yaml"
import * as J from "../../sandbox/Json.ts"
import { processKeys } from "../../src/settings/ProcessSettings.ts"
import { decode, keys } from "../../src/settings/Settings.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
// JSON is YAML
const read = (name: string): J.JsonObject => J.object(parse(readFileSync(join(root, name), "utf8")))

const values = read("charts/image-cloner/values.yaml")
const schema = read("charts/image-cloner/values.schema.json")

/** The paths of values, and what the schema knows of them, as far down as it lists what there is. */
const pathsOf = (given: J.JsonObject, rules: J.JsonObject, where = ""): ReadonlyArray<readonly [string, boolean]> => {
  const known = J.object(rules, "properties")
  return [...new Set([...Object.keys(known), ...Object.keys(given)])].flatMap((key) => {
    const inner = J.object(known, key)
    return key !== "settings" && inner["additionalProperties"] === false
      ? pathsOf(J.object(given, key), inner, `${where}${key}.`)
      : [[`${where}${key}`, Object.hasOwn(given, key) && Object.hasOwn(known, key)] as const]
  })
}

describe("the values of the chart", () => {
  it("are those that the schema knows, every one with a default", () => {
    const paths = pathsOf(values, schema)
    assert.isAbove(paths.length, 25)
    // what a chart around this one may give to all of its charts
    assert.deepStrictEqual(paths.filter(([, both]) => !both).map(([path]) => path), ["global"])
  })

  it("know every setting and no other", () => {
    const settings = J.object(schema, "properties", "settings")
    assert.sameMembers(Object.keys(J.object(settings, "properties")), [...keys])
    assert.strictEqual(settings["additionalProperties"], false)
  })

  it("begin with the settings that `make deploy` begins with, and change nothing", () => {
    const settings = J.texts(values, "settings")
    assert.deepStrictEqual(settings, J.texts(read("manifests/configuration/image-cloner-configuration.yaml"), "data"))
    const decoded = decode({ ...settings, BACKUP_REGISTRY: "registry.example.com/backup" })
    assert.isTrue(Result.isSuccess(decoded) && decoded.success.DRY_RUN)
  })

  it("secure the pod and listen where the manifests do", () => {
    const pod = J.object(read("manifests/base/deployment.yaml"), "spec", "template", "spec")
    const container = J.object(pod, "containers", 0)
    assert.deepStrictEqual(values["podSecurityContext"], pod["securityContext"])
    assert.deepStrictEqual(values["securityContext"], container["securityContext"])
    assert.strictEqual(values["httpPort"], J.at(container, "ports", 0, "containerPort"))
    assert.strictEqual(values["httpPort"], Number(processKeys.HTTP_PORT.fallback))
    assert.strictEqual(J.at(values, "admission", "port"), Number(processKeys.WEBHOOK_PORT.fallback))
  })

  it("name no image of anybody's, and no login", () => {
    assert.strictEqual(J.text(values, "image", "repository"), "")
    assert.strictEqual(J.text(values, "login", "configJson"), "")
  })

  it("are of the version that the program has", () => {
    const chart = read("charts/image-cloner/Chart.yaml")
    const version = J.text(read("package.json"), "version")
    assert.deepStrictEqual([chart["version"], chart["appVersion"]], [version, version])
    const images = globSync("manifests/**/kustomization.yaml", { cwd: root }).flatMap((it) =>
      J.list(read(it), "images")
    )
    assert.isAbove(images.length, 0)
    for (const it of images) assert.strictEqual(J.text(it, "newTag"), version)
  })
})
