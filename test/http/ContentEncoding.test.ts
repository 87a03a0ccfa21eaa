import { assert, describe, it } from "@effect/vitest"
import { encodedAs, encodingOf } from "../../src/http/ContentEncoding.ts"

describe("a Content-Encoding", () => {
  it.each<[string | Array<string> | undefined, string | undefined]>([
    [undefined, undefined],
    ["", undefined],
    ["identity", undefined],
    [" Identity ", undefined],
    ["GZIP", "gzip"],
    [["x-gzip", "identity"], "x-gzip"]
  ])("of %j says %j", (value, expected) => {
    assert.strictEqual(encodingOf({ "content-encoding": value }), expected)
  })

  it("is told beside other bytes, where it says anything", () => {
    assert.strictEqual(encodedAs(undefined), "")
    assert.include(encodedAs("aws-chunked"), "Content-Encoding: aws-chunked")
  })
})
