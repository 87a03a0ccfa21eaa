// NextSteps: what happens next with a workload or an image, and when, as far as the queues, pacing and the marks on it tell. Pure.
import type { HoldReason } from "../workload/Reason.ts"
import { bounded, moment, type Step } from "./Explanation.ts"
import { type Clocks, type KnownImage, type KnownWorkload, told } from "./Known.ts"

const step = (what: string, at?: number): Step => ({ what: bounded(what), at: moment(at) })

/** Of an image: its copy, its next try, its next look. */
export const nextOfImage = ({ outlook, source, state, waiting }: KnownImage, clocks: Clocks): ReadonlyArray<Step> => {
  if (outlook?.busy === true) {
    return [
      step(
        state._tag === "BackedUp" ? `${source} is looked at now` : `${source} is looked at or copied now`
      )
    ]
  }
  if (waiting !== undefined) {
    const line = `one of ${waiting} that wait (MAX_CONCURRENT_RECONCILES are copied at once)`
    return [step(`${source} is looked at and copied when its turn comes: ${line}`)]
  }
  const at = told(clocks, outlook?.nextAt)
  if (state._tag === "BackedUp") {
    return at === undefined
      ? []
      : [step(`its copy is looked at, and its tag compared`, at)]
  }
  // while DRY_RUN is on, or another replica leads, nothing is
  if (state._tag === "Pending") return at === undefined ? [] : [step(`${source} is copied`, at)]
  if (state.silent !== undefined) {
    return [step(`${source} is tried when ${state.silent} answers`, told(clocks, state.retryAt))]
  }
  // what nobody has tried has no next try
  return outlook === undefined ? [] : [step(`${source} is tried again`, at ?? told(clocks, state.retryAt))]
}

const nextOfImages = ({ clocks, image, plan }: KnownWorkload): ReadonlyArray<Step> =>
  plan.images.flatMap((it) => it.hold === undefined ? [] : it.wants.slice(-1))
    .flatMap((it) => image(it) ?? []).flatMap((it) => nextOfImage(it, clocks))

const nextInLine = ({ standing }: KnownWorkload): ReadonlyArray<Step> =>
  standing?.line === undefined
    ? []
    : [step(`it is rewritten when it has a place: number ${standing.line.position} of ${standing.line.of} in line`)]

const nextTry = ({ clocks, pulls, standing }: KnownWorkload): ReadonlyArray<Step> =>
  standing?.restsUntil === undefined
    ? []
    : [step(`one rollout of ${pulls ?? "its pull secrets"} tries again`, told(clocks, standing.restsUntil))]

const nextOfMark = ({ plan: { workload: { held } } }: KnownWorkload): ReadonlyArray<Step> => {
  if (held === undefined) return []
  return held.until === undefined
    ? [step("it stays so until its template names another image, or the mark image-cloner.io/held is taken away")]
    : [step("it is tried again by itself", Date.parse(held.until))]
}

const whatPasses: Partial<Record<HoldReason, (known: KnownWorkload) => ReadonlyArray<Step>>> = {
  "paced": nextInLine,
  "pull-unproven": nextTry,
  "pending": nextOfImages,
  "failed": nextOfImages,
  "tag-moved": nextOfImages,
  "quarantined": nextOfMark,
  "contested": nextOfMark
}

/** The rollout that our patch began, while it has not ended. */
const ofRollout = ({ standing }: KnownWorkload): ReadonlyArray<Step> => {
  switch (standing?.rollout._tag) {
    case "UnderWay":
      return [step("its rollout is under way; without progress it counts as stuck", standing.rollout.until)]
    case "Stuck":
      return [step(`its rollout is stuck: ${standing.rollout.detail}; no further one is begun in its namespace`)]
    default:
      return []
  }
}

/** When its actor looks again, whatever happens. */
const nextLook = ({ clocks, outlook }: KnownWorkload): ReadonlyArray<Step> => {
  if (outlook === undefined) return []
  if (outlook.busy) return [step("it is looked at now")]
  const at = told(clocks, outlook.nextAt)
  return at === undefined
    ? [step("it is looked at as soon as anything about it changes")]
    : [step("it is looked at again", at)]
}

/** Of a workload; what is most certain first. */
export const nextOfWorkload = (known: KnownWorkload): ReadonlyArray<Step> => {
  const { clocks, image, plan: { images }, verdict } = known
  const rollout = ofRollout(known)
  if (verdict._tag === "Rewrite") return [...rollout, step("its template is patched to name the copies")]
  if (verdict._tag === "Done") {
    const looks = images.flatMap((it) => it.wants.slice(0, 1)).flatMap((it) => image(it) ?? [])
      .flatMap((it) => nextOfImage(it, clocks))
    // the soonest speaks for all: their turns are spread over the interval
    return [...rollout, ...looks.toSorted((a, b) => (a.at ?? "~").localeCompare(b.at ?? "~")).slice(0, 1)]
  }
  if (verdict._tag === "Skipped") return rollout
  const passing = whatPasses[verdict.reason]?.(known) ?? []
  return [...rollout, ...(passing.length === 0 ? nextLook(known) : passing)].slice(0, 4)
}
