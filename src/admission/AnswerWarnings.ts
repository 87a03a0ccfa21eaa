// Warnings of an answer, made such that the API server hands them on whole: it cuts longer ones, drops what is beyond the sum and
// refuses control characters. Source: apiserver pkg/endpoints/filters/warning.go, KEP-1693.

const mostOfOne = 256
const mostOfAll = 4096

// of format, these are the ones that make a terminal show another text than was written
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\u202A-\u202E\u2066-\u2069]+/gu

/** Characters as Go counts them: code points. */
const lengthOf = (text: string): number => [...text].length

const cut = (text: string): string => {
  // more code units than that cannot be needed, and a text may be of any size
  const beginning = text.slice(0, 2 * mostOfOne + 2)
  const characters = [...beginning]
  return characters.length <= mostOfOne ? text : `${characters.slice(0, mostOfOne - 1).join("")}…`
}

const readable = (text: string): string => text.toWellFormed().replaceAll(unprintable, " ").trim()

/**
 * Warnings of at most 256 characters each and 4,096 in all. Of what has no room the last one tells the number. Texts of nothing
 * but space are left out.
 */
export const limitWarnings = (warnings: ReadonlyArray<string>): ReadonlyArray<string> => {
  const all = warnings.map((it) => cut(readable(it))).filter((it) => it !== "")
  const lengths = all.map(lengthOf)
  const total = (count: number) => lengths.slice(0, count).reduce((sum, it) => sum + it, 0)
  if (total(all.length) <= mostOfAll) return all
  const more = (count: number) => `and ${all.length - count} more`
  let count = 0
  let length = 0
  for (const [at, it] of lengths.entries()) {
    length += it
    if (length + more(at + 1).length > mostOfAll) break
    count = at + 1
  }
  return [...all.slice(0, count), more(count)]
}
