// Queues: the two mailboxes of the controller. An actor for each workload and one for each source image.
import { Context, Effect, Layer } from "effect"
import { make, Priority, type WorkQueue } from "../queue/WorkQueue.ts"

/** Keys are `Kind/namespace/name`. */
export class WorkloadQueue
  extends Context.Service<WorkloadQueue, WorkQueue<string>>()("image-cloner/controller/WorkloadQueue")
{
  static readonly layer = Layer.effect(WorkloadQueue, make<string>({ name: "workloads" }))
}

/** Keys are canonical source references. */
export class ImageQueue extends Context.Service<ImageQueue, WorkQueue<string>>()("image-cloner/controller/ImageQueue") {
  static readonly layer = Layer.effect(ImageQueue, make<string>({ name: "images" }))
}

export const offerAll = (
  queue: WorkQueue<string>,
  keys: Iterable<string>,
  priority: number = Priority.live
): Effect.Effect<void> => queue.offerAll(keys, { priority })
