// ExplainReport: an explanation as people read it, on one screen: what was decided and why, its containers, what happens next, who
// holds it up, what to do. What others named is escaped and shortened; commands are not, since they are copied from here.
import { Schema } from "effect"
import {
  Answer,
  type Command,
  type ContainerExplained,
  type ImageExplained,
  type Step,
  type Unknown,
  type WorkloadExplained
} from "../web/Explanation.ts"
import { fitted, shortDigests, wrapped } from "./Fit.ts"
import { shownText } from "./ShownText.ts"
import { shownSpan, shownTime } from "./ShownTime.ts"

export interface Shown {
  /** Characters a line. */
  readonly width: number
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** How much of each is shown: together they fit a screen of 24 lines. */
const most = { containers: 4, lines: 3, names: 4, steps: 3, commands: 3 }

const labelled = 11

/** Text beside a label, over as many lines as it takes, but no more than allowed. */
const entry = (label: string, text: string, { width }: Shown, lines = most.lines): ReadonlyArray<string> => {
  if (text === "") return []
  const all = wrapped(shortDigests(shownText(text)), width - labelled, "").split("\n")
  const cut = all.length <= lines
    ? all
    : [...all.slice(0, lines - 1), `${fitted(all[lines - 1] ?? "", width - labelled - 2)} …`]
  return cut.map((it, index) => `${(index === 0 ? label : "").padEnd(labelled)}${it}`)
}

const more = (count: number, all: number): string => all > count ? `, and ${all - count} more (-o json has all)` : ""

const stepText = ({ at, what }: Step, now: number): string => at === null ? what : `${what}: ${shownTime(at, now)}`

const nextLines = (next: ReadonlyArray<Step>, shown: Shown): ReadonlyArray<string> =>
  next.slice(0, most.steps).flatMap((it, index) => entry(index === 0 ? "next" : "", stepText(it, shown.now), shown, 2))

const commandLines = (commands: ReadonlyArray<Command>, shown: Shown): ReadonlyArray<string> =>
  commands.slice(0, most.commands).flatMap(({ command, does }) => [
    ...entry("to", `${does}:`, shown, 1),
    // whole, however long: it is copied
    `  ${shownText(command)}`
  ])

/** @param said above already: what one container waits for is mostly what the workload does */
const stateText = ({ copy, detail, reason, state, wholeAt }: ContainerExplained, now: number, said: string): string => {
  const why = detail === "" || detail === said ? "" : `: ${detail}`
  const whole = wholeAt === null ? "" : `, whole ${shownSpan(now - Date.parse(wholeAt))} ago`
  switch (state) {
    case "copy":
      return `is the copy${whole}`
    case "ready":
      return copy === null ? "is in the backup" : `→ ${copy}${whole}`
    case "waits":
      return `waits, ${reason ?? ""}${why}`
    case "left":
      return reason === null ? "is left alone" : `is left alone, ${reason}${why}`
  }
}

const containerLines = (of: WorkloadExplained, shown: Shown): ReadonlyArray<string> => {
  const { containers } = of
  const room = containers.length <= 2 ? 2 : 1
  const lines = containers.slice(0, most.containers).flatMap((it) => {
    const image = it.image === "" ? "no image" : it.image
    return [
      fitted(shortDigests(shownText(`  ${it.container}  ${image}`)), shown.width),
      ...entry("", stateText(it, shown.now, of.detail), shown, room)
    ]
  })
  const rest = containers.length - most.containers
  return rest > 0 ? [...lines, `  and ${rest} more containers (-o json has all)`] : lines
}

const byWhom = (by: "controller" | "command"): string =>
  by === "controller" ? "" : "  (the controller was not asked: what it waits for and since when is not known)"

const workloadText = (of: WorkloadExplained, shown: Shown): string => {
  const { advice, by, commands, decision, detail, heldUpBy, meaning, next, reason, since, workload } = of
  const decided = reason === null ? decision : `${decision}, ${reason}`
  const held = heldUpBy.slice(0, most.names).join(", ") + more(most.names, heldUpBy.length)
  return [
    fitted(shownText(`${workload}: ${decided}`), shown.width),
    ...(by === "controller" ? [] : [wrapped(byWhom(by), shown.width, "  ")]),
    ...entry("why", meaning, shown, 2),
    ...entry("", detail === meaning ? "" : detail, shown),
    ...(since === null ? [] : entry("since", shownTime(since, shown.now), shown, 1)),
    ...containerLines(of, shown),
    ...nextLines(next, shown),
    ...entry("held by", held, shown, 2),
    ...entry("advice", advice ?? "", shown, 2),
    ...commandLines(commands, shown)
  ].join("\n")
}

const imageText = (of: ImageExplained, shown: Shown): string => {
  const { by, commands, copy, detail, digest, next, source, state, triedAt, users, wholeAt } = of
  const names = users.some.slice(0, most.names).join(", ") + more(most.names, users.count)
  return [
    fitted(shortDigests(shownText(`${source}: ${state}`)), shown.width),
    ...(by === "controller" ? [] : [wrapped(byWhom(by), shown.width, "  ")]),
    ...entry("why", detail, shown),
    ...entry("copy", copy, shown, 2),
    ...entry("digest", digest ?? "", shown, 1),
    ...(wholeAt === null ? [] : entry("seen whole", shownTime(wholeAt, shown.now), shown, 1)),
    ...(triedAt === null ? [] : entry("last try", shownTime(triedAt, shown.now), shown, 1)),
    ...nextLines(next, shown),
    ...entry("used by", users.count === 0 ? "nobody" : names, shown),
    ...commandLines(commands, shown)
  ].join("\n")
}

const unknownText = ({ candidates, message }: Unknown, shown: Shown): string =>
  [
    wrapped(shortDigests(shownText(message)), shown.width, "  "),
    ...candidates.map((it) => fitted(`  ${shownText(it)}`, shown.width))
  ].join("\n")

/** For people; no line at its end. */
export const asText = (of: Answer, shown: Shown): string => {
  switch (of._tag) {
    case "Workload":
      return workloadText(of, shown)
    case "Image":
      return imageText(of, shown)
    case "Unknown":
      return unknownText(of, shown)
  }
}

const encode = Schema.encodeSync(Answer)

/** For scripts: as the daemon says it, and fit for a terminal all the same. */
export const asJson = (of: Answer): string => JSON.stringify(encode(of), null, 2).split("\n").map(shownText).join("\n")
