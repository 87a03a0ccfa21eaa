import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { sharedSlot } from "../../src/workload/SharedSlots.ts"
import { slotPath } from "../../src/workload/SlotPaths.ts"

const Word = Schema.Literals(["app", "web", "", "auto"])
const Slot = Schema.Struct({
  container: Word,
  at: Schema.Literals(["/spec", "/spec/template/spec"]),
  index: Schema.Literals([0, 1, 70]),
  image: Schema.Union([Word, Schema.String]),
  pullPolicy: Schema.Union([Schema.Undefined, Word])
})

const made = ({ at, container, image, index, pullPolicy }: typeof Slot.Type) =>
  sharedSlot(container, slotPath(at, "containers", index), image, pullPolicy)

describe("shared slots", () => {
  it.prop("are what was asked for, whatever was before", [Schema.Array(Slot)], ([slots]) => {
    for (const it of [...slots, ...slots]) {
      const { at, container, image, index, pullPolicy } = it
      const paths = slotPath(at, "containers", index)
      assert.deepStrictEqual(made(it), [{ container, ...paths, image, pullPolicy }])
    }
  })

  it("are one object for all that have the same, and another for each difference", () => {
    const slot = { container: "app", at: "/spec", index: 0, image: "nginx:1", pullPolicy: undefined } as const
    assert.strictEqual(made(slot), made({ ...slot }))
    const others = [
      { ...slot, container: "web" },
      { ...slot, at: "/spec/template/spec" },
      { ...slot, index: 1 },
      { ...slot, image: "nginx:2" },
      { ...slot, pullPolicy: "app" }
    ] as const
    assert.strictEqual(new Set([slot, ...others].map(made)).size, 6)
  })

  it("are made anew where one image stands in more places than a cluster has for it", () => {
    const at = (index: number) => sharedSlot(`app-${index}`, slotPath("/spec", "containers", 0), "hostile:1", undefined)
    for (let index = 0; index < 100; index++) at(index)
    assert.strictEqual(at(0), at(0))
    assert.notStrictEqual(at(99), at(99))
    assert.deepStrictEqual(at(99), at(99))
  })
})
