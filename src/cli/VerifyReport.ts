// VerifyReport: what a verification found, as people and scripts read it: a line an image with what is wrong below it, and
// one line of totals.
import type { Problem, Status, Verified } from "../clone/verify/Verify.ts"
import { format } from "../image/ImageReference.ts"
import { shownBytes } from "../image/ShownBytes.ts"

/** What was looked at, and how long that took. */
export interface Effort {
  /** Each once a repository. */
  readonly blobs: number
  readonly bytes: number
  readonly bytesRead: number
  readonly seconds: number
}

const words: Readonly<Record<Status, string>> = {
  whole: "whole",
  damaged: "damaged",
  "source-only": "only at the source",
  missing: "missing",
  unknown: "not known"
}

/** An image of many platforms can have hundreds of parts, all missing for one reason. */
const mostShown = 10

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

const nameOf = ({ backup, source }: Verified["target"]): string => format(source ?? backup)

const problemLine = ({ detail, fault, name, part }: Problem): string => `  ${part} ${name} ${fault}: ${detail}`

/** One image, with what is wrong with it on further lines. */
export const linesOf = (it: Verified): string => {
  const { backup } = it.target
  const repaired = it.repair !== undefined && it.status === "whole"
  const head =
    `${nameOf(it.target)} ${words[it.status]}${repaired ? ` (repaired, was ${words[it.repair.before]})` : ""} `
    + `${format(it.digest === undefined ? backup : { ...backup, digest: it.digest })} `
    + `manifests=${it.manifests} blobs=${it.blobs} bytes=${shownBytes(it.bytes).replace(" ", "")}`
    + (it.detail === "" ? "" : `: ${it.detail}`)
  const more = it.problems.length - mostShown
  return [
    head,
    ...it.problems.slice(0, mostShown).map(problemLine),
    ...(more > 0 ? [`  and ${more} more`] : []),
    ...(it.repair?.failure === undefined ? [] : [`  could not be repaired: ${it.repair.failure}`])
  ].join("\n")
}

const statuses: ReadonlyArray<Status> = ["whole", "damaged", "source-only", "missing", "unknown"]

const countOf = (all: ReadonlyArray<Verified>, status: Status): number =>
  all.filter((it) => it.status === status).length

const sumOf = (all: ReadonlyArray<Verified>): number => all.reduce((sum, it) => sum + it.manifests, 0)

const repairedOf = (all: ReadonlyArray<Verified>): number =>
  all.filter((it) => it.repair !== undefined && it.status === "whole").length

/** How many are not whole, whatever they are. */
export const notWhole = (all: ReadonlyArray<Verified>): number => all.length - countOf(all, "whole")

/** The line at the end. */
export const totalLine = (all: ReadonlyArray<Verified>, effort: Effort): string => {
  const by = statuses.flatMap((it) => countOf(all, it) === 0 ? [] : [`${countOf(all, it)} ${words[it]}`])
  const repaired = repairedOf(all)
  const amount = effort.bytesRead > 0
    ? `${shownBytes(effort.bytesRead)} read and hashed`
    : `${shownBytes(effort.bytes)} by their sizes`
  return `${counted(all.length, "image")}${by.length === 0 ? "" : ` (${by.join(", ")})`}`
    + `${repaired === 0 ? "" : `, ${repaired} of them repaired`}; `
    + `${counted(sumOf(all), "manifest")} and ${counted(effort.blobs, "blob")} looked at, ${amount}, `
    + `in ${effort.seconds.toFixed(1)} s`
}

/** The same for scripts. */
export const asJson = (all: ReadonlyArray<Verified>, effort: Effort): string =>
  JSON.stringify(
    {
      images: all.map(({ target, status, detail, digest, manifests, blobs, bytes: size, problems, repair }) => ({
        source: target.source === undefined ? null : format(target.source),
        backup: format(target.backup),
        status,
        detail,
        digest: digest ?? null,
        manifests,
        blobs,
        bytes: size,
        problems,
        repair: repair === undefined ? null : { before: repair.before, failure: repair.failure ?? null }
      })),
      summary: {
        images: all.length,
        ...Object.fromEntries(statuses.map((it) => [it, countOf(all, it)])),
        repaired: repairedOf(all),
        manifests: sumOf(all),
        ...effort
      }
    },
    null,
    2
  )
