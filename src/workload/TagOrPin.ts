// TagOrPin: which version of an image a rewrite names, so that the bytes that run stay what they are (invariant 2): the copy of its tag, or
// the digest that all its pods run where the tag has moved on since they were started. Pure. Edge: what runs is Running's to say.
import type { Digest } from "../image/Digest.ts"
import type { ImageState } from "../image/ImageState.ts"
import type { Running } from "./Running.ts"

export type Choice =
  /** The copy of the tag holds what runs, or nothing runs. */
  | { readonly _tag: "Tag" }
  /** All pods run this one digest, which the tag no longer names. */
  | { readonly _tag: "Pin"; readonly digest: Digest }
  | { readonly _tag: "Held"; readonly reason: "tag-moved" | "digest-unknown"; readonly detail: string }

/** What a rewrite of a tag must name, given its copy and what runs. */
export const tagOrPin = (running: Running, copy: Extract<ImageState, { _tag: "BackedUp" }>): Choice => {
  if (running._tag === "Nothing") return { _tag: "Tag" }
  if (running._tag === "Unknown") {
    return { _tag: "Held", reason: "digest-unknown", detail: `${running.pod} does not tell which digest it runs` }
  }
  const known = [...running.images]
  const moved = known.filter(([it]) => it !== copy.digest && it !== copy.original && !copy.contents.has(it))
  if (moved.length === 0) return { _tag: "Tag" }
  const [only] = known
  if (known.length === 1 && only?.[1] === "manifest") return { _tag: "Pin", digest: only[0] }
  const named = copy.original ?? copy.digest
  // a registry cannot be asked for an image by the digest of its config, so it cannot be copied by it
  const ran = known.map(([digest, of]) => of === "config" ? `the image with the id ${digest}` : digest).join(" and ")
  return { _tag: "Held", reason: "tag-moved", detail: `its pods run ${ran}, the tag names ${named}` }
}
