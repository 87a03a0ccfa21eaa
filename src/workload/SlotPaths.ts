// SlotPaths: where in an object a container or volume names its image, and itself, as JSON pointers. There are few of them and many
// objects, so each is one text.

const lists = ["initContainers", "containers", "ephemeralContainers", "volumes"] as const

export type SlotList = (typeof lists)[number]

export interface SlotPath {
  readonly path: string
  readonly namePath: string
}

/** So many of a list are kept; only a hostile object has more, and its are made anew each time. */
const kept = 64

const make = (at: string, list: SlotList, index: number): SlotPath => {
  const item = `${at}/${list}/${index}`
  return { path: list === "volumes" ? `${item}/image/reference` : `${item}/image`, namePath: `${item}/name` }
}

const known = new Map<string, ReadonlyArray<SlotPath>>()

/** @param at JSON pointer of the pod spec, one of a few (Kinds.ts) */
export const slotPath = (at: string, list: SlotList, index: number): SlotPath => {
  if (index >= kept) return make(at, list, index)
  const key = `${at}/${list}`
  const paths = known.get(key) ?? Array.from({ length: kept }, (_, it) => make(at, list, it))
  known.set(key, paths)
  return paths[index] ?? make(at, list, index)
}
