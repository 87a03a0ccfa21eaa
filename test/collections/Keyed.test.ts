import { assert, it } from "@effect/vitest"
import { Equal, Hash } from "effect"
import { Keyed } from "../../src/collections/Keyed.ts"

it("keys are one by their text, whatever they carry", () => {
  const [one, same, other] = [new Keyed("a", 1), new Keyed("a", 2), new Keyed("b", 1)] as const
  assert.isTrue(Equal.equals(one, same))
  assert.strictEqual(Hash.hash(one), Hash.hash(same))
  assert.isFalse(Equal.equals(one, other))
})
