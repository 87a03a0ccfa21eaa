// RepairYaml: what libyaml, and with it the API machinery, takes and the specification does not: lines of a quoted text or of a
// flow collection that are not indented. Indented they mean the same, so a text that was refused for them is tried again so.
import type { YAMLParseError } from "yaml"

/** Behind the end of what a quote opened, undefined where it stays open. */
const endOfQuoted = (text: string, from: number, quote: string): number | undefined => {
  for (let at = from; at < text.length; at++) {
    if (quote === "\"" && text[at] === "\\") at++
    else if (text[at] === quote) {
      if (quote === "\"" || text[at + 1] !== quote) return at + 1
      at++
    }
  }
  return undefined
}

/** Behind the bracket that closes the flow collection a position is in, undefined where it stays open. */
const endOfFlow = (text: string, from: number): number | undefined => {
  let depth = 1
  for (let at = from; at < text.length; at++) {
    const it = text[at]
    if (it === "\"" || (it === "'" && /[\s,[{:]/.test(text[at - 1] ?? " "))) {
      at = (endOfQuoted(text, at + 1, it) ?? text.length) - 1
    } else if (it === "#" && /\s/.test(text[at - 1] ?? " ")) {
      const end = text.indexOf("\n", at)
      at = end < 0 ? text.length : end
    } else if (it === "[" || it === "{") depth++
    else if ((it === "]" || it === "}") && --depth === 0) return at + 1
  }
  return undefined
}

/**
 * The text with the lines indented that an error of the library is about.
 * @returns undefined where the error is about something else, or the text would mean something else
 */
export const repairYaml = (text: string, { code, message, pos: [at] }: YAMLParseError): string | undefined => {
  const quote = code === "MISSING_CHAR" ? /^Missing closing (["'])quote/.exec(message)?.[1] : undefined
  const inFlow = code === "BAD_INDENT" && message.includes("must be sufficiently indented")
  if (quote === undefined && !inFlow) return undefined
  // a quoted text seems to end at its last good line; of a flow collection the first bad line is named
  const start = (quote === undefined ? text.lastIndexOf("\n", at) : text.indexOf("\n", at)) + 1
  const end = quote === undefined ? endOfFlow(text, start) : endOfQuoted(text, start, quote)
  if (start === 0 || end === undefined) return undefined
  const before = text.slice(text.lastIndexOf("\n", start - 2) + 1, start)
  const indent = " ".repeat((/^[ \t?-]*/.exec(before)?.[0].length ?? 0) + 1)
  const inner = text.slice(start, end).replaceAll("\n", `\n${indent}`)
  return `${text.slice(0, start)}${indent}${inner}${text.slice(end)}`
}
