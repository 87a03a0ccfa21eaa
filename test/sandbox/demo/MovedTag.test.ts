import { assert, describe, it } from "@effect/vitest"
import * as MovedTag from "../../../sandbox/demo/MovedTag.ts"

const before = `sha256:${"a".repeat(64)}`
const after = `sha256:${"b".repeat(64)}`

describe("the demo's moved tag", () => {
  it("is pinned when the template names what the pod runs", () => {
    assert.isTrue(MovedTag.isPinned({ source: after, pod: before, image: `r/acme/agent:1.0@${before}` }))
  })

  it("is not pinned by a tag alone", () => {
    assert.isFalse(MovedTag.isPinned({ source: after, pod: before, image: "r/acme/agent:1.0" }))
  })

  it("is not pinned to what the tag names by now", () => {
    assert.isFalse(MovedTag.isPinned({ source: after, pod: after, image: `r/acme/agent:1.0@${after}` }))
  })

  it("is not known while the pod says nothing of its image", () => {
    assert.isFalse(MovedTag.isPinned({ source: after, pod: "", image: "r/acme/agent:1.0@" }))
  })
})
