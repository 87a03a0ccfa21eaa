// Kubernetes' own golden pods, in which every field of every version is set: what is read of them is found, and the patch of each
// applies, touches images and our annotation alone, and leaves nothing to be done.
import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import { applyPatch } from "rfc6902"
import { admittedPod } from "../../src/admission/AdmittedPod.ts"
import { originalsAnnotation } from "../../src/workload/Originals.ts"
import { admissionPatch } from "../../src/workload/Patch.ts"
import { backup, replacementsOf, withoutImages } from "./Patched.ts"
import { request } from "./Reviewed.ts"
import { goModules } from "../support/GoModules.ts"

const files = globSync("k8s.io/api@*/testdata/*/core.v1.Pod.json", { cwd: goModules() })

describe("the golden pods of k8s.io/api", () => {
  it.skipIf(files.length === 0)("are patched in their images and the annotation alone", () => {
    for (const file of files) {
      // their images are no references
      const text = readFileSync(`${goModules()}/${file}`, "utf8").replaceAll(
        /"(image|reference)Value"/g,
        "\"host.example/a/$1:1\""
      )
      const object: unknown = JSON.parse(text)
      const admitted = admittedPod(request(object))
      assert.isDefined(admitted, file)
      const workload = admitted!.pod.workload // just seen to be there
      const replacements = replacementsOf(workload)
      // a container of each list, and an image volume where the release knows those (1.31)
      assert.lengthOf(replacements, text.includes("\"reference\": \"host.example") ? 4 : 3, file)
      const patch = admissionPatch(workload, replacements, backup, true)
      const patched: unknown = structuredClone(object)
      assert.deepStrictEqual(applyPatch(patched, patch.map((it) => ({ ...it }))).filter((it) => it !== null), [], file)
      assert.deepStrictEqual(withoutImages(patched), withoutImages(object), file)
      assert.include(JSON.stringify(patched), JSON.stringify(originalsAnnotation), file)
      const again = admittedPod(request(patched))
      assert.deepStrictEqual(again === undefined ? undefined : replacementsOf(again.pod.workload), [], file)
    }
  })
})
