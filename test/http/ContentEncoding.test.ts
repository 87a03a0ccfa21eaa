import { assert, describe, it } from "@effect/vitest"
import { encodingOf, labelsOf } from "../../src/http/ContentEncoding.ts"

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

  it("is told beside other bytes, where it says anything, and so is the type of a page", () => {
    assert.strictEqual(labelsOf({}), "")
    assert.strictEqual(labelsOf({ "content-type": "application/octet-stream" }), "")
    assert.include(labelsOf({ "content-encoding": "aws-chunked" }), "Content-Encoding: aws-chunked")
    assert.include(labelsOf({ "content-type": "Text/HTML; charset=utf-8" }), "a web page")
  })
})
