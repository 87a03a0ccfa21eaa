import { assert, describe, it } from "@effect/vitest"
import { Learning } from "../../../src/controller/admission/Learning.ts"
import type { ImageState } from "../../../src/image/ImageState.ts"
import { backedUp } from "../../admission/Reviewed.ts"

const minute = 60_000
const images = (...states: ReadonlyArray<ImageState>) =>
  states.map((state, at) => ({ source: `a.io/${at}:1`, users: new Set<string>(), state }))

describe("what is backed up", () => {
  it("is not known before the cluster is, nor while an image has not been looked at", () => {
    const learning = new Learning()
    learning.look([], false, 10 * minute)
    assert.isDefined(learning.problem)
    learning.look([], true, 10 * minute)
    assert.isDefined(learning.problem)
    learning.look(images(backedUp(), { _tag: "Pending" }), true, 11 * minute)
    assert.isDefined(learning.problem)
    learning.look(images(backedUp(), backedUp()), true, 12 * minute)
    assert.isUndefined(learning.problem)
  })

  it("is known for good: an image that comes later takes nothing back", () => {
    const learning = new Learning()
    learning.look([], true, 0)
    learning.look(images(backedUp()), true, 1)
    learning.look(images({ _tag: "Pending" }), true, 2)
    assert.isUndefined(learning.problem)
  })

  it("is waited for five minutes at most: some images take hours", () => {
    const learning = new Learning()
    learning.look(images({ _tag: "Pending" }), true, 0)
    learning.look(images({ _tag: "Pending" }), true, 5 * minute - 1)
    assert.isDefined(learning.problem)
    learning.look(images({ _tag: "Pending" }), true, 5 * minute)
    assert.isUndefined(learning.problem)
  })
})
