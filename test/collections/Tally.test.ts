import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Tally } from "../../src/collections/Tally.ts"

const Keys = Schema.Array(Schema.Literals(["a", "b", "c"]))

describe("a tally", () => {
  it.prop("is what a count of what is there would be", { added: Keys, removed: Keys }, ({ added, removed }) => {
    const tally = new Tally<string>()
    const there: Array<string> = []
    for (const key of added) {
      tally.count(key, 1)
      there.push(key)
    }
    for (const key of removed.filter((it) => there.includes(it))) {
      const at = there.indexOf(key)
      if (at === -1) continue
      there.splice(at, 1)
      tally.count(key, -1)
    }
    for (const key of ["a", "b", "c"]) assert.strictEqual(tally.of(key), there.filter((it) => it === key).length)
    assert.strictEqual(tally.size, new Set(there).size)
  })
})
