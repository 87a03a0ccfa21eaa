// PlanImages: the part of the plan that concerns one image: its source, its state, and what it is rewritten to.
import { backupOf, convertedBackupOf } from "../image/BackupName.ts"
import { sharedTexts } from "../collections/Remembered.ts"
import { format, type ImageReference } from "../image/ImageReference.ts"
import type { ImageState } from "../image/ImageState.ts"
import { readOriginals } from "./Originals.ts"
import { admissible, freshness } from "./Freshness.ts"
import type { Facts } from "./Facts.ts"
import type { HoldReason, SkipReason } from "./Reason.ts"
import { runningOf } from "./Running.ts"
import { sourceOfSlot, strayEntry } from "./SourceOrSkip.ts"
import { tagOrPin } from "./TagOrPin.ts"
import type { ImageSlot, Workload } from "./Workload.ts"

export interface PlannedImage {
  readonly slot: ImageSlot
  /** What is, or would be, cloned for it. */
  readonly wants: ReadonlyArray<string>
  /** Which of these it is rewritten to a copy of; undefined where that cannot be said. */
  readonly source: string | undefined
  /** Whether the copy was seen too long ago to be used without another look (invariant 1). */
  readonly stale: boolean
  readonly skip: SkipReason | undefined
  readonly hold: Extract<HoldReason, "pending" | "failed" | "tag-moved" | "digest-unknown"> | undefined
  readonly detail: string
  /** The image's name in the backup; undefined while that cannot be said. */
  readonly to: string | undefined
  /** What its entry of the originals annotation is, where it does not count. */
  readonly stray: ReturnType<typeof strayEntry>
}

const skipReasonsOfState: ReadonlySet<string> = new Set<SkipReason>([
  "private",
  "internal",
  "too-large",
  "unsupported"
])

const waysOn = "it is tried again by itself, and IMAGES_TO_IGNORE lets the others of the workload go on without it"

const failedOf = (state: Extract<ImageState, { _tag: "Failed" }>, source: string) =>
  skipReasonsOfState.has(state.reason)
    ? { skip: state.reason as SkipReason, hold: undefined, detail: state.message } // in the set just asked
    : { skip: undefined, hold: "failed" as const, detail: `${source}: ${state.message}; ${waysOn}` }

interface Context extends Facts {
  /** How long after a copy was seen whole it may be pointed to, in milliseconds. */
  readonly freshFor: number
}

type Outcome = Pick<PlannedImage, "wants" | "source" | "stale" | "skip" | "hold" | "detail" | "to">

/** Thousands of workloads have the same image, and their plans are kept. */
const texts = sharedTexts(4096)

const outcome = (part: Partial<Outcome> & Pick<Outcome, "wants">): Outcome => ({
  source: undefined,
  stale: false,
  skip: undefined,
  hold: undefined,
  ...part,
  detail: texts(part.detail ?? ""),
  to: part.to && texts(part.to)
})

/** What is cloned for an image, and what of that it is rewritten to a copy of. */
interface Wanted {
  readonly wants: ReadonlyArray<string>
  readonly source: string
}

/** What is known of one image once its state is `BackedUp`. */
const rewriteTo = (
  of: Wanted,
  reference: ImageReference,
  state: Extract<ImageState, { _tag: "BackedUp" }>,
  facts: Context
): Outcome => {
  const { source } = of
  const converted = state.original !== undefined
  const name = converted ? convertedBackupOf(facts.backup, reference) : backupOf(facts.backup, reference)
  // what an image will be converted to is not known before it is copied: `plan --check` has seen the original only
  const pins = facts.settings.PIN_DIGESTS && name.digest === undefined && state.digest !== state.original
  const to = format(pins ? { ...name, digest: state.digest } : name)
  if (state.moving !== undefined && facts.freshFor < admissible) {
    return outcome({ ...of, to, hold: "pending", detail: `the tag of ${source} has moved, and its copy follows` })
  }
  if (state.behind !== undefined && facts.settings.TAG_POLICY === "follow" && facts.freshFor < admissible) {
    const detail = `the tag of ${source} names ${state.behind} at its source, which could not be copied`
    return outcome({ ...of, to, hold: "pending", detail })
  }
  return facts.uptime - state.verifiedAt > facts.freshFor
    ? outcome({ ...of, to, stale: true, hold: "pending", detail: `the copy of ${source} is looked at again` })
    : outcome({ ...of, to, detail: `${source} is backed up` })
}

/** Not known, and taken as copied: for plans that ask no registry. */
const assumed = (of: Wanted, reference: ImageReference, facts: Facts): Outcome =>
  outcome({ ...of, to: format(backupOf(facts.backup, reference)), detail: `${of.source} would be copied` })

const pinOf = (reference: ImageReference, digest: NonNullable<ImageReference["digest"]>): ImageReference => ({
  ...reference,
  tag: reference.tag ?? "latest",
  digest
})

/** The digest that all pods run, if it is known already: not forgotten while its tag is looked at anew. */
const knownPin = (slot: ImageSlot, reference: ImageReference, facts: Facts): ReadonlyArray<string> => {
  if (reference.digest !== undefined) return []
  const running = runningOf(slot.container, reference, facts)
  return (running._tag === "Images" ? [...running.images.keys()] : [])
    .map((digest) => format(pinOf(reference, digest))).filter((pin) => facts.state(pin) !== undefined)
}

/** The digest that all pods run, when the tag has moved on: copied by digest, and the workload pinned to it. */
const pinned = (
  tag: string,
  reference: ImageReference,
  digest: NonNullable<ImageReference["digest"]>,
  facts: Context
): Outcome => {
  const pin = pinOf(reference, digest)
  const source = format(pin)
  const wants = [tag, source]
  const state = facts.state(source)
  if (facts.assumeCopied && (state === undefined || state._tag === "Pending")) {
    return assumed({ wants, source }, pin, facts)
  }
  if (state?._tag === "BackedUp") return rewriteTo({ wants, source }, pin, state, facts)
  if (state?._tag === "Failed") {
    return outcome({
      wants,
      hold: "tag-moved",
      detail: `its pods run ${source}, which cannot be copied: ${state.message}`
    })
  }
  return outcome({ wants, hold: "pending", detail: `its pods run ${source}, which is not in the backup yet` })
}

const fromSource = (slot: ImageSlot, reference: ImageReference, facts: Context): Outcome => {
  const source = format(reference)
  const wants = [source]
  const state = facts.state(source)
  const of: Wanted = { wants, source }
  if (facts.assumeCopied && (state === undefined || state._tag === "Pending")) return assumed(of, reference, facts)
  if (state === undefined || state._tag === "Pending") {
    const kept = [...wants, ...knownPin(slot, reference, facts)]
    const why = state?.why === undefined ? "" : `: ${state.why}`
    return outcome({ wants: kept, hold: "pending", detail: `${source} is not in the backup yet${why}` })
  }
  if (state._tag === "Failed") {
    return outcome({ wants: [...wants, ...knownPin(slot, reference, facts)], ...failedOf(state, source) })
  }
  if (reference.digest !== undefined) return rewriteTo(of, reference, state, facts)
  const choice = tagOrPin(runningOf(slot.container, reference, facts), state)
  if (choice._tag === "Held") return outcome({ wants, hold: choice.reason, detail: `${source}: ${choice.detail}` })
  return choice._tag === "Tag"
    ? rewriteTo(of, reference, state, facts)
    : pinned(source, reference, choice.digest, facts)
}

const outcomeOf = (slot: ImageSlot, entry: string | undefined, facts: Context): Outcome => {
  const source = sourceOfSlot(slot, entry, facts.backup, facts.settings)
  if (source._tag === "Skip") return outcome({ wants: [], skip: source.reason, detail: source.detail })
  if (source._tag === "Source") return fromSource(slot, source.reference, facts)
  const from = format(source.reference)
  const detail = `it is the copy of ${from}`
  return outcome({ wants: [from], source: from, skip: "already-backup", detail, to: slot.image })
}

const planImage = (slot: ImageSlot, entry: string | undefined, facts: Context): PlannedImage => {
  const { detail, hold, skip, source, stale, to, wants } = outcomeOf(slot, entry, facts)
  // each named, and not spread: it is kept, and an object that is spread into another grows outside of itself
  return { slot, wants, source, stale, skip, hold, detail, to, stray: strayEntry(slot, entry, facts.backup) }
}

/**
 * Plans every image of a workload.
 * @param freshFor how long after its copy was seen whole a workload may be pointed to it, in milliseconds
 */
export const planImages = (
  workload: Workload,
  facts: Facts,
  freshFor: number = freshness
): ReadonlyArray<PlannedImage> => {
  const originals = readOriginals(workload.originals)
  const context = { ...facts, freshFor }
  return workload.images.map((slot) => planImage(slot, originals.get(slot.container), context))
}

/** One image to be changed, and what it becomes. */
export interface Replacement {
  readonly slot: ImageSlot
  readonly to: string
}

/** What a rewrite changes. */
export const replacementsOf = (images: ReadonlyArray<PlannedImage>): ReadonlyArray<Replacement> =>
  images.flatMap((it) =>
    it.skip === undefined && it.hold === undefined && it.to !== undefined ? [{ slot: it.slot, to: it.to }] : []
  )

/** The sources of which a rewrite names the tag, and not a digest: what they name now is asked before. */
export const tagsNamed = (images: ReadonlyArray<PlannedImage>): ReadonlyArray<string> => [
  ...new Set(
    images.flatMap((it) => it.skip === undefined && it.to !== undefined ? it.source ?? [] : [])
      .filter((it) => !it.includes("@"))
  )
]

/** The same for people, on one line. */
export const describeReplacements = (replacements: ReadonlyArray<Replacement>): string =>
  replacements.map(({ slot, to }) => `${slot.container} ${slot.image} → ${to}`).join(", ")
