import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { parseEvent } from "../../../src/kube/watch/WatchEvent.ts"
import { readEvent, WireObject } from "../../../src/kube/watch/WireEvent.ts"
import * as P from "../../../src/protobuf/Message.ts"
import { bytesField } from "../../protobuf/Encode.ts"
import { failure } from "../FakeApi.ts"
import { frameOf, wrap } from "./WireFrames.ts"

const table = P.message({
  metadata: [1, P.one(P.message({ name: [1, P.text], resourceVersion: [6, P.text], annotations: [12, P.map] }))]
})

describe("an event in Protocol Buffers", () => {
  for (
    const event of [
      { type: "ADDED", object: { metadata: { name: "a", resourceVersion: "1" } } },
      { type: "MODIFIED", object: { metadata: { name: "a", resourceVersion: "2" } } },
      { type: "DELETED", object: { metadata: { name: "a", resourceVersion: "3" } } },
      { type: "BOOKMARK", object: { metadata: { resourceVersion: "4" } } },
      {
        type: "BOOKMARK",
        object: { metadata: { resourceVersion: "5", annotations: { "k8s.io/initial-events-end": "true" } } }
      }
    ]
  ) {
    it(`is what it is as a line: ${JSON.stringify(event)}`, () => {
      const read = Result.getOrThrow(readEvent(frameOf(table, event), table))
      const plain = "object" in read && read.object instanceof WireObject
        ? { ...read, object: read.object.fields }
        : read
      assert.deepStrictEqual(plain, parseEvent(JSON.stringify(event)))
    })
  }

  it("that is an error has the Status in it", () => {
    const event = { type: "ERROR", object: failure(410, "Expired", "too old", { causes: [{ message: "x" }] }) }
    assert.deepStrictEqual(Result.getOrThrow(readEvent(frameOf(table, event), table)), {
      _tag: "Error",
      status: {
        status: "Failure",
        message: "too old",
        reason: "Expired",
        details: { causes: [{ message: "x" }] },
        code: 410
      }
    })
  })

  it("is none where anything of it is missing or damaged", () => {
    const good = frameOf(table, { type: "ADDED", object: { metadata: { name: "a", resourceVersion: "1" } } })
    for (let end = 0; end < good.length; end++) {
      assert.isTrue(Result.isFailure(readEvent(good.subarray(0, end), table)), String(end))
    }
    for (
      const [type, object] of [
        ["ADDED", Buffer.from("no prefix")],
        ["ADDED", wrap(bytesField(1, bytesField(1, "a")))],
        ["ELSE", wrap(bytesField(1, Buffer.concat([bytesField(1, "a"), bytesField(6, "1")])))],
        ["BOOKMARK", wrap(Buffer.alloc(0))],
        // encoded once more, as nobody does today
        ["ADDED", Buffer.concat([wrap(Buffer.alloc(0)), bytesField(3, "gzip")])]
      ] as const
    ) {
      const frame = Buffer.concat([bytesField(1, type), bytesField(2, bytesField(1, object))])
      assert.isTrue(Result.isFailure(readEvent(frame, table)), type)
    }
  })
})
