// Doubt: the copy of a tag may not be what the tag names any more, so nothing is pointed to it until the image loop has looked.
import { Effect } from "effect"
import { Inventory } from "../../store/Inventory.ts"
import { ImageQueue, offerAll, WorkloadQueue } from "../Queues.ts"

/** Makes the function that has an image looked at anew; `why` stands in the plans of its users until then. */
export const make = Effect.gen(function*() {
  const inventory = yield* Inventory
  const images = yield* ImageQueue
  const workloads = yield* WorkloadQueue
  return (source: string, why: string): Effect.Effect<void> =>
    Effect.suspend(() =>
      Effect.andThen(offerAll(workloads, inventory.set(source, { _tag: "Pending", why })), images.offer(source))
    )
})
