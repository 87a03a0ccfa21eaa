import { assert, describe, it } from "@effect/vitest"
import type { PlannedImage } from "../../src/workload/PlanImages.ts"
import { isTemplateChanged, pulledAnew } from "../../src/workload/TagPulls.ts"
import { digestOf, workload } from "../support/Objects.ts"

const planned = (image: string, pullPolicy: string | undefined, wants: ReadonlyArray<string>): PlannedImage => ({
  slot: { container: "app", path: "/x", namePath: "/y", image, pullPolicy },
  wants,
  source: wants[0],
  stale: false,
  skip: undefined,
  hold: undefined,
  detail: "",
  to: undefined,
  stray: undefined
})

const tag = "docker.io/library/nginx:1"
const pin = `${tag}@${digestOf("a")}`

describe("the tags that new containers read anew", () => {
  it.each(
    [
      ["nginx:1", "Always", [tag], [tag]],
      ["nginx:1", "IfNotPresent", [tag], []],
      ["nginx:1", undefined, [tag], []],
      ["nginx", undefined, ["docker.io/library/nginx:latest"], ["docker.io/library/nginx:latest"]],
      ["nginx:latest", undefined, ["docker.io/library/nginx:latest"], ["docker.io/library/nginx:latest"]],
      ["nginx", "IfNotPresent", ["docker.io/library/nginx:latest"], []],
      ["backup.example/copies/docker.io/library/nginx:1", "Always", [tag], [tag]],
      ["nginx:1", "Always", [tag, pin], [tag]],
      [`nginx:1@${digestOf("a")}`, "Always", [pin], []],
      ["", "Always", [], []]
    ] as const
  )("of %s with the policy %s and %j are %j", (image, policy, wants, expected) => {
    assert.deepStrictEqual([...pulledAnew([planned(image, policy, wants)])], [...expected])
  })
})

describe("a template", () => {
  const before = { ...workload(), templateChangedAt: 1000, generation: 3 }
  const later = 1000 + 3_600_000

  it("is changed by others alone, and not where nobody remembers when", () => {
    assert.isFalse(isTemplateChanged(before, { ...before, patchedAt: 9000 }, later))
    assert.isTrue(isTemplateChanged(before, { ...before, templateChangedAt: 2000 }, later))
    assert.isFalse(isTemplateChanged(before, { ...before, uid: "another", templateChangedAt: 2000 }, later))
    assert.isFalse(isTemplateChanged(before, { ...before, templateChangedAt: undefined }, later))
  })

  // what was made and restarted within a second kept a tag that had moved, for five minutes at least
  it("is changed twice within a second where its generation says so, a patch of ours aside", () => {
    const again = (generation: number, patchedAt?: number) => ({ ...before, generation, patchedAt })
    assert.isTrue(isTemplateChanged(before, again(4), 1900))
    assert.isFalse(isTemplateChanged(before, again(3), 1900))
    assert.isFalse(isTemplateChanged(before, again(4, 1000), 1900), "that was us")
    assert.isTrue(isTemplateChanged(before, again(5, 1000), 1900))
    assert.isTrue(isTemplateChanged(again(4, 1000), again(5, 1000), 1900))
  })

  it("is not changed again by whoever scales it an hour later", () => {
    assert.isFalse(isTemplateChanged(before, { ...before, generation: 9 }, later))
  })
})
