// The pointers lead to what they say, however long a list is.
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { slotPath } from "../../src/workload/SlotPaths.ts"

/** What a JSON pointer without escapes leads to (RFC 6901). */
const at = (value: unknown, pointer: string): unknown =>
  pointer.split("/").slice(1).reduce<unknown>(
    // arrays and records alike are asked by name here
    (found, name) => (found as Readonly<Record<string, unknown>> | undefined)?.[name],
    value
  )

const Case = Schema.Struct({
  list: Schema.Literals(["initContainers", "containers", "ephemeralContainers", "volumes"]),
  root: Schema.Literals(["/spec", "/spec/template/spec", "/spec/jobTemplate/spec/template/spec"]),
  index: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 200 }))
})

describe("the path of a slot", () => {
  it.prop("leads to the image and to the name", [Case], ([{ index, list, root }]) => {
    const item = { name: "mine", ...(list === "volumes" ? { image: { reference: "image" } } : { image: "image" }) }
    const spec = { [list]: [...Array.from({ length: index }, () => ({ name: "other", image: "other" })), item] }
    const object = root.split("/").slice(1).reduceRight<unknown>((inner, name) => ({ [name]: inner }), spec)
    const { namePath, path } = slotPath(root, list, index)
    assert.strictEqual(at(object, path), "image")
    assert.strictEqual(at(object, namePath), "mine")
  })

  it("is one text for all objects", () => {
    assert.strictEqual(slotPath("/spec", "containers", 3), slotPath("/spec", "containers", 3))
  })
})
