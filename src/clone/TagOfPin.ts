// TagOfPin: whether an image that is named by a tag and a digest together sets that tag in the backup. Edge: what the tag is set by is
// Tag's; an image that is named by its digest alone sets none.
import { Effect, Option } from "effect"
import { isProtectionTag } from "../image/BackupName.ts"
import type { Digest } from "../image/Digest.ts"
import type { ManifestHead } from "../registry/api/Manifests.ts"
import type { CloneError } from "./CloneError.ts"

/**
 * The tag, where the source's tag means this digest today; a source that cannot say means "no".
 * @param sourceTag what a tag means at the source
 */
export const tagOfPin = (
  tag: string,
  digest: Digest,
  sourceTag: (tag: string) => Effect.Effect<ManifestHead, CloneError>
): Effect.Effect<string | undefined> =>
  // one that reads like the backup's own would be taken for it
  isProtectionTag(tag)
    ? Effect.undefined
    : Effect.map(
      Effect.option(sourceTag(tag)),
      (head) => Option.getOrUndefined(head)?.digest === digest ? tag : undefined
    )
