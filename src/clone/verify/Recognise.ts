// Recognise: whether the backup holds an image whole, by a look at the backup alone: for replicas that do not copy, so that they know
// what the one that does has copied. Edge: nothing is changed, and where the backup has no such name the source is not asked.
import { Effect, Option } from "effect"
import { type Backup, backupOf } from "../../image/BackupName.ts"
import type { Digest } from "../../image/Digest.ts"
import type { ImageReference } from "../../image/ImageReference.ts"
import { uptime } from "../../telemetry/Uptime.ts"
import { Progress } from "../Progress.ts"
import { verifyImage } from "./VerifyImage.ts"
import type { VerifyContext } from "./VerifyTree.ts"

export interface Recognised {
  readonly digest: Digest
  /** What its source calls it, where it was converted from Docker's schema 1. */
  readonly original?: Digest
  /** Every manifest and config digest below it, itself included. */
  readonly contents: ReadonlySet<Digest>
  /** Uptime in milliseconds. */
  readonly verifiedAt: number
}

/** What the backup holds of an image; undefined where that is not all of it, or nobody can tell. */
export const recognise = Effect.fnUntraced(function*(
  context: VerifyContext,
  backup: Backup,
  source: ImageReference
): Effect.fn.Return<Recognised | undefined> {
  const name = backupOf(backup, source)
  const head = yield* Effect.option(context.registry.headManifest(name, name.digest ?? name.tag ?? "latest", true))
  // an image of a digest may have been converted: then its own is the name of a tag
  if (Option.isNone(Option.flatten(head)) && name.digest === undefined) return undefined
  const { contents, digest, status } = yield* verifyImage(context, { source, backup: name }, new Progress(source, name))
  if (status !== "whole" || digest === undefined) return undefined
  const converted = source.digest !== undefined && source.digest !== digest
  return { digest, contents, verifiedAt: yield* uptime, ...(converted ? { original: source.digest } : {}) }
})
