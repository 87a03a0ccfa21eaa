// SharedSlots: the image slots of objects, of which a Deployment, its ReplicaSets and all its pods have the same, as one object each.
import { remembered } from "../collections/Remembered.ts"
import type { SlotPath } from "./SlotPaths.ts"
import type { ImageSlot } from "./Workload.ts"

const mostImages = 4096
/** Places of one image that are compared, at most: only hostile objects have more, and theirs are made anew. */
const mostPlaces = 16

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
  if (places.length < mostPlaces) places.push(alone)
  return alone
}
