// One key, or a set of them, answers what a set always would.
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Owned } from "../../src/store/Owned.ts"

const Uid = Schema.Literals(["u", "v"])
const Step = Schema.Struct({ uid: Uid, key: Schema.Literals(["a", "b", "c"]), isThere: Schema.Boolean })

describe("what an owner controls", () => {
  it.prop(
    "is what was added and not removed, each once, in the order of its coming",
    [Schema.Array(Step)],
    ([steps]) => {
      const owned = new Owned()
      const truth = new Map<string, Set<string>>(Uid.literals.map((it) => [it, new Set()]))
      for (const { isThere, key, uid } of steps) {
        if (isThere) {
          owned.add("shop", uid, key)
          truth.get(uid)?.add(key)
        } else {
          owned.remove("shop", uid, key)
          truth.get(uid)?.delete(key)
        }
        for (const [of, keys] of truth) {
          assert.deepStrictEqual([...owned.of("shop", of)], [...keys])
          assert.strictEqual(owned.hasAny("shop", of), keys.size > 0)
        }
      }
      assert.deepStrictEqual([...owned.of("other", "u")], [])
    }
  )
})
