// Running: which bytes the pods of a workload run, and what a rewrite must therefore name (invariant 2):
// a rewrite never changes the bytes that run. Only the digest of `imageID` counts, never its repository.
import { type Digest, isDigest } from "../image/Digest.ts"
import type { ImageState } from "../image/ImageState.ts"
import type { Pod } from "./Workload.ts"

export type Running =
  | { readonly _tag: "Nothing" }
  | { readonly _tag: "Digests"; readonly digests: ReadonlySet<Digest> }
  /** A container runs whose runtime does not say what. */
  | { readonly _tag: "Unknown"; readonly pod: string }

/** What a container of these pods runs, over all pods that have started it. */
export const runningOf = (container: string, pods: ReadonlyArray<Pod>): Running => {
  const digests = new Set<Digest>()
  for (const pod of pods) {
    if (pod.finished || pod.workload.deleting) continue
    for (const state of pod.containers) {
      if (state.container !== container || !state.started) continue
      if (state.digest === undefined || !isDigest(state.digest)) return { _tag: "Unknown", pod: pod.workload.key }
      digests.add(state.digest)
    }
  }
  return digests.size === 0 ? { _tag: "Nothing" } : { _tag: "Digests", digests }
}

export type Choice =
  /** The copy of the tag holds what runs, or nothing runs. */
  | { readonly _tag: "Tag" }
  /** All pods run this one digest, which the tag no longer names. */
  | { readonly _tag: "Pin"; readonly digest: Digest }
  | { readonly _tag: "Held"; readonly detail: string }

/** What a rewrite of a tag must name, given its copy and what runs. */
export const choose = (running: Running, copy: Extract<ImageState, { _tag: "BackedUp" }>): Choice => {
  if (running._tag === "Nothing") return { _tag: "Tag" }
  if (running._tag === "Unknown") return { _tag: "Held", detail: `${running.pod} does not tell which digest it runs` }
  const moved = [...running.digests].filter((it) =>
    it !== copy.digest && it !== copy.original && !copy.contents.has(it)
  )
  if (moved.length === 0) return { _tag: "Tag" }
  const [only] = running.digests
  if (running.digests.size === 1 && only !== undefined) return { _tag: "Pin", digest: only }
  const named = copy.original ?? copy.digest
  return { _tag: "Held", detail: `its pods run ${[...running.digests].join(" and ")}, the tag names ${named}` }
}
