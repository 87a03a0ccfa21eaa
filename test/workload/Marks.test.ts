import { assert, describe, it } from "@effect/vitest"
import { managerOf } from "../../src/workload/Marks.ts"

/** What a field manager owns of a pod spec, where a Deployment and a CronJob have it. */
const inTemplate = (spec: Record<string, unknown>) => ({ "f:spec": { "f:template": { "f:spec": spec } } })
const inCronJob = (spec: Record<string, unknown>) => ({ "f:spec": { "f:jobTemplate": inTemplate(spec) } })

const item = (name: string, fields: Record<string, unknown>) => ({
  [`k:{"name":"${name}"}`]: { ".": {}, "f:name": {}, ...fields }
})

const appliedBy = (manager: string, fieldsV1: unknown) => managerOf({}, {}, [{ manager, operation: "Apply", fieldsV1 }])

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
