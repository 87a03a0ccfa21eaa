// ShownText: text that others chose, made fit for a terminal: what would move the cursor, hide text or turn its direction is
// written as an escape, so that it can be seen and nothing is lost.

// control characters, marks of direction, and what cannot be seen; the same set as of log lines (RegistryError.ts)
const unfit = /[\p{Cc}\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/gu

/** One line, `\u001b` in place of an escape character. */
export const shownText = (text: string): string =>
  text.replaceAll(unfit, (it) => `\\u${(it.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`)
