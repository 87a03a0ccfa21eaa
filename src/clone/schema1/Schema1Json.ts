// JSON as Go writes it, so that what is converted here is, byte for byte, what docker made of the same image. Source: Go's
// encoding/json, encodeState.string and compact: <, > and &, and the line ends of JavaScript, are escaped.
// Edge: texts in, texts out; what is in them is Schema1Config.ts's.

const escapes: Readonly<Record<string, string>> = {
  "<": "\\u003c",
  ">": "\\u003e",
  "&": "\\u0026",
  "\u2028": "\\u2028",
  "\u2029": "\\u2029"
}

const escapeHtml = (json: string): string => json.replaceAll(/[<>&\u2028\u2029]/g, (it) => escapes[it] ?? it)

/** A string; \b and \f have no short form in Go before 1.22, and half a surrogate pair is U+FFFD. */
export const stringText = (text: string): string =>
  escapeHtml(JSON.stringify(text.toWellFormed())).replaceAll(
    /\\(.)/g,
    (escape, kind: string) => kind === "b" ? "\\u0008" : kind === "f" ? "\\u000c" : escape
  )

export const arrayText = (items: ReadonlyArray<string>): string => `[${items.join(",")}]`

/** An object of members in this order, those without a text left out, as of a Go struct with `omitempty`. */
export const structText = (members: ReadonlyArray<readonly [name: string, text: string | undefined]>): string =>
  `{${members.flatMap(([name, text]) => text === undefined ? [] : [`${stringText(name)}:${text}`]).join(",")}}`

/** An object of a Go map: its keys in the order of their bytes. */
export const mapText = (members: Iterable<readonly [name: string, text: string]>): string =>
  structText([...members].toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))))

/** Where a string that begins at `from` ends, its last quote included. */
const endOfString = (json: string, from: number): number => {
  let at = from + 1
  while (json[at] !== "\"" && at < json.length) at += json[at] === "\\" ? 2 : 1
  return at + 1
}

const delimiters = new Set("{}[],:\" \t\r\n")

const tokensOf = function*(json: string): Generator<string> {
  for (let at = 0; at < json.length;) {
    const first = json[at] ?? ""
    let end = at + 1
    if (first === "\"") end = endOfString(json, at)
    else if (!delimiters.has(first)) { while (end < json.length && !delimiters.has(json[end] ?? "")) end++ }
    if (!" \t\r\n".includes(first)) yield json.slice(at, end)
    at = end
  }
}

/**
 * The members of an object with their texts as they are, only compact and escaped: numbers keep their digits, objects the
 * order of their keys. Of two members of one name the last counts. The text must be a JSON object.
 */
export const membersOf = (json: string): Map<string, string> => {
  const members = new Map<string, string>()
  let depth = 0
  let name: string | undefined
  let value: Array<string> = []
  const done = () => {
    if (name !== undefined) members.set(name, escapeHtml(value.join("")))
    name = undefined
    value = []
  }
  for (const token of tokensOf(json)) {
    if (token === "}" || token === "]") depth--
    if (depth === 0 || (depth === 1 && token === ",")) done()
    else if (name === undefined) name = String(JSON.parse(token))
    else if (depth > 1 || value.length > 0 || token !== ":") value.push(token)
    if (token === "{" || token === "[") depth++
  }
  return members
}
