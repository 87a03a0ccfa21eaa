// SourceOrSkip: what one image slot has to be copied from, or why it is left alone.
import { Option, Result } from "effect"
import picomatch from "picomatch"
import { type Backup, isForeignCopy, isUnder, sourceOf } from "../image/BackupName.ts"
import { format, type ImageReference, parse } from "../image/ImageReference.ts"
import type { Settings } from "../settings/Settings.ts"
import { originOf } from "./Originals.ts"
import type { SkipReason } from "./Reason.ts"
import type { ImageSlot } from "./Workload.ts"

export type SlotSource =
  | { readonly _tag: "Source"; readonly reference: ImageReference }
  /** Already the copy: its source stays in use, nothing is rewritten. */
  | { readonly _tag: "Backup"; readonly reference: ImageReference; readonly original: string | undefined }
  | { readonly _tag: "Skip"; readonly reason: SkipReason; readonly detail: string }

const matchers = new WeakMap<Settings, (text: string) => boolean>()

/** Whether IMAGES_TO_IGNORE leaves an image out. `*` stops at `/`, `**` does not. */
const isIgnored = (settings: Settings, reference: ImageReference): boolean => {
  if (settings.IMAGES_TO_IGNORE.length === 0) return false
  let matcher = matchers.get(settings)
  if (matcher === undefined) {
    matcher = picomatch([...settings.IMAGES_TO_IGNORE], { dot: true })
    matchers.set(settings, matcher)
  }
  return matcher(format(reference))
}

const isLocalhost = (settings: Settings, registry: string): boolean => {
  const host = registry.replace(/:\d+$/, "")
  if (host !== "localhost" && !host.endsWith(".localhost")) return false
  return !settings.PLAIN_HTTP_REGISTRIES.includes(registry) && !settings.PRIVATE_REGISTRIES.includes(registry) &&
    !settings.PLAIN_HTTP_REGISTRIES.includes(host) && !settings.PRIVATE_REGISTRIES.includes(host)
}

const skip = (reason: SkipReason, detail: string): SlotSource => ({ _tag: "Skip", reason, detail })

/** An image under the prefix: its verified annotation, else the inverse of a nested name, else unknown. */
const underPrefix = (backup: Backup, present: ImageReference, entry: string | undefined): SlotSource => {
  const origin = originOf(backup, entry, present)
  if (origin._tag === "Verified") return { _tag: "Backup", reference: origin.source, original: origin.original }
  if (origin._tag === "Bumped") return { _tag: "Backup", reference: origin.source, original: undefined }
  const claim = origin._tag === "Forged"
    ? `; its annotation claims ${JSON.stringify(origin.claimed.slice(0, 200))}, which has another copy, and is ignored`
    : ""
  return Option.match(sourceOf(backup, present), {
    onNone: () => skip("under-prefix-unknown", `nothing tells what ${format(present)} was copied from${claim}`),
    onSome: (reference) => ({ _tag: "Backup", reference, original: undefined })
  })
}

/**
 * The source of one slot.
 * @param entry what the originals annotation says of this container, if anything
 */
export const sourceOfSlot = (
  slot: ImageSlot,
  entry: string | undefined,
  backup: Backup,
  settings: Settings
): SlotSource => {
  if (slot.image === "") return skip("empty", "it has no image yet")
  if (slot.image === "auto") return skip("placeholder", "an injector replaces \"auto\"")
  if (slot.pullPolicy === "Never") return skip("pull-policy-never", "imagePullPolicy is Never")
  const parsed = parse(slot.image)
  if (Result.isFailure(parsed)) return skip("unparsable", parsed.failure.message)
  const reference = parsed.success
  if (isUnder(backup, reference)) return underPrefix(backup, reference, entry)
  const recorded = entry === undefined ? undefined : Result.getOrUndefined(parse(entry))
  if (isForeignCopy(backup, reference, recorded)) {
    return skip("foreign-copy", `${format(reference)} is a copy in another backup, or in this one by another host name`)
  }
  if (isLocalhost(settings, reference.registry)) return skip("localhost", `${reference.registry} is the node itself`)
  if (isIgnored(settings, reference)) return skip("image-ignored", `${format(reference)} matches IMAGES_TO_IGNORE`)
  return { _tag: "Source", reference }
}

/**
 * What an entry of the annotation is that does not say what the image is a copy of: `Bumped` where somebody set another tag on the
 * copy, `Forged` where the image's name contradicts it; undefined where there is nothing to say.
 */
export const strayEntry = (
  slot: ImageSlot,
  entry: string | undefined,
  backup: Backup
): "Bumped" | "Forged" | undefined => {
  if (entry === undefined) return undefined
  const present = parse(slot.image)
  if (Result.isFailure(present) || !isUnder(backup, present.success)) return undefined
  const { _tag } = originOf(backup, entry, present.success)
  return _tag === "Bumped" || _tag === "Forged" ? _tag : undefined
}
