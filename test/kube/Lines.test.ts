import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { makeFramer } from "../../src/kube/Lines.ts"
import { isNewer, latest } from "../../src/kube/ResourceVersion.ts"
import { textsOf } from "../../src/kube/ApiWarnings.ts"
import { parseEvent } from "../../src/kube/WatchEvent.ts"

const Text = Schema.Array(Schema.String)
const Cuts = Schema.Array(Schema.Int)

describe("framing", () => {
  it.prop("gives the same lines wherever the bytes are cut", { lines: Text, cuts: Cuts }, ({ cuts, lines }) => {
    const whole = lines.map((it) => `é${it.replaceAll("\n", "").toWellFormed()}`)
    const bytes = Buffer.from(whole.map((it) => `${it}\n`).join(""))
    const at = cuts.map((it) => Math.abs(it) % (bytes.length + 1)).toSorted((a, b) => a - b)
    const framer = makeFramer()
    const seen = [...at, bytes.length].flatMap((end, index) =>
      framer.push(bytes.subarray(at[index - 1] ?? 0, end)) ?? []
    )
    assert.deepStrictEqual(seen, whole)
  })

  it("leaves out empty lines and what follows the last newline", () => {
    assert.deepStrictEqual(makeFramer().push(Buffer.from("\n\na\n\nb")), ["a"])
  })

  it("gives up on a line that is too long, at once or in pieces", () => {
    assert.isUndefined(makeFramer(4).push(Buffer.from("12345\n")))
    assert.isUndefined(makeFramer(4).push(Buffer.from("12345")))
    const framer = makeFramer(4)
    assert.deepStrictEqual(framer.push(Buffer.from("1\n234")), ["1"])
    assert.deepStrictEqual(framer.push(Buffer.from("5\n6")), ["2345"])
    assert.isUndefined(framer.push(Buffer.from("7890")))
  })
})

describe("resourceVersion", () => {
  it("is ordered as a number of any length", () => {
    assert.isTrue(isNewer("10", "9"))
    assert.isTrue(isNewer("340282366920938463463374607431768211455", "99"))
    assert.isFalse(isNewer("9", "10"))
    assert.isFalse(isNewer("9", "9"))
  })

  it("is only compared where it is a number", () => {
    for (const odd of ["", "0", "01", "abc", "-1"]) {
      assert.isFalse(isNewer(odd, "1"))
      assert.isFalse(isNewer("2", odd))
    }
  })

  it("never goes back, but takes what cannot be compared", () => {
    assert.strictEqual(latest("10", "9"), "10")
    assert.strictEqual(latest("9", "10"), "10")
    assert.strictEqual(latest("abc", "b"), "b")
    assert.strictEqual(latest(undefined, "1"), "1")
  })
})

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
