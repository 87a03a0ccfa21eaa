import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { documentsOf } from "../../../src/cli/manifests/ManifestDocuments.ts"
import { decodeText, itemsOf, partsOf } from "../../../src/cli/manifests/ManifestText.ts"
import { parsers } from "./Reading.ts"

const read = (text: string) => {
  const all = partsOf(text).map((it) => documentsOf(parsers, it))
  return {
    values: all.flatMap(({ documents }) => documents.map((it) => it.value)),
    lines: all.flatMap(({ documents }) => documents.map((it) => it.lineOf([]))),
    problems: all.flatMap((it) => it.problems),
    warnings: all.flatMap((it) => it.warnings)
  }
}

describe("the text of manifests", () => {
  it.each([
    ["UTF-8", [0x61, 0x3a, 0x20, 0xc3, 0xa9], "a: é"],
    ["UTF-8 with a mark", [0xef, 0xbb, 0xbf, 0x61], "a"],
    ["UTF-16 little", [0xff, 0xfe, 0x61, 0, 0x3a, 0], "a:"],
    ["UTF-16 big", [0xfe, 0xff, 0, 0x61, 0, 0x3a], "a:"]
  ])("is read as %s", (_, bytes, expected) => {
    assert.deepStrictEqual(decodeText(Uint8Array.from(bytes)), Result.succeed(expected))
  })

  it.each([[[0x61, 0xff, 0xfe]], [[0x1f, 0x8b, 8, 0]], [[0xfe, 0xff, 0xd8, 0x00, 0, 0x61]]])(
    "is refused as bytes of no text: %j",
    (bytes) => {
      assert.isTrue(Result.isFailure(decodeText(Uint8Array.from(bytes))))
    }
  )

  it("is cut at its separators, each part with its line", () => {
    const parts = partsOf("# head\na: 1\n---\n---  # none\nb: 2\n--- {c: 3}\n---x\n...\n---\r\nd: 4\r\n")
    assert.deepStrictEqual(parts.map((it) => it.line), [1, 4, 6, 9])
    assert.deepStrictEqual(partsOf("%YAML 1.1\n---\na: 1\n").length, 1)
  })
})

describe("a list of kubectl's", () => {
  const cut = (text: string) => partsOf(text).flatMap((it) => itemsOf(it) ?? []).map((it) => [it.line, it.text])
  const head = "apiVersion: v1\nitems:\n"
  const tail = "kind: List\nmetadata:\n  resourceVersion: \"\"\n"

  it("is read item by item, each with its line", () => {
    assert.deepStrictEqual(cut(`${head}- a: 1\n  b:\n  - c\n# x\n- a: |\n    - x\n\n${tail}`), [
      [3, "- a: 1\n  b:\n  - c\n"],
      [7, "- a: |\n    - x\n\n"]
    ])
    // what comes after another field is no item
    assert.deepStrictEqual(cut(`${head}- a: 1\nmetadata:\n  finalizers:\n- x\n`), [])
    assert.deepStrictEqual(cut(`---\n${tail}items:\n  - a: 1\n  - b: 1\n`).map(([line]) => line), [6, 7])
  })

  it.each([
    ["of another kind", `${head}- a: 1\nkind: FooList\n`],
    ["with an alias", `${head}- a: &x 1\n- b: *x\n${tail}`],
    ["with a text that is not indented", `${head}- a: "1\n2"\n- b: 1\n${tail}`],
    ["with other fields", `${head}- a: 1\n${tail}more: 1\n`],
    ["in flow style", "{apiVersion: v1, kind: List, items: [{a: 1}]}\n"]
  ])("is read as a whole %s", (_, text) => {
    assert.deepStrictEqual(cut(text), [])
  })
})

describe("documents of manifests", () => {
  it.each([
    ["merge keys", "x: &b {i: 1, k: 2}\ny:\n  <<: *b\n  k: 3\nz: {<<: [*b, {l: 4, i: 5}]}\n", {
      x: { i: 1, k: 2 },
      y: { k: 3, i: 1 },
      z: { i: 1, k: 2, l: 4 }
    }],
    ["a quoted << as a key", "\"<<\": {a: 1}\n", { "<<": { a: 1 } }],
    ["an anchor that is set anew", "a: &x 1\nb: *x\nc: &x 2\nd: *x\n", { a: 1, b: 1, c: 2, d: 2 }],
    ["a quoted text whose last line is not indented", "a:\n  b: \"one\n  two\nthree\"\nc: 'x\n\ny'\n", {
      a: { b: "one two three" },
      c: "x\ny"
    }],
    ["flow collections that are not indented", "a:\n  - b: [\n1, {\n\"x\": 2\n}\n]\n    c: {\n\t\"d\": [3]\n}\n", {
      a: [{ b: [1, { x: 2 }], c: { d: [3] } }]
    }],
    ["YAML 1.1 as the API machinery has it", "a: yes\nb: 0644\nc: 2024-01-01\nd: 1:30\ne: ~\nf: \"no\"\ng: 1.10\n", {
      a: true,
      b: 420,
      c: "2024-01-01",
      d: "1:30",
      e: null,
      f: "no",
      g: 1.1
    }],
    [
      "keys that are no texts",
      "1: a\ntrue: b\n__proto__: c\n",
      JSON.parse("{\"1\":\"a\",\"true\":\"b\",\"__proto__\":\"c\"}")
    ],
    ["tabs where they mean nothing", "a:\t1\t\n\t\nb: 2\n\t# c\n", { a: 1, b: 2 }],
    ["tags of somebody's own", "a: !reference x\nb: !!str 1\nc: !!binary aGk=\n", { a: "x", b: "1", c: "aGk=" }]
  ])("have %s", (_, text, expected) => {
    const { problems, values } = read(text)
    assert.deepStrictEqual(problems, [])
    assert.deepStrictEqual(values, [expected])
  })

  it("are JSON objects one after the other, on one line or many, beside YAML", () => {
    const it = read("{\"a\":\"}\\\"{\"} {\n\"b\": 1}\n\n{\"c\":[{}]}\n---\nd: 1\n---\n{e: 2}\n")
    assert.deepStrictEqual(it.values, [{ a: "}\"{" }, { b: 1 }, { c: [{}] }, { d: 1 }, { e: 2 }])
    assert.deepStrictEqual(it.lines, [1, 1, 4, 6, 8])
    assert.deepStrictEqual(it.problems, [])
  })

  it("warn of keys that are there twice, and take the last", () => {
    const { values, warnings } = read("a: 0\n---\nb: 1\nc: 2\nb: 3\n")
    assert.deepStrictEqual(values, [{ a: 0 }, { b: 3, c: 2 }])
    assert.deepStrictEqual(warnings.map((it) => it.line), [5])
    assert.include(warnings[0]?.text, "the key b is there twice")
  })

  it.each([
    ["a tab as indentation", "a: 1\n---\nb:\n\tc: 1\n---\nd: 2\n", 4, "Tabs"],
    ["an alias without an anchor", "a: 1\n---\nb: 0\nc: *no\n---\nd: 2\n", 4, "anchor no"],
    ["an anchor in itself", "a: 1\n---\nb: &x\n  - *x\n---\nd: 2\n", 4, "itself"],
    ["a template", "a: 1\n---\nb: {{ .Values.x }}\n---\nd: 2\n", 3, "rendered"],
    ["a merge of what is no map", "a: 1\n---\nb: {<<: 1}\n---\nd: 2\n", 3, "no map"],
    ["a quote that stays open", "a: 1\n---\nb: \"x\nc: 1\n---\nd: 2\n", 4, "quote"],
    ["what is nested too deep", `a: 1\n---\n${"[".repeat(2000)}${"]".repeat(2000)}\n---\nd: 2\n`, 3, "deep"]
  ])("that cannot be read are told with their line, and the others go on: %s", (_, text, line, said) => {
    const { problems, values } = read(text)
    assert.deepStrictEqual(values, [{ a: 1 }, { d: 2 }])
    assert.deepStrictEqual(problems.map((it) => it.line).slice(0, 1), [line])
    assert.include(problems[0]?.text, said)
  })

  it("may have many aliases, and not so many that they multiply", () => {
    const many = `a: &a {x: 1}\nb: [${"*a, ".repeat(5000)}]\n`
    assert.deepStrictEqual(read(many).problems, [])
    const levels = Array.from(
      { length: 12 },
      (_, index) => `l${index + 1}: &l${index + 1} [${Array.from({ length: 9 }, () => `*l${index}`).join(", ")}]`
    )
    const bomb = read(`l0: &l0 lol\n${levels.join("\n")}\n`)
    assert.deepStrictEqual(bomb.values, [])
    assert.include(bomb.problems[0]?.text, "multiply")
  })

  it("know the line of each of their fields", () => {
    const yamlText = "# c\na:\n  b:\n  - c: 1\n  - d:\n      e: x\n"
    const [of] = partsOf(yamlText).flatMap((it) => documentsOf(parsers, it).documents)
    assert.strictEqual(of?.lineOf(["a", "b", 1, "d", "e"]), 6)
    assert.strictEqual(of?.lineOf(["a", "b", 0, "nosuch"]), 4)
    const [json] = partsOf("\n{\n\"a\": {\n\"b\": 1}}\n").flatMap((it) => documentsOf(parsers, it).documents)
    assert.strictEqual(json?.lineOf(["a", "b"]), 4)
  })

  it.prop(
    "are whatever JSON was written, however it is printed",
    [Schema.Record(Schema.String, Schema.Json)],
    ([value]) => {
      const expected = JSON.parse(JSON.stringify(value))
      assert.deepStrictEqual(read(JSON.stringify(value, null, 1)).values, [expected])
      assert.deepStrictEqual(read(`---\n# x\n${JSON.stringify(value)} # y\n`).values, [expected])
    }
  )
})
