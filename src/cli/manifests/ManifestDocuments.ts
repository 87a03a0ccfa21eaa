// ManifestDocuments: one part of a manifest's text as the values in it, JSON or YAML, with the lines they stand in. What is as
// nearly all of it is read quickly (QuickYaml.ts), all else by nodes; what their parser refuses and the API machinery takes is put
// right for it (RepairYaml.ts).
import { Result } from "effect"
import type { Document } from "yaml"
import { jsonObjectsIn, type TextPart } from "./ManifestText.ts"
import { type JsYaml, type QuickYaml, quickYaml } from "./QuickYaml.ts"
import { repairYaml } from "./RepairYaml.ts"
import { plainTexts, yamlOptions } from "./YamlSchema.ts"
import { offsetOf, type Remark, yamlValue } from "./YamlValue.ts"

type Yaml = typeof import("yaml")

/** What reads YAML. */
export interface Parsers {
  readonly yaml: Yaml
  readonly quick: QuickYaml
}

/** Something to be said of a line of a file. */
export interface LineRemark {
  /** From 1. */
  readonly line: number
  readonly text: string
}

export interface ManifestDocument {
  readonly value: unknown
  /** The line of what stands at a path of the value, or of the nearest above it. */
  readonly lineOf: (path: ReadonlyArray<PropertyKey>) => number
}

export interface ManifestDocuments {
  readonly documents: ReadonlyArray<ManifestDocument>
  readonly problems: ReadonlyArray<LineRemark>
  readonly warnings: ReadonlyArray<LineRemark>
}

export const parsersOf = (yaml: Yaml, js: JsYaml): Parsers => ({
  yaml,
  quick: quickYaml(js, plainTexts(yaml))
})

/** The line of the file that an offset of a part of it is in. */
const linesOf = ({ line, text }: TextPart) => {
  let starts: ReadonlyArray<number> | undefined
  return (offset: number): number => {
    starts ??= [...text.matchAll(/\n/g)].map((it) => it.index)
    let low = 0
    let high = starts.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((starts[middle] ?? 0) < offset) low = middle + 1
      else high = middle
    }
    return line + low
  }
}

/** How often a text is put right before it is given up, and how much may be parsed for that in all. */
const mostRepairs = { times: 200, characters: 20_000_000 }

const parseAll = (yaml: Yaml, text: string): Result.Result<ReadonlyArray<Document.Parsed>, Remark> =>
  Result.try({
    try: () => [...yaml.parseAllDocuments(text, yamlOptions)],
    catch: (error) => ({ offset: 0, text: String(error) })
  })

/** The library goes down as deep as a text is nested, and says so in V8's words. */
const inWords = (text: string): string => text.includes("call stack") ? "it is nested too deep" : text

interface Parsed {
  /** As it was parsed: put right, line for line. */
  readonly text: string
  readonly documents: ReadonlyArray<Document.Parsed>
}

const parseYaml = (yaml: Yaml, original: string): Result.Result<Parsed, Remark> => {
  let text = original
  let first: Remark | undefined
  for (let tries = 0;; tries++) {
    const parsed = parseAll(yaml, text)
    if (Result.isFailure(parsed)) return Result.fail(first ?? { ...parsed.failure, text: inWords(parsed.failure.text) })
    const documents = parsed.success
    const error = documents.flatMap((it) => it.errors)[0]
    if (error === undefined) return Result.succeed({ text, documents })
    // what is missing at the end is said of the last line, not of the one behind it
    first ??= { offset: Math.min(error.pos[0], text.trimEnd().length), text: inWords(error.message) }
    const goesOn = tries < mostRepairs.times && tries * text.length < mostRepairs.characters
    const better = goesOn ? repairYaml(text, error) : undefined
    if (better === undefined) return Result.fail(first)
    text = better
  }
}

const readQuickly = (quick: QuickYaml, part: TextPart): ManifestDocuments | undefined => {
  const read = quick(part.text)
  if (read === undefined) return undefined
  const lineAt = linesOf(part)
  const document = { value: read.value, lineOf: (path: ReadonlyArray<PropertyKey>) => lineAt(read.offsetOf(path)) }
  return { documents: read.value === null ? [] : [document], problems: [], warnings: [] }
}

const readByNodes = (yaml: Yaml, part: TextPart): ManifestDocuments => {
  const parsed = parseYaml(yaml, part.text)
  const lineAt = linesOf({ ...part, text: Result.isSuccess(parsed) ? parsed.success.text : part.text })
  const remark = ({ offset, text }: Remark): LineRemark => ({ line: lineAt(offset), text })
  if (Result.isFailure(parsed)) return { documents: [], warnings: [], problems: [remark(parsed.failure)] }
  const all = parsed.success.documents.map((document) => ({ document, ...yamlValue(yaml, document) }))
  return {
    documents: all.filter((it) => it.problem === undefined && it.value !== null).map(({ document, value }) => ({
      value,
      lineOf: (path) => lineAt(offsetOf(yaml, document, path))
    })),
    problems: all.flatMap(({ problem }) => problem === undefined ? [] : [remark(problem)]),
    warnings: all.flatMap(({ duplicates }) => duplicates.map(remark))
  }
}

/** Characters of JSON in which the line of a field is looked for; of more, its first line is told. */
const mostLocated = 1_000_000

/** Seldom asked for: JSON is YAML, whose nodes know where they are. */
const lazily = <A>(make: () => A): () => A => {
  let made: { readonly of: A } | undefined
  return () => (made ??= { of: make() }).of
}

const readJson = (yaml: Yaml, part: TextPart): ManifestDocuments | undefined => {
  const lineAt = linesOf(part)
  const documents: Array<ManifestDocument> = []
  for (const { end, start } of jsonObjectsIn(part.text) ?? []) {
    const text = part.text.slice(start, end)
    const parsed = Result.try({ try: (): unknown => JSON.parse(text), catch: (error) => error })
    if (Result.isFailure(parsed)) return undefined
    // of a dump of a cluster it would take gigabytes, and nobody could end it meanwhile
    const located = lazily(() =>
      text.length > mostLocated ? undefined : Result.getOrUndefined(parseYaml(yaml, text))?.documents[0]
    )
    documents.push({
      value: parsed.success,
      lineOf: (path) => {
        const document = path.length === 0 ? undefined : located()
        return lineAt(start + (document === undefined ? 0 : offsetOf(yaml, document, path)))
      }
    })
  }
  return documents.length === 0 ? undefined : { documents, problems: [], warnings: [] }
}

/** Reads one part of a file. */
export const documentsOf = ({ quick, yaml }: Parsers, part: TextPart): ManifestDocuments => {
  const text = part.text.replace(/^---(?=\s|$)/, "   ")
  const read = /^\s*\{/.test(text) ? readJson(yaml, { ...part, text }) : undefined
  if (read !== undefined) return read
  const all = readQuickly(quick, part) ?? readByNodes(yaml, part)
  if (part.isItem !== true) return all
  const { documents, problems, warnings } = all
  return {
    documents: documents.flatMap(({ lineOf, value }) =>
      (Array.isArray(value) ? value : [value]).map((it: unknown, index) => ({
        value: it,
        lineOf: (path) => lineOf([index, ...path])
      }))
    ),
    problems,
    warnings
  }
}
