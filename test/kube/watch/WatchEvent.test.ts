import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { parseEvent } from "../../../src/kube/watch/WatchEvent.ts"

describe("events", () => {
  const object = { metadata: { name: "a", namespace: "n", resourceVersion: "5" } }

  it("are told apart", () => {
    const tagOf = (type: string, it: unknown = object) => parseEvent(JSON.stringify({ type, object: it }))?._tag
    assert.deepStrictEqual(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"].map((it) => tagOf(it)), [
      "Applied",
      "Applied",
      "Deleted",
      "Bookmark",
      "Error"
    ])
  })

  it("are nothing else", () => {
    const odd = [
      "",
      "null",
      "[]",
      "{}",
      "{\"type\":\"ADDED\"}",
      "{\"type\":\"BOOKMARK\",\"object\":{}}",
      "{\"type\":\"AD"
    ]
    for (const line of odd) assert.isUndefined(parseEvent(line))
    assert.isUndefined(parseEvent(JSON.stringify({ type: "RENAMED", object })))
    assert.isUndefined(parseEvent(JSON.stringify({ type: "ADDED", object: { metadata: { name: "a" } } })))
  })

  it.prop("are never an exception", { line: Schema.String }, ({ line }) => {
    parseEvent(line)
    parseEvent(`{"type":"ADDED","object":${JSON.stringify(line)}}`)
  })

  it("end the initial list by an annotation", () => {
    const end = { metadata: { resourceVersion: "5", annotations: { "k8s.io/initial-events-end": "true" } } }
    assert.deepStrictEqual(parseEvent(JSON.stringify({ type: "BOOKMARK", object: end })), {
      _tag: "Bookmark",
      resourceVersion: "5",
      initialEnd: true
    })
  })
})
