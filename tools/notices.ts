// The licences of other people's code that is in the program, as one text beside it: a plugin of the bundler, which alone knows
// whose code came to be in a chunk. Edge: Node.js itself is no part of the bundle; its licence is in its own image.
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { Plugin } from "rolldown"

/** A package as it lies in node_modules. */
export interface Bundled {
  readonly name: string
  readonly version: string
  /** As its package.json names it, by SPDX. */
  readonly license: string
  /** Where its source is, and who wrote it, as far as it says. */
  readonly origin: string
  /** Its licence files and notices, in the order of their names; empty where it has none. */
  readonly texts: ReadonlyArray<string>
}

const ruler = "-".repeat(80)

/** The text, in the order of names. A licence that several have in the same words stands once, below all of their names. */
export const noticesOf = (packages: ReadonlyArray<Bundled>): string => {
  const byText = Map.groupBy(
    packages.toSorted((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : a.version < b.version ? -1 : 1),
    (it) => it.texts.length === 0 ? it.name : it.texts.join("\n\n")
  )
  const sections = [...byText.values()].map((all) => {
    const names = all.map((it) => `${it.name} ${it.version} (${it.license === "" ? "see below" : it.license})`)
    const [first] = all
    const texts = first === undefined || first.texts.length === 0
      ? `The package has no licence file. It says: ${first?.license}. ${first?.origin}`.trimEnd()
      : first.texts.join("\n\n")
    return `${names.join("\n")}\n\n${texts}`
  })
  return [
    "This program contains code of the packages below, each under the licence that follows its name.",
    ...sections
  ].join(`\n\n${ruler}\n`) + "\n"
}

const textOf = (value: unknown): string => typeof value === "string" ? value : ""

const member = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined

const contents = (folder: string, wanted: RegExp): ReadonlyArray<string> =>
  globSync("*", { cwd: folder }).filter((it) => wanted.test(it)).toSorted()
    // the same wherever it was written
    .map((it) => readFileSync(join(folder, it), "utf8").replaceAll("\r\n", "\n").trim())

/** What a page says below a heading `License`, which some have in place of a file; nothing where that is but a name. */
export const licenceIn = (page: string): ReadonlyArray<string> => {
  const [, after = ""] = page.split(/^(?:#+ *licen[cs]e *#*|licen[cs]e *\n[-=]+) *$/im)
  const text = (after.split(/^#+ |^[^\n]+\n[-=]{3,} *$/m)[0] ?? "").trim()
  return /copyright|permission is hereby/i.test(text) ? [text] : []
}

const read = (folder: string): Bundled => {
  const about: unknown = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
  const author = member(about, "author")
  const repository = member(about, "repository")
  const files = contents(folder, /^(licen[cs]e|copying|notice)([.-].*)?$/i)
  const origin = [
    textOf(author) || textOf(member(author, "name")),
    textOf(repository) || textOf(member(repository, "url"))
  ]
  return {
    name: textOf(member(about, "name")),
    version: textOf(member(about, "version")),
    license: textOf(member(about, "license")),
    origin: origin.filter((it) => it !== "").join(", "),
    texts: files.length > 0 ? files : contents(folder, /^readme([.-].*)?$/i).flatMap(licenceIn)
  }
}

/** The folder of the package that a module is of; undefined: it is our own, or the bundler's. */
const folderOf = (id: string): string | undefined => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(id)?.[0]

/** Writes the notices of all that a bundle has code of to a file beside it. */
export const notices = (fileName: string): Plugin => ({
  name: "notices",
  generateBundle(_, bundle) {
    const folders = new Set(
      Object.values(bundle).flatMap((it) => it.type === "chunk" ? Object.keys(it.modules) : [])
        .flatMap((id) => folderOf(id) ?? [])
    )
    const packages = [...folders].map(read)
    // such code may not be passed on
    const nameless = packages.filter((it) => it.texts.length === 0 && it.license === "")
    if (nameless.length > 0) this.error(`no licence is known of ${nameless.map((it) => it.name).join(", ")}`)
    this.emitFile({ type: "asset", fileName, source: noticesOf(packages) })
  }
})
