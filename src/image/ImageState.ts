// What the inventory knows of a source image, as plan, status and metrics read it. Edge: a type only, no transitions.
import type { Digest } from "./Digest.ts"

/** Why an image is left alone for good, until something about it changes: it is skipped, not failed. */
export type SkipOfImage = "private" | "internal" | "too-large" | "unsupported"

/** The state of one source image. */
export type ImageState =
  | {
    readonly _tag: "Pending"
    /** What it waits for, where that is more than its turn. */
    readonly why?: string
    /** What its copy was last seen to be, where it is copied again because the backup has lost it. */
    readonly last?: Digest
  }
  | {
    readonly _tag: "BackedUp"
    readonly digest: Digest
    /** What its source calls it, where the copy was converted (Docker's schema 1): the same image under another digest. */
    readonly original?: Digest | undefined
    /** Every manifest and config digest below it, itself included: what a running container's imageID may name. */
    readonly contents: ReadonlySet<Digest>
    /** When it was last seen whole in the backup: uptime in milliseconds. */
    readonly verifiedAt: number
    /**
     * What its source's tag has come to name: that is being copied, and then the copy's tag is moved to it. Until then nothing is
     * patched to name the tag.
     */
    readonly moving?: Digest
    /** What its source's tag names, and could not be copied: nothing is patched to name the tag while it does. */
    readonly behind?: Digest
  }
  | {
    readonly _tag: "Failed"
    readonly reason: "failed" | "not-found" | SkipOfImage
    readonly message: string
    /** When it is tried next: uptime in milliseconds. */
    readonly retryAt: number
    /** When it was tried last: uptime in milliseconds. */
    readonly triedAt?: number
    /** It waits for this registry, source or backup, that gives nobody an answer, and is tried when that may be asked. */
    readonly silent?: string | undefined
  }

/** The state of an image that is in the backup. */
export type Copy = Extract<ImageState, { _tag: "BackedUp" }>

/** What an image's state is called by metrics and for people. */
export const imageWords = [
  "pending",
  "backed-up",
  "failed",
  "not-found",
  "private",
  "internal",
  "too-large",
  "unsupported"
] as const

export const imageWordOf = (state: ImageState): (typeof imageWords)[number] =>
  state._tag === "Failed" ? state.reason : state._tag === "BackedUp" ? "backed-up" : "pending"
