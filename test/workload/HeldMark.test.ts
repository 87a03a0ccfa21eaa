import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { type HeldMark, isHeld, readHeld, writeHeld } from "../../src/workload/HeldMark.ts"

const Text = Schema.String
const copy = "backup.example/copies/docker.io/library/nginx:1.27"
const mark = (given: Partial<HeldMark> = {}): HeldMark => ({
  reason: "quarantined",
  detail: "pod web-1: CrashLoopBackOff",
  count: 1,
  images: { app: ["nginx:1.27", copy] },
  ...given
})

describe("the mark on an object", () => {
  it.prop("is read as it was written", [Text, Schema.Int, Text, Text, Text], ([detail, count, container, from, to]) => {
    const written = mark({
      detail,
      count: Math.abs(count),
      until: "2026-01-01T00:00:00.000Z",
      images: { [container]: [from, to] }
    })
    if (container === "__proto__") return
    assert.deepStrictEqual(readHeld(writeHeld(written)), written)
  })

  it.prop("is none where it is anything else, and fails nobody", [Text], ([text]) => {
    assert.isUndefined(readHeld(text))
  })

  it("speaks of the image that the object was put back to, until its time has passed", () => {
    const until = mark({ until: "2026-01-01T00:00:00Z" })
    const then = Date.UTC(2026, 0, 1)
    assert.isTrue(isHeld(mark(), "app", "nginx:1.27", copy, then))
    assert.isTrue(isHeld(mark(), "app", "nginx:1.27", "another", then))
    assert.isFalse(isHeld(mark(), "app", "nginx:1.28", copy, then))
    assert.isFalse(isHeld(mark(), "other", "nginx:1.27", copy, then))
    assert.isTrue(isHeld(until, "app", "nginx:1.27", copy, then - 1))
    assert.isFalse(isHeld(until, "app", "nginx:1.27", copy, then))
  })

  it("speaks of a fight over the very copy that would be written, and of none that is not known", () => {
    const contested = mark({ reason: "contested" })
    assert.isTrue(isHeld(contested, "app", "nginx:1.27", copy, 0))
    assert.isFalse(isHeld(contested, "app", "nginx:1.27", `${copy}@sha256:${"a".repeat(64)}`, 0))
    assert.isFalse(isHeld(contested, "app", "nginx:1.27", undefined, 0))
  })
})
