import { assert, describe, it } from "@effect/vitest"
import { coverageOf } from "../../src/upkeep/PodCoverage.ts"
import { plan } from "../../src/workload/Plan.ts"
import { pod } from "../support/Objects.ts"
import { a, b, backedUp, copy, failed, given, nginx, states } from "../workload/Planned.ts"
import type { ImageState } from "../../src/image/ImageState.ts"

const pinned = `${nginx}@${b}`

const stateOf = (
  images: Record<string, string>,
  known: Record<string, ImageState>,
  settings: Parameters<typeof given>[0] = {},
  digest: string | undefined = a
) => {
  const it = pod({ images, digest })
  const about = given(settings, { state: states(known), pods: [it] })
  const { reason, running, state } = coverageOf(plan(it.workload, about), states(known)) ?? {}
  return [state, reason, running]
}

describe("the coverage of a pod", () => {
  it("is whole with its copy in the backup, and at risk without", () => {
    assert.deepStrictEqual(stateOf({ app: "nginx:1.27" }, { [nginx]: backedUp() }), ["whole", undefined, []])
    assert.deepStrictEqual(stateOf({ app: "nginx:1.27" }, {}), ["at-risk", undefined, []])
    assert.deepStrictEqual(stateOf({ app: "nginx:1.27" }, { [nginx]: failed("not-found") })[0], "at-risk")
  })

  it("stays whole while its copy is only to be looked at again", () => {
    assert.strictEqual(stateOf({ app: "nginx:1.27" }, { [nginx]: backedUp(a, { verifiedAt: 0 }) })[0], "whole")
  })

  it("goes by the bytes that it runs, once its tag has moved on", () => {
    const moved = { [nginx]: backedUp(a) }
    assert.strictEqual(stateOf({ app: "nginx:1.27" }, moved, {}, b)[0], "at-risk")
    assert.strictEqual(stateOf({ app: "nginx:1.27" }, { ...moved, [pinned]: backedUp(b) }, {}, b)[0], "whole")
  })

  it("is running where it names the copy, unless that is known to be lost", () => {
    assert.deepStrictEqual(stateOf({ app: copy }, { [nginx]: backedUp() }), ["running", undefined, [nginx]])
    assert.strictEqual(stateOf({ app: copy }, {})[0], "running")
    assert.strictEqual(stateOf({ app: copy }, { [nginx]: failed("not-found") })[0], "at-risk")
  })

  it("is left with the reason where an image is not to be copied, and as bad as the worst of its images", () => {
    const known = { [nginx]: failed("private") }
    assert.deepStrictEqual(stateOf({ app: "nginx:1.27" }, known).slice(0, 2), ["left", "private"])
    const two = { app: copy, sidecar: "localhost/tool:1" }
    assert.deepStrictEqual(stateOf(two, { [nginx]: backedUp() }), ["left", "localhost", [nginx]])
    assert.strictEqual(stateOf({ ...two, third: "nginx:2" }, { [nginx]: backedUp() })[0], "at-risk")
    assert.deepStrictEqual(stateOf({ app: copy }, {}, { NAMESPACES_TO_IGNORE: ["shop"] }).slice(0, 2), [
      "left",
      "namespace-ignored"
    ])
  })
})
