// SharedSlots: the image slots of objects, of which a Deployment, its ReplicaSets and all its pods have the same, as one object each.
import { remembered } from "../collections/Remembered.ts"
import type { SlotPath } from "./SlotPaths.ts"
import { type ImageSlot, volumePrefix } from "./Workload.ts"

const mostImages = 4096
/** Places of one image that are compared, at most: the first of them makes room. */
const mostPlaces = 8

/** A name that the API server takes: of a pod that is being admitted, it has not looked at it yet. */
const isName = (container: string): boolean => container.length <= volumePrefix.length + 63
const policies: ReadonlySet<string | undefined> = new Set([undefined, "Always", "IfNotPresent", "Never"])

/** By image, each place of it that was seen, as a list of one: most pods have one container. */
const placesOf = remembered(mostImages, (): Array<readonly [ImageSlot]> => [])

/** The slot of these values, alone in a list. */
export const sharedSlot = (
  container: string,
  { namePath, path }: SlotPath,
  image: string,
  pullPolicy: string | undefined
): readonly [ImageSlot] => {
  const places = placesOf(image)
  const same = places.find(([it]) => it.path === path && it.container === container && it.pullPolicy === pullPolicy)
  if (same !== undefined) return same
  const alone = [{ container, path, namePath, image, pullPolicy }] as const
  // whoever may send what is too long for any object could fill the memory with it
  if (!isName(container) || !policies.has(pullPolicy)) return alone
  if (places.length >= mostPlaces) places.shift()
  places.push(alone)
  return alone
}
