// What is read quickly is what is read by nodes, to the line; all else is left to those.
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as js from "js-yaml"
import { readdirSync, readFileSync } from "node:fs"
import * as yaml from "yaml"
import { documentsOf } from "../../../src/cli/manifests/ManifestDocuments.ts"
import { partsOf } from "../../../src/cli/manifests/ManifestText.ts"
import { parsers } from "./Reading.ts"

const nodes = { ...parsers, quick: () => undefined }

/** Each path of a value. */
const pathsOf = (value: unknown, path: ReadonlyArray<PropertyKey> = []): ReadonlyArray<ReadonlyArray<PropertyKey>> => [
  path,
  ...(typeof value !== "object" || value === null
    ? []
    : Object.entries(value).flatMap(([key, it]) => pathsOf(it, [...path, Array.isArray(value) ? Number(key) : key])))
]

const linesOf = (text: string, of = parsers) =>
  partsOf(text).flatMap((it) => documentsOf(of, it).documents).map(({ lineOf, value }) => ({
    value,
    lines: pathsOf(value).map((path) => [path.map(String).join("/"), lineOf([...path, "nosuch"])])
  }))

const isQuick = (text: string) => partsOf(text).every((it) => parsers.quick(it.text) !== undefined)

const Key = Schema.Union([Schema.Literals(["a", "b c", "yes", "1", "", "a.b/c", "null", "<<", "é"]), Schema.String])
const Leaf = Schema.Union([
  Schema.Literals([
    "",
    "x",
    "yes",
    "~",
    "0755",
    "1_0",
    "1:30",
    "2024-01-01",
    ".inf",
    "a: b",
    "# c",
    "l1\n\n  l2\n",
    "- x"
  ]),
  Schema.String,
  Schema.Finite,
  Schema.Boolean,
  Schema.Null
])
/** By entries: keys out of a union of literals would each be there. */
const Fields = <Of extends Schema.Top>(of: Of) => Schema.Array(Schema.Tuple([Key, of]))
const Inner = Fields(Schema.Union([Leaf, Schema.Array(Leaf)]))
const Outer = Fields(
  Schema.Union([Leaf, Schema.Struct({ inner: Inner }), Schema.Array(Schema.Struct({ inner: Inner }))])
)

const folder = new URL("../../../manifests/", import.meta.url)
const manifests = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((it) => it.endsWith(".yaml"))
  .flatMap((it) => partsOf(readFileSync(new URL(it, folder), "utf8"))).map((it) => it.text)

const Place = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000 }))
/** What may go wrong with a manifest while somebody writes it. */
const Slip = Schema.Struct({
  at: Place,
  cut: Schema.Literals([0, 1, 2]),
  put: Schema.Literals([
    "",
    "",
    "",
    " ",
    "  ",
    "\n",
    "\t",
    "\"",
    "'",
    ":",
    ": ",
    "- ",
    " #",
    "{",
    "}",
    "[",
    "]",
    ",",
    "|",
    ">",
    "&a ",
    "*a",
    "!x ",
    "? ",
    "\\",
    "\n---\n",
    "\n...\n",
    "~",
    "\r\n",
    "é",
    "<<: ",
    "%",
    "@",
    "`",
    "0x1",
    "|+\n",
    ">-\n",
    "\n\n"
  ])
})

describe("a document that is read quickly", () => {
  it.prop("is what it is by its nodes, however it was printed", [Outer], ([outer]) => {
    const value = Object.fromEntries(
      outer.map((
        [key, it]
      ) => [
        key,
        JSON.parse(
          JSON.stringify(it),
          (_, below) => below?.inner === undefined ? below : Object.fromEntries(below.inner)
        )
      ])
    )
    for (
      const text of [
        yaml.stringify(value),
        yaml.stringify(value, { version: "1.1" }),
        js.dump(value),
        js.dump(value, { flowLevel: 1 })
      ]
    ) {
      assert.deepStrictEqual(linesOf(text), linesOf(text, nodes))
    }
  })

  it.prop(
    "is what it is by its nodes, or left to them, whatever slipped into it",
    [Schema.Struct({ of: Place, slips: Schema.Array(Slip) })],
    ([{ of, slips }]) => {
      // a carriage return alone ends a line to the API machinery and to the quick reader, not to the other
      const text = slips.reduce((it, { at, cut, put }) => {
        const place = at % (it.length + 1)
        return it.slice(0, place) + put + it.slice(place + cut)
      }, manifests[of % manifests.length] ?? "").replaceAll(/\r(?!\n)/g, "")
      for (const part of partsOf(text)) {
        const read = documentsOf(parsers, part)
        assert.deepStrictEqual(
          { ...read, documents: read.documents.map((it) => it.value) },
          (({ documents, ...rest }) => ({ ...rest, documents: documents.map((it) => it.value) }))(
            documentsOf(nodes, part)
          )
        )
      }
      assert.deepStrictEqual(linesOf(text), linesOf(text, nodes))
    },
    { arbitrary: { runs: 1000 } }
  )

  it("is every one of the shipped manifests", () => {
    assert.isAbove(manifests.length, 20)
    assert.deepStrictEqual(manifests.filter((it) => !isQuick(it)), [])
  })

  it.each([
    ["an error", "a: [1\n"],
    ["an anchor", "a: &x 1\n"],
    ["an alias", "a: &x {b: 1}\nc: *x\n"],
    ["a tag", "a: !!str 1\n"],
    ["a merge key", "a: {<<: {b: 1}}\n"],
    ["a key that is there twice", "a: 1\na: 2\n"],
    ["a key that is no text", "? [a]\n: 1\n"],
    ["a key of several lines", "? a\n  b\n: 1\n"],
    ["a key that is not there", ": 1\n"],
    ["an item that is empty", "a:\n-\n- b\n"],
    ["a tab as indentation", "\ta\n"],
    ["two documents", "a: 1\n...\nb: 1\n"],
    ["none", "# nothing\n"],
    ["a separator that is indented", " ---\na: 1\n"],
    ["a map on the line of a separator", "--- a: 1\n"],
    ["__proto__", "__proto__: {a: 1}\n"]
  ])("has nothing of this in it: %s", (_, text) => {
    assert.isUndefined(parsers.quick(text))
  })
})
