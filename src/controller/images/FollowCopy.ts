// FollowCopy: an image while another replica copies: what that one has copied is found in the backup, sooner or later, so that
// admission knows it here too, and nothing has to be looked at anew when this replica comes to lead.
import { Duration, Effect, Result } from "effect"
import { Cloner } from "../../clone/Cloner.ts"
import { parse } from "../../image/ImageReference.ts"
import { ImageQueue } from "../Queues.ts"
import { makeBecome } from "./FailedImages.ts"

/** How soon it is looked for again. */
const again = Duration.seconds(30)

/** Makes the function that looks whether an image is in the backup now. */
export const make = Effect.gen(function*() {
  const cloner = yield* Cloner
  const images = yield* ImageQueue
  const become = yield* makeBecome

  const follow = Effect.fnUntraced(function*(source: string) {
    const reference = parse(source)
    // inventory keys are formatted references
    if (Result.isFailure(reference)) return yield* Effect.die(reference.failure)
    const held = yield* cloner.recognise(reference.success)
    if (held === undefined) return yield* images.offerAfter(source, again)
    yield* become(source, { _tag: "BackedUp", ...held })
  })
  return { follow, later: (source: string) => images.offerAfter(source, again) }
})
