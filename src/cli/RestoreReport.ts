// RestoreReport: what a restore did and left, as people and scripts read it: a line an event as it happens, then tables of what
// is left, with why, and of what no patch can help.
import type { Effect } from "effect"
import type { Event, Restored, undoMarks } from "../controller/restore/RestoreAll.ts"
import type { Change, Outcome } from "../controller/restore/AwaitReturn.ts"
import { table } from "./Table.ts"

export type Undone = Effect.Success<ReturnType<typeof undoMarks>>

const describe = (changes: ReadonlyArray<Change>): string =>
  changes.length === 0
    ? "its pods are still being replaced"
    : changes.map(({ container, from, to }) => `${container} ${from} → ${to}`).join(", ")

const ofOutcome = (outcome: Outcome): string => {
  const { key } = outcome
  switch (outcome._tag) {
    case "Nothing":
      return `${key} has nothing to restore any more`
    case "Planned":
      return `${key} would be restored: ${describe(outcome.changes)}`
    case "Restored":
      return `${key} is restored`
    case "Left":
      return `${key} is left, ${outcome.reason}: ${outcome.detail}`
  }
}

/** What has just become so, on one line; undefined where nobody needs to know. */
export const lineOf = (event: Event): string | undefined => {
  switch (event._tag) {
    case "Begun":
      return undefined
    case "Patched":
      return `${event.key} put back: ${describe(event.changes)}`
    case "Ended":
      return ofOutcome(event.outcome)
  }
}

/** How far a restore came: for whoever stops it in the middle. */
export class Tally {
  #count = 0
  #restored = 0
  readonly #waiting = new Set<string>()

  note(event: Event): void {
    if (event._tag === "Begun") this.#count = event.count
    else if (event._tag === "Patched") this.#waiting.add(event.key)
    else {
      this.#waiting.delete(event.outcome.key)
      if (event.outcome._tag === "Restored") this.#restored++
    }
  }

  get text(): string {
    const waiting = this.#waiting.size === 0
      ? ""
      : `; put back and not yet rolled out: ${[...this.#waiting].toSorted().join(", ")}`
    return `Stopped: ${this.#restored} of ${this.#count} restored${waiting}. Run it again to go on.`
  }
}

const rows = (of: Restored["left"]) => of.map(({ detail, key, reason }) => [key, reason, detail])

const count = (of: Restored, tag: Outcome["_tag"]): number => of.outcomes.filter((it) => it._tag === tag).length

const totals = (of: Restored, dry: boolean): string => {
  if (dry) return `${count(of, "Planned")} would be restored, ${of.left.length} left; nothing was changed`
  const proof = "; no template refers to the backup any more, nor a pod that its controller replaces"
  return `${count(of, "Restored")} restored, ${of.left.length} left${of.left.length === 0 ? proof : ""}`
}

/** What is left at the end, in tables, and one line of totals. */
export const asText = (of: Restored, dry: boolean): string =>
  [
    of.left.length === 0 ? "" : table(["LEFT", "REASON", "WHY"], rows(of.left)),
    of.rest.length === 0 ? "" : table(["STILL USES THE BACKUP", "REASON", "UNTIL"], rows(of.rest)),
    totals(of, dry)
  ].filter((it) => it !== "").join("\n\n")

/** The same for scripts. */
export const asJson = (of: Restored, dry: boolean): string =>
  JSON.stringify(
    {
      dryRun: dry,
      workloads: of.outcomes.map((it) => ({
        workload: it.key,
        result: it._tag.toLowerCase(),
        images: "changes" in it ? it.changes : []
      })),
      left: of.left.map(({ detail, key, reason }) => ({ workload: key, reason, detail })),
      rest: of.rest.map(({ detail, key, reason }) => ({ object: key, reason, detail })),
      summary: {
        restored: count(of, "Restored"),
        planned: count(of, "Planned"),
        left: of.left.length,
        rest: of.rest.length
      }
    },
    null,
    2
  )

/** What became of our own marks. */
export const undoneAsText = (of: Undone, dry: boolean): string =>
  of.length === 0
    ? "there are no marks of ours"
    : of.map(({ key, marks, problem }) =>
      problem === undefined
        ? `${key} ${dry ? "would lose" : "has lost"} ${marks.join(", ")}`
        : `${key} is as it was: ${problem}`
    ).join("\n")

/** The same for scripts. */
export const undoneAsJson = (of: Undone, dry: boolean): string =>
  JSON.stringify(
    {
      dryRun: dry,
      workloads: of.map(({ key, marks, problem }) => ({ workload: key, marks, problem: problem ?? null }))
    },
    null,
    2
  )
