// The API server's warnings (RFC 9111 §5.5, `299 - "text"`): deprecated kinds, unknown fields. Each text is worth one line.
import { Effect } from "effect"

const shape = /\d{3} \S+ "((?:[^"\\]|\\.)*)"/g
const MOST = 1000 // texts remembered: names of objects can be part of them

/** The texts of a `Warning` header, which may come several times. */
export const textsOf = (header: string | ReadonlyArray<string> | undefined): ReadonlyArray<string> =>
  (typeof header === "string" ? [header] : header ?? []).flatMap((line) =>
    [...line.matchAll(shape)].map((match) => (match[1] ?? "").replaceAll(/\\(.)/g, "$1"))
  )

/** Logs every text the first time it is seen. */
export const makeWarnings = (): (header: string | ReadonlyArray<string> | undefined) => Effect.Effect<void> => {
  const seen = new Set<string>()
  return (header) => {
    if (header === undefined) return Effect.void
    const fresh = textsOf(header).filter((text) => !seen.has(text))
    for (const text of fresh) if (seen.size < MOST) seen.add(text)
    return Effect.forEach(fresh, (text) => Effect.logWarning(`the API server warns: ${text}`), { discard: true })
  }
}
