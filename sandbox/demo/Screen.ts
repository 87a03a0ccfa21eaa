// Screen: what the demo says, short enough for 80 columns: registries by the part they play, long lines folded at words.
// A word that is longer than a line stays whole, so that nobody copies half a digest.
import { Console } from "effect"

const columns = 80

export interface Registries {
  /** Host and port of the public registry. */
  readonly source: string
  /** Where copies are: host, port and prefix of the backup. */
  readonly backup: string
}

/** Puts PUBLIC and BACKUP in the place of addresses, and the first digits in the place of digests. */
export const short = ({ backup, source }: Registries) => (text: string): string =>
  text
    .replaceAll(`${backup}/${source.replace(":", "_")}`, "BACKUP")
    .replaceAll(source, "PUBLIC")
    .replaceAll(/@sha256:([0-9a-f]{8})[0-9a-f]{56}/g, "@$1…")
    .replaceAll(/(sha256:[0-9a-f]{8})[0-9a-f]{56}/g, "$1…")

/** One line as lines of at most `width` characters; those after the first are indented two deeper than it. */
export const fold = (line: string, width = columns): string => {
  if (line.length <= width) return line
  const indent = /^ */.exec(line)?.[0] ?? ""
  const lines: Array<string> = []
  let current = indent
  for (const word of line.trim().split(" ")) {
    const isFirst = current.trim() === ""
    if (!isFirst && current.length + 1 + word.length > width) {
      lines.push(current)
      current = `${indent}  ${word}`
    } else current = isFirst ? `${current}${word}` : `${current} ${word}`
  }
  return [...lines, current].join("\n")
}

/** Prints text of the program or of the demo so that it fits. Tables are printed as they are: they are made to fit. */
export const say = (registries: Registries, text: string) =>
  Console.log(short(registries)(text).split("\n").map((it) => fold(it)).join("\n"))

export const headline = (text: string) => Console.log(`\n${fold(`== ${text}`)}`)
