import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { makeFramer } from "../../../src/kube/frames/Frames.ts"
import { framed } from "../watch/WireFrames.ts"

const wire = "application/vnd.kubernetes.protobuf;stream=watch"
const longest = 1024

describe("messages behind their length", () => {
  it.prop(
    "are the same wherever the bytes are cut",
    {
      sizes: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 700 }))),
      cuts: Schema.Array(Schema.Int)
    },
    ({ cuts, sizes }) => {
      const frames = sizes.map((size, index) => Buffer.alloc(size, index))
      const bytes = Buffer.concat(frames.map(framed))
      const at = cuts.map((it) => Math.abs(it) % (bytes.length + 1)).toSorted((a, b) => a - b)
      const framer = makeFramer(wire, longest)
      const seen = [...at, bytes.length].flatMap((end, index) =>
        (framer.push(Buffer.from(bytes.subarray(at[index - 1] ?? 0, end))) ?? []).map((it) => Buffer.from(it))
      )
      assert.deepStrictEqual(seen, frames)
    }
  )

  it("are given up where one is longer than any may be, before it has come", () => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(longest + 1)
    assert.isUndefined(makeFramer(wire, longest).push(length))
    const framer = makeFramer(wire, longest)
    assert.lengthOf(framer.push(framed(Buffer.alloc(longest))) ?? [], 1)
    assert.isUndefined(framer.push(Buffer.alloc(4, 0xff)))
  })

  it("are lines where the server has no Protocol Buffers", () => {
    assert.deepStrictEqual(makeFramer("application/json", longest).push(Buffer.from("{}\n")), ["{}"])
    assert.deepStrictEqual(makeFramer(undefined, longest).push(Buffer.from("{}\n")), ["{}"])
  })
})
