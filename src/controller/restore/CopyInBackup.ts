// CopyInBackup: what the backup itself says of a copy, for a command that has no inventory: a HEAD of its name, and where pods
// name another digest, its manifests, one of which it may be.
import { Duration, Effect, Option } from "effect"
import { inspect } from "../../clone/Inspect.ts"
import { SourceTags } from "../../clone/SourceTags.ts"
import { keptBy } from "../../image/BackupName.ts"
import type { Digest } from "../../image/Digest.ts"
import { format } from "../../image/ImageReference.ts"
import { RegistryClient } from "../../registry/RegistryClient.ts"
import type { CopyOf } from "../workloads/PutBackTargets.ts"

/** How long the backup may take to say what a copy holds. */
const patience = Duration.seconds(10)

/** Makes the function that asks the backup; undefined where it does not have the copy, or does not answer. */
export const make = Effect.gen(function*() {
  const tags = yield* SourceTags
  const registry = yield* RegistryClient

  const ask: CopyOf = Effect.fnUntraced(function*({ present, told }) {
    const named = Option.getOrUndefined(yield* tags.named(format(present)))
    if (named === undefined) return undefined
    const kept = keptBy(present.tag)
    const digests = kept === undefined ? [named] : [kept, named]
    if (told.every((it) => digests.includes(it))) return { digests, contents: new Set(digests) }
    const contents = yield* inspect(present).pipe(
      Effect.provideService(RegistryClient, registry),
      Effect.timeout(patience),
      Effect.map((it) => it.contents),
      Effect.catch((error) =>
        Effect.as(
          Effect.logWarning(`the backup does not say what ${format(present)} holds: ${error.message}`),
          new Set<Digest>(digests)
        )
      )
    )
    return { digests, contents }
  })
  return ask
})
