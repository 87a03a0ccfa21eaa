// What servers want their users to know: `Warning: 299 - "text"`. Sources: RFC 7234 §5.5; OCI distribution-spec, "Warnings".
// Edge: which codes and agents are listened to, and how texts are said, is the caller's.

const shape = /(\d{3}) (\S+) "((?:[^"\\]|\\.)*)"/g

export interface Warning {
  readonly code: string
  /** Who warns, `-` if that is not told. */
  readonly agent: string
  readonly text: string
}

/** The warnings of a header, which may come several times. */
export const warningsOf = (header: string | ReadonlyArray<string> | undefined): ReadonlyArray<Warning> =>
  (typeof header === "string" ? [header] : header ?? []).flatMap((line) =>
    [...line.matchAll(shape)].map(([, code = "", agent = "", text = ""]) => ({
      code,
      agent,
      text: text.replaceAll(/\\(.)/g, "$1")
    }))
  )

/**
 * Tells texts that are heard for the first time. `most` of them are remembered, since their sender may make up new ones for
 * ever; `beyond` is what is said of all that come after those.
 */
export const makeNovelty = (most: number, beyond: "new" | "known"): (text: string) => boolean => {
  const heard = new Set<string>()
  return (text) => {
    if (heard.has(text)) return false
    if (heard.size >= most) return beyond === "new"
    heard.add(text)
    return true
  }
}
