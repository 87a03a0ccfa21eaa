// Contest: whether somebody undoes our rewrites of one container's image, as a state machine: we wrote the copy of X over X, and
// X stands there again, with no other image between and not by us. Twice in a day is a fight, and once where our revision was not
// well; the rewrite then rests, twice as long after each fight. Another image, a put-back, a rollback and a return from the
// copy of Y to X are none. Pure and total. Edge: what is remembered, and who is told, is the controller's (Contests.ts).
import { Result } from "effect"
import { isSame, parse } from "../image/ImageReference.ts"
import type { HeldMark } from "./HeldMark.ts"
import { isName } from "./Originals.ts"
import { cannotPull, isGivenUp, livePods, wasReached } from "./Rollout.ts"
import type { Pod, Workload } from "./Workload.ts"

const hour = 60 * 60 * 1000
/** Within how long two reverts are a fight, in milliseconds. */
const window = 24 * hour
/** How long the rewrite rests after its first fight and at most, in milliseconds. */
export const firstRest = hour
export const longestRest = 7 * 24 * hour

interface Fought {
  /** What stood there before us, as it was written, and what we wrote over it. */
  readonly original: string
  readonly copy: string
  /** When it was undone, within the last day: milliseconds since the epoch. */
  readonly reverts: ReadonlyArray<number>
  /** How many fights there were so far: with one behind it a rewrite is undone once, and rests again. */
  readonly fights: number
}

export type Contest =
  /** Our copy stands. What is older than `generation` does not show it yet. */
  | Fought & { readonly _tag: "Written"; readonly at: number; readonly generation: number; readonly unwell: boolean }
  /** It was undone, and may be written again; `pardoned` where that was a rollback. */
  | Fought & { readonly _tag: "Reverted"; readonly pardoned: boolean }
  /** It is left alone until then, in milliseconds since the epoch. */
  | Fought & { readonly _tag: "Contested"; readonly until: number; readonly by: string }
  /** We put it back ourselves, to `image` once that was seen. What is older than `generation` does not show that yet. */
  | { readonly _tag: "Ended"; readonly generation: number; readonly image: string | undefined }

/** What is seen of the container's image at one moment. */
export interface Look {
  readonly image: string
  readonly generation: number
  /** What the image replaced, where it is a copy that our own patch wrote. */
  readonly rewrote: string | undefined
  /** Whether pods of the newest revision are not well. */
  readonly unwell: boolean
  /** Who set it, for people. */
  readonly by: string
  /** It is ours to have set it, or a person's who rolls back: that is no revert. `once` in a day where only a tool's name tells it. */
  readonly pardoned: boolean | "once"
  /** How many fights the mark on the object remembers, by the image that was restored. */
  readonly remembered: (original: string) => number
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** Whether `present` is the copy, a digest that was added to it aside. */
export const isStill = (copy: string, present: string): boolean => {
  const [name, there] = [parse(copy), parse(present)]
  return copy === present || (Result.isSuccess(name) && Result.isSuccess(there) && isName(name.success, there.success))
}

/** How long the rewrite rests after so many fights, in milliseconds. */
const restAfter = (fights: number): number => Math.min(firstRest * 2 ** Math.min(fights - 1, 10), longestRest)

const undone = (of: Fought, unwell: boolean, by: string, now: number): Contest => {
  const { copy, original } = of
  const reverts = [...of.reverts.filter((it) => it > now - window), now]
  if (reverts.length < 2 && !unwell && of.fights === 0) {
    return { _tag: "Reverted", original, copy, reverts, fights: 0, pardoned: false }
  }
  const fights = of.fights + 1
  return { _tag: "Contested", original, copy, reverts, fights, until: now + restAfter(fights), by }
}

type Patch = Pick<Look, "generation" | "now" | "remembered"> & { readonly original: string; readonly copy: string }

const written = (before: Contest | undefined, patch: Patch): Extract<Contest, { _tag: "Written" }> => {
  const { copy, generation, now, original, remembered } = patch
  const same = before !== undefined && before._tag !== "Ended" && isSame(before.original, original) ? before : undefined
  return {
    _tag: "Written",
    original,
    copy,
    reverts: same?.reverts ?? [],
    fights: Math.max(same?.fights ?? 0, remembered(original)),
    at: now,
    generation,
    unwell: false
  }
}

/** We wrote `copy` over `original`; `generation` is what the patch made of the object. */
export const wrote = (before: Contest | undefined, patch: Patch): Contest => written(before, patch)

/** We wrote `copy` over `original`, and what the API server answered has another image there. */
export const refused = (before: Contest | undefined, patch: Patch, by: string): Contest =>
  undone(written(before, patch), false, by, patch.now)

/** We put the original back; `generation` is what that made of the object. */
export const putBack = (generation: number): Contest => ({ _tag: "Ended", generation, image: undefined })

/** A copy of ours that stands there and of which nothing is remembered: of before a restart, or its answer was lost. */
const found = (before: Contest | undefined, look: Look): Contest | undefined =>
  look.rewrote === undefined
    ? undefined
    : written(before, { ...look, original: look.rewrote, copy: look.image })

const lookAtCopy = (of: Extract<Contest, { _tag: "Written" }>, look: Look): Contest | undefined => {
  const { generation, image, now, pardoned, unwell } = look
  if (generation < of.generation) return of
  if (isStill(of.copy, image)) {
    // whoever fights does not wait for a week
    return now - of.at > longestRest ? { ...of, reverts: [], fights: 0, unwell } : { ...of, unwell }
  }
  if (!isSame(of.original, image)) return found(undefined, look)
  const again = pardoned === "once" && of.reverts.some((it) => it > now - window)
  if (!pardoned || again) return undone(of, of.unwell, look.by, now)
  const { copy, fights, original } = of
  const reverts = pardoned === "once" ? [...of.reverts, now] : of.reverts
  return { _tag: "Reverted", original, copy, reverts, fights, pardoned: true }
}

/** What we put back is remembered as ours until another image is there. */
const ended = (of: Extract<Contest, { _tag: "Ended" }>, { image }: Look): Contest | undefined =>
  of.image === undefined || of.image === image ? { ...of, image } : undefined

/** Whether it is known how the original came to be there again: in a fight, or by ourselves. That is nobody's rollback. */
export const isExplained = (of: Contest): boolean =>
  of._tag === "Contested" || of._tag === "Ended" || (of._tag === "Reverted" && !of.pardoned)

/** What a look at the image makes of what was known; undefined: nothing is to be remembered. */
export const looked = (before: Contest | undefined, look: Look): Contest | undefined => {
  switch (before?._tag) {
    case undefined:
      return found(undefined, look)
    case "Ended":
      return look.generation < before.generation ? before : found(undefined, look) ?? ended(before, look)
    case "Written":
      return lookAtCopy(before, look)
    case "Reverted":
    case "Contested":
      return isSame(before.original, look.image) ? before : found(before, look)
  }
}

/**
 * How many fights over an image the mark on its object remembers: for a week after the rest that it names.
 * @param now milliseconds since the epoch
 */
export const fightsIn = (mark: HeldMark | undefined, container: string, original: string, now: number): number => {
  if (mark?.reason !== "contested" || !isSame(mark.images[container]?.[0] ?? "", original)) return 0
  return Date.parse(mark.until ?? "") + longestRest > now ? Math.max(0, mark.count) : 0
}

/** Whether pods of our revision are seen to fail: being brought up is no failure. */
export const isUnwell = (workload: Workload, newest: ReadonlySet<Pod>): boolean => {
  const live = livePods([...newest])
  const fails = live.some((pod) =>
    pod.containers.some((it) => cannotPull(it) || (!it.init && it.started && !it.running))
  )
  return fails || isGivenUp(workload) || (wasReached(workload) && live.some((it) => !it.ready))
}
