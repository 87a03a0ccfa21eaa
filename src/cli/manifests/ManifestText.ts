// ManifestText: the bytes of a manifest file as text, and the text as the parts that are read one by one, so that what is
// wrong with one is not said of another. As kubectl cuts them (k8s.io/apimachinery/pkg/util/yaml, decoder.go).
import { Result } from "effect"

/** A document of a file. */
export interface TextPart {
  readonly text: string
  /** Line of the file it begins in, from 1. */
  readonly line: number
  /** It is one item of a list, with its dash: a sequence of one. */
  readonly isItem?: true
}

/** By the byte order mark (YAML 1.2.2, 5.2); without one it is UTF-8. */
const encodingOf = ([first, second]: Uint8Array): "utf-16le" | "utf-16be" | "utf-8" =>
  first === 0xff && second === 0xfe ? "utf-16le" : first === 0xfe && second === 0xff ? "utf-16be" : "utf-8"

/** The text without its byte order mark, or what is wrong with the bytes. */
export const decodeText = (bytes: Uint8Array): Result.Result<string, string> => {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return Result.fail("it is compressed (gzip)")
  return Result.try({
    try: () => new TextDecoder(encodingOf(bytes), { fatal: true }).decode(bytes),
    catch: () => "it is neither UTF-8 nor UTF-16 text"
  })
}

const separator = /^---(?=\s|$)/gm
/** Nothing but directives and comments: they belong to the document behind the separator (YAML 1.2.2, 9.2). */
const directives = /^(?:\s*(?:[%#].*)?(?:\n|$))*$/

const linesIn = (text: string): number => {
  let count = 0
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++
  return count
}

interface Slice {
  readonly start: number
  readonly end: number
}

/** The JSON objects of a text that has one after the other; undefined where something else stands between them. */
export const jsonObjectsIn = (text: string): ReadonlyArray<Slice> | undefined => {
  // in one object there is a comma between two others; a scan of megabytes costs more than to parse them
  if (!/\}\s*\{/.test(text)) return [{ start: text.indexOf("{"), end: text.trimEnd().length }]
  const found: Array<Slice> = []
  let depth = 0
  let start = 0
  let end = 0
  const isBlank = (until: number) => text.slice(end, until).trim() === ""
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\[^])*"|[{}]/g)) {
    if (token === "{" && depth++ === 0) {
      if (!isBlank(index)) return undefined
      start = index
    } else if (token === "}" && --depth === 0) {
      end = index + 1
      found.push({ start, end })
    }
  }
  return isBlank(text.length) ? found : undefined
}

/** What stands at the left of a `List` beside its items, as kubectl prints it; its metadata are below. */
const ofList = /^(?:apiVersion: *v1|kind: *List|metadata:.*|items:|---.*|#.*) *\r?$/
/** Names that lead from one item to another, or may. */
const references = /[\s[{,][&*][\w-]/

/**
 * The items of a `List` in block style, each a part of its own: a dump of a cluster is one document of many megabytes, and a
 * parser holds all of it.
 * @returns undefined where it is none, or its items cannot be told apart by their lines alone
 */
const itemsOfList = ({ line, text }: TextPart): ReadonlyArray<TextPart> | undefined => {
  const items = /^items:[ \t]*\r?\n( *)- /m.exec(text)
  if (items === null || !/^kind: *List *\r?$/m.test(text) || references.test(text)) return undefined
  const dash = `${items[1] ?? ""}- `
  const parts: Array<TextPart> = []
  const close = (end: number) => start < 0 || parts.push({ text: text.slice(start, end), line: from, isItem: true })
  let start = -1
  let from = line
  let isOver = false
  let at = 0
  for (let number = line; at < text.length; number++) {
    const newline = text.indexOf("\n", at)
    const end = newline < 0 ? text.length : newline
    if (at > items.index && !isOver && text.startsWith(dash, at)) {
      close(at)
      start = at
      from = number
    } else if (!/\s/.test(text[at] ?? " ")) {
      if (!ofList.test(text.slice(at, end))) return undefined
      close(at)
      isOver ||= at > items.index && text[at] !== "#"
      start = -1
    }
    at = end + 1
  }
  close(text.length)
  return parts
}

/** JSON objects that stand one after the other, each a part of its own. */
const jsonParts = ({ line, text }: TextPart): ReadonlyArray<TextPart> | undefined => {
  if (!/^(?:---)?\s*\{/.test(text)) return undefined
  const parts: Array<TextPart> = []
  let at = 0
  let from = line
  for (const { end, start } of jsonObjectsIn(text.replace(/^---/, "   ")) ?? []) {
    from += linesIn(text.slice(at, start))
    parts.push({ text: text.slice(start, end), line: from })
    from += linesIn(text.slice(start, end))
    at = end
  }
  return parts.length < 2 ? undefined : parts
}

/** The objects of a part that can be read one by one; undefined where it has to be read as a whole. */
export const itemsOf = (part: TextPart): ReadonlyArray<TextPart> | undefined => itemsOfList(part) ?? jsonParts(part)

/** Cuts a text at the lines that begin with `---`. A separator stays before its document, and parts of blanks are left out. */
export const partsOf = (text: string): ReadonlyArray<TextPart> => {
  const parts: Array<TextPart> = []
  const starts = [...text.matchAll(separator)].map((it) => it.index)
  let line = 1
  let start = 0
  for (const end of [...starts, text.length]) {
    const part = text.slice(start, end)
    if (end < text.length && part.includes("%") && directives.test(part)) continue
    if (part.trim() !== "" && part.trim() !== "---") parts.push({ text: part, line })
    line += linesIn(part)
    start = end
  }
  return parts
}
