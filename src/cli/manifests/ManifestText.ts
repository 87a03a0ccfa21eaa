// ManifestText: the bytes of a manifest file as text, and the text as the parts that are read one by one, so that what is
// wrong with one is not said of another. As kubectl cuts them (k8s.io/apimachinery/pkg/util/yaml, decoder.go).
import { Result } from "effect"

/** A document of a file. */
export interface TextPart {
  readonly text: string
  /** Line of the file it begins in, from 1. */
  readonly line: number
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
