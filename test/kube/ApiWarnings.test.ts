import { assert, describe, it } from "@effect/vitest"
import { textsOf } from "../../src/kube/ApiWarnings.ts"

describe("warnings", () => {
  it("are the texts of the headers", () => {
    assert.deepStrictEqual(textsOf("299 - \"v1 is deprecated\", 299 agent \"a \\\"b\\\"\""), [
      "v1 is deprecated",
      "a \"b\""
    ])
    assert.deepStrictEqual(textsOf(["299 - \"a\"", "299 - \"b\""]), ["a", "b"])
    assert.deepStrictEqual(textsOf("nonsense"), [])
    assert.deepStrictEqual(textsOf(undefined), [])
  })
})
