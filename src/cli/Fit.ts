// Fit: text made to fit into so many columns of a terminal: shortened in the middle, since names begin alike and end alike, or
// broken at its spaces. Pure. Edge: a column is a character; what is named here is ASCII.

/** `sha256:0123…cdef` for people: eight digits tell one image from another. */
export const shortDigests = (text: string): string =>
  text.replaceAll(/\b(sha256|sha512):([0-9a-f]{8})[0-9a-f]{20,}([0-9a-f]{4})\b/g, "$1:$2…$3")

/** At most so many characters, its beginning and its end. */
export const fitted = (text: string, width: number): string => {
  if (text.length <= width) return text
  const end = Math.floor((width - 1) / 2)
  return `${text.slice(0, width - 1 - end)}…${end === 0 ? "" : text.slice(-end)}`
}

/** Lines of at most so many characters; a word that is longer is shortened. The lines behind the first are indented. */
export const wrapped = (text: string, width: number, indent: string): string => {
  const lines: Array<string> = []
  let line = ""
  for (const word of text.split(" ")) {
    const room = width - (lines.length === 0 ? 0 : indent.length)
    if (line !== "" && line.length + 1 + word.length > room) {
      lines.push(line)
      line = fitted(word, width - indent.length)
    } else line = line === "" ? fitted(word, room) : `${line} ${word}`
  }
  return [...lines, line].map((it, index) => index === 0 ? it : `${indent}${it}`).join("\n")
}

/**
 * How wide columns are for a row of so many characters in all: the widest give first.
 * @param widths what each would need
 * @param rigid columns that keep what they need
 */
export const columnsWithin = (
  widths: ReadonlyArray<number>,
  total: number,
  rigid: ReadonlySet<number>
): ReadonlyArray<number> => {
  const least = 6
  const result = [...widths]
  let excess = result.reduce((sum, it) => sum + it, 0) - total
  while (excess > 0) {
    const widest = result.reduce((best, it, index) => rigid.has(index) || it <= (result[best] ?? 0) ? best : index, -1)
    const now = result[widest]
    if (now === undefined || now <= least) return result
    result[widest] = now - 1
    excess--
  }
  return result
}
