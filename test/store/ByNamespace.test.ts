// Two levels of names answer what one map of joined names would.
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { ByNamespace } from "../../src/store/ByNamespace.ts"

const Name = Schema.Literals(["", "a", "b", "a/b"])
const Step = Schema.Struct({ namespace: Name, name: Name, value: Schema.UndefinedOr(Schema.Int) })

describe("what is kept by namespace", () => {
  it.prop("is found by both names, and by nothing that only looks like them", [Schema.Array(Step)], ([steps]) => {
    const kept = new ByNamespace<number>()
    const truth = new Map<string, number>()
    const joined = (namespace: string, name: string) => JSON.stringify([namespace, name])
    for (const { name, namespace, value } of steps) {
      if (value === undefined) {
        kept.delete(namespace, name)
        truth.delete(joined(namespace, name))
      } else {
        kept.set(namespace, name, value)
        truth.set(joined(namespace, name), value)
      }
    }
    for (const namespace of Name.literals) {
      for (const name of Name.literals) {
        assert.strictEqual(kept.get(namespace, name), truth.get(joined(namespace, name)))
      }
    }
  })
})
