// FirstLook: what there is when the program starts. Most of it is owned by something else, and nothing is to be done with it but to
// note what it runs: that is done here, one after the other, and without the queue, which costs three times as much as a look.
// Edge: whatever may be patched goes through the queue, as does whatever changes once this look has begun.
import { Cause, Context, Effect } from "effect"
import { WorkloadStore } from "../store/WorkloadStore.ts"
import type { Workload } from "../workload/Workload.ts"
import { WorkloadQueue } from "./Queues.ts"

export interface Looked {
  /** From now on every change is the queue's. */
  begun: boolean
}

/** Whether the first look has begun; one that nobody makes has. */
export const FirstLook = Context.Reference<Looked>("image-cloner/controller/FirstLook", {
  defaultValue: () => ({ begun: true })
})

/** Whether a look is all that there is to do: what controls it is rewritten, and nothing of it is ours to give up. */
const isLookedAt = ({ owner, ownsImages }: Workload): boolean => owner !== undefined && !ownsImages

/** Looks at everything that is not in the queue already. */
export const firstLook = Effect.fnUntraced(function*(look: (key: string) => Effect.Effect<void>) {
  const store = yield* WorkloadStore
  const queue = yield* WorkloadQueue
  const looked = yield* FirstLook
  looked.begun = true
  for (const workload of store.all) {
    if (!isLookedAt(workload)) continue
    // the queue says what is wrong with it, and tries again
    yield* Effect.catchCause(
      look(workload.key),
      (cause) => Cause.hasInterrupts(cause) ? Effect.failCause(cause) : queue.offer(workload.key)
    )
  }
})

/** Of keys that have come with a list: those that the queue is to have. */
export const queued = Effect.fnUntraced(function*(keys: ReadonlyArray<string>) {
  const store = yield* WorkloadStore
  const { begun } = yield* FirstLook
  return begun ? keys : keys.filter((key) => {
    const workload = store.get(key)
    return workload === undefined || !isLookedAt(workload)
  })
})
