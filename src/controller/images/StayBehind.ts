// StayBehind: a copy whose tag has moved at its source to what could not be copied. It stays what it is, and its users have it; nothing
// else is patched to name its tag, which would mean another image there. Edge: when that is tried again is CompareTags'.
import { Duration, Effect, Result, SubscriptionRef } from "effect"
import { type CloneError, Cloner } from "../../clone/Cloner.ts"
import type { Digest } from "../../image/Digest.ts"
import type { ImageReference } from "../../image/ImageReference.ts"
import type { Copy } from "../../image/ImageState.ts"
import { SettingsRef } from "../../settings/SettingsRef.ts"
import type { CompareTags } from "./CompareTags.ts"
import { makeBecome } from "./FailedImages.ts"

/** The copy was just seen in the backup; what its tag names at the source, `moving`, could not be copied for this reason. */
export type StayBehind = (source: string, copy: Copy, moving: Digest, failure: CloneError) => Effect.Effect<void>

/** Makes that function, and the one that tells whether a copy that failed leaves one from before. */
export const make = Effect.fnUntraced(function*(comparisons: CompareTags) {
  const cloner = yield* Cloner
  const settings = yield* SettingsRef
  const become = yield* makeBecome

  const stayBehind: StayBehind = Effect.fnUntraced(function*(source, copy, moving, failure) {
    // or whoever is pointed to it would have it looked at anew at once
    yield* become(source, { ...copy, behind: moving })
    const { isKnown, rest } = yield* comparisons.failed(source, moving, failure)
    const text = `its tag has moved to ${moving}, which is not copied: ${failure.message}; the copy's tag stays at `
      + `${copy.digest}, and that is tried again in ${Duration.format(rest)}, or when the tag moves on`
    yield* isKnown ? Effect.logDebug(text) : Effect.logWarning(text)
  })

  /**
   * A tag was to be copied anew for somebody who would be pointed to it, and that failed. The copy from before stays if the backup
   * has it, and the source names another image: what is missing of the same one is missing in the copy.
   * @returns false: there is none to keep
   */
  const keepCopy = Effect.fnUntraced(function*(source: string, reference: ImageReference, failure: CloneError) {
    const last = comparisons.lastOf(source)
    const { TAG_POLICY } = yield* SubscriptionRef.get(settings)
    // where the source could not say what it names, the copy has been looked at, and is not whole
    if (last === undefined || TAG_POLICY === "keep" || failure.unnamed === true) return false
    // nothing was tried
    if (failure.reason === "tag-in-use" || failure.reason === "unwanted") return false
    const seen = yield* Effect.result(cloner.verify(reference, last.digest))
    if (Result.isFailure(seen)) return false
    const moving = (yield* comparisons.ask(source, last)) ?? comparisons.behindOf(source)
    if (moving === undefined) return false
    yield* stayBehind(source, { ...last, verifiedAt: seen.success }, moving, failure)
    return true
  })
  return { stayBehind, keepCopy }
})
