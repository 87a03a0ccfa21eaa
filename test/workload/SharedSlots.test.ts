import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { sharedSlot } from "../../src/workload/SharedSlots.ts"
import { slotPath } from "../../src/workload/SlotPaths.ts"

const Word = Schema.Literals(["app", "web", "", "Always"])
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
      { ...slot, pullPolicy: "Always" }
    ] as const
    assert.strictEqual(new Set([slot, ...others].map(made)).size, 6)
  })

  it("are those that came last, where one image stands in more places than are compared", () => {
    const at = (index: number) => sharedSlot(`app-${index}`, slotPath("/spec", "containers", 0), "many:1", undefined)
    const first = at(0)
    for (let index = 1; index < 100; index++) at(index)
    assert.strictEqual(at(99), at(99))
    assert.notStrictEqual(at(0), first)
    assert.deepStrictEqual(at(0), first)
    assert.strictEqual(at(0), at(0), "nobody can fill the places for good")
  })

  // a webhook sees pods before the API server has looked at them: a hundred names of three megabytes each would be the memory
  it("are never kept with what no API server takes", () => {
    const long = "a".repeat(71)
    const path = slotPath("/spec", "containers", 0)
    const unheard = [
      () => sharedSlot(long, path, "long:1", undefined),
      () => sharedSlot("app", path, "long:1", long),
      () => sharedSlot("app", path, `long:${"1".repeat(256)}`, undefined)
    ]
    for (const it of unheard) {
      assert.notStrictEqual(it(), it())
      assert.deepStrictEqual(it(), it())
    }
    const volume = `volume:${"v".repeat(63)}`
    assert.strictEqual(sharedSlot(volume, path, "long:1", "Never"), sharedSlot(volume, path, "long:1", "Never"))
  })
})
