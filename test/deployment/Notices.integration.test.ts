// The licences beside the bundle: of everybody whose code is in it, in their own words, each text once.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { readFileSync } from "node:fs"
import { type Bundled, licenceIn, noticesOf } from "../../tools/notices.ts"

const read = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), "utf8")

const one: Bundled = { name: "one", version: "1.0.0", license: "MIT", origin: "Somebody", texts: ["Copyright One"] }
const words = Schema.String.check(Schema.isPattern(/^[a-z ]{1,20}$/))
const bundled = Schema.Struct({
  name: Schema.String.check(Schema.isPattern(/^[a-z]{1,8}$/)),
  version: Schema.Literals(["1.0.0", "2.0.0"]),
  license: Schema.Literals(["MIT", "ISC"]),
  origin: Schema.Literals(["", "Somebody"]),
  texts: Schema.Array(words).check(Schema.isMaxLength(2))
})

const count = (text: string, part: string) => text.split(part).length - 1

describe("the notices", () => {
  it("have a text that several share once, below all of their names", () => {
    const text = noticesOf([{ ...one, name: "two" }, one, { ...one, name: "three", texts: ["Copyright Three"] }])
    assert.strictEqual(count(text, "Copyright One"), 1)
    assert.include(text, "one 1.0.0 (MIT)\ntwo 1.0.0 (MIT)\n\nCopyright One\n")
    assert.include(text, "three 1.0.0 (MIT)\n\nCopyright Three\n")
  })

  it("say so where a package has no licence file, and never join two such packages", () => {
    const text = noticesOf([{ ...one, texts: [] }, { ...one, name: "two", texts: [], origin: "" }])
    assert.include(text, "one 1.0.0 (MIT)\n\nThe package has no licence file. It says: MIT. Somebody\n")
    assert.include(text, "two 1.0.0 (MIT)\n\nThe package has no licence file. It says: MIT.\n")
  })

  it("take what a page says below its heading, if that is more than a name", () => {
    const licence = "(The MIT License)\n\nCopyright (c) 2014 Somebody"
    assert.deepStrictEqual(licenceIn(`# a\n\nLicense\n-------\n\n${licence}\n`), [licence])
    assert.deepStrictEqual(licenceIn(`# a\n\n## License\n\n${licence}\n\n## Thanks\n\nto all`), [licence])
    assert.deepStrictEqual(licenceIn("# a\n\n## License\n\nMIT\n"), [])
    assert.deepStrictEqual(licenceIn("# a\n"), [])
  })

  it.effect.prop(
    "name everybody, with all texts, in any order",
    [Schema.Array(bundled)],
    ([packages]) =>
      Effect.sync(() => {
        const text = noticesOf(packages)
        for (const it of packages) {
          assert.include(text, `${it.name} ${it.version} (${it.license})`)
          for (const part of it.texts) assert.include(text, part)
        }
      })
  )

  it("beside the bundle have all that the program depends on", () => {
    const text = read("dist/THIRD-PARTY-NOTICES.txt")
    const { dependencies }: { readonly dependencies: Record<string, string> } = JSON.parse(read("package.json"))
    assert.isAbove(Object.keys(dependencies).length, 10)
    for (const [name, version] of Object.entries(dependencies)) assert.include(text, `\n${name} ${version} (`)
    // what is tried out with, and what it is built with, is not in it
    for (const name of ["vitest", "rolldown", "typescript", "fast-check"]) {
      assert.notMatch(text, new RegExp(`^${name} `, "m"))
    }
  })

  it("go into the image and into the package", () => {
    assert.include(read("Dockerfile"), "/src/dist/THIRD-PARTY-NOTICES.txt")
    const { files }: { readonly files: ReadonlyArray<string> } = JSON.parse(read("package.json"))
    assert.includeMembers([...files], ["dist/THIRD-PARTY-NOTICES.txt", "dist/completions"])
  })
})
