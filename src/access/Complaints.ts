// Complaints: what is wrong with many namespaces is said in one line, and once. Edge: what is mended and breaks again the same way is
// not said again; names that tenants choose come from the API server, which bounds and checks them.
import { Effect } from "effect"
import { makeNovelty } from "../http/Warnings.ts"

/** How many are remembered as said. */
const mostSaid = 2000
/** How many objects a line names. */
const mostNamed = 5

export interface Complaint {
  /** The object: a namespace, `ServiceAccount shop/default`; empty where the text has it. */
  readonly about: string
  readonly text: string
}

/** Makes the function that says what has not been said yet. */
export const makeComplaints = () => {
  const isNew = makeNovelty(mostSaid, "known")
  return {
    say: Effect.fnUntraced(function*(complaints: ReadonlyArray<Complaint>) {
      const fresh = new Map<string, Array<string>>()
      for (const { about, text } of complaints) {
        if (!isNew(`${about} ${text}`)) continue
        fresh.set(text, [...(fresh.get(text) ?? []), about])
      }
      for (const [text, all] of fresh) {
        const names = all.filter((it) => it !== "")
        const more = names.length > mostNamed ? ` and ${names.length - mostNamed} more` : ""
        const where = names.slice(0, mostNamed).join(", ")
        yield* Effect.logWarning(where === "" ? text : `${where}${more}: ${text}`)
      }
    })
  }
}
