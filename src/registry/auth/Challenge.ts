// WWW-Authenticate, parsed: several header instances, several challenges each, quoting, odd registries.
// Source: RFC 9110 §11.3, §11.6.1; lenient where registries are: unquoted realms, empty headers.

export interface Challenge {
  /** Lower case. */
  readonly scheme: string
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>
}

const blank = /[\s,]*/y
const word = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y
const equals = /[ \t]*=[ \t]*/y
const quotedString = /"((?:[^"\\]|\\[\s\S])*)"?/y
// registries exist that do not quote URLs, so an unquoted value ends at a comma or blank only
const bareValue = /[^\s,"]*/y

/** All challenges of an answer, in order; nonsense yields none. */
export const parseChallenges = (header: string | ReadonlyArray<string> | undefined): ReadonlyArray<Challenge> =>
  (header === undefined ? [] : typeof header === "string" ? [header] : header).flatMap(parseOne)

const parseOne = (text: string): ReadonlyArray<Challenge> => {
  const challenges: Array<{ scheme: string; parameters: Map<string, string> }> = []
  let at = 0
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (match !== null) at = pattern.lastIndex
    return match
  }
  while (at < text.length) {
    take(blank)
    const start = at
    const name = take(word)?.[0]
    if (name === undefined) {
      at++
      continue
    }
    const current = challenges.at(-1)
    if (current === undefined || take(equals) === null) {
      challenges.push({ scheme: name.toLowerCase(), parameters: new Map() })
      continue
    }
    const quoted = take(quotedString)
    const value = quoted === null ? take(bareValue)?.[0] ?? "" : (quoted[1] ?? "").replaceAll(/\\([\s\S])/g, "$1")
    const key = name.toLowerCase()
    if (!current.parameters.has(key)) current.parameters.set(key, value)
    if (at === start) at++
  }
  return challenges
}
