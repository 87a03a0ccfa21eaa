// Kubernetes' own golden objects, in JSON and in Protocol Buffers, with every field of every version set: both give one projection.
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { globSync, readFileSync } from "node:fs"
import { unwrap } from "../../src/kube/frames/Envelope.ts"
import { read } from "../../src/protobuf/Read.ts"
import { kinds } from "../../src/workload/Kinds.ts"
import { projectAccount, projectBudget, projectNamespace, projectNode } from "../../src/workload/ProjectSurroundings.ts"
import { wireAccount, wireBudget, wireNamespace, wireNode } from "../../src/workload/WireObjects.ts"
import { projectJson, projectWire, withoutShape } from "./Wire.ts"
import { goModules } from "../support/GoModules.ts"

const groups: Readonly<Record<string, string>> = { v1: "core", "apps/v1": "apps", "batch/v1": "batch" }

/** Of a group, version and kind; each as JSON and as its bytes without envelope. */
const golden = (name: string) =>
  globSync(`k8s.io/api@*/testdata/*/${name}.json`, { cwd: goModules() }).map((file) => {
    const path = `${goModules()}/${file}`
    const json: unknown = JSON.parse(readFileSync(path, "utf8"))
    return { file, json, bytes: Result.getOrThrow(unwrap(readFileSync(path.replace(/json$/, "pb")))) }
  })

const isHere = golden("core.v1.Pod").length > 0

describe("the golden objects of k8s.io/api", () => {
  for (const kind of kinds) {
    it.skipIf(!isHere)(`have one projection in JSON and in Protocol Buffers: ${kind.kind}`, () => {
      const all = golden(`${groups[kind.apiVersion]}.v1.${kind.kind}`)
      assert.isAbove(all.length, 3)
      for (const { bytes, file, json } of all) {
        const wire = Result.getOrThrow(projectWire(kind, bytes))
        assert.deepStrictEqual(withoutShape(wire), withoutShape(projectJson(kind, json)), file)
      }
    })
  }

  const around = [
    ["core.v1.Namespace", wireNamespace, projectNamespace],
    ["core.v1.Node", wireNode, projectNode],
    ["core.v1.ServiceAccount", wireAccount, projectAccount],
    ["policy.v1.PodDisruptionBudget", wireBudget, projectBudget]
  ] as const
  for (const [name, message, project] of around) {
    it.skipIf(!isHere)(`have one projection in JSON and in Protocol Buffers: ${name}`, () => {
      const all = golden(name)
      assert.isAbove(all.length, 3)
      for (const { bytes, file, json } of all) {
        assert.isDefined(project(json))
        assert.deepStrictEqual(project(Result.getOrThrow(read(message, bytes))), project(json), file)
      }
    })
  }
})
