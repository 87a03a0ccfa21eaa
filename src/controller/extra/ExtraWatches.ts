// ExtraWatches: the watches of EXTRA_KINDS. Each asks first what its objects are called, until the API server says so: a kind that is
// not installed or may not be seen is told once and asked for every half minute. Edge: nothing else waits for any of them, but for
// a moment at the start, and none makes the process unready.
import { Clock, Effect, Random } from "effect"
import { KubeError } from "../../kube/KubeError.ts"
import { backoff, slow } from "../../kube/watch/AfterError.ts"
import { WatchStates } from "../../kube/watch/WatchStates.ts"
import { type ExtraKind, extraName } from "../../settings/Settings.ts"
import { discoverKind, type KindMissing } from "./DiscoverKind.ts"
import { followKind } from "../Watches.ts"

/** Whether somebody has to do something first: nothing will change soon. */
const isRefusal = (error: KubeError | KindMissing): boolean =>
  !(error instanceof KubeError) || error.reason === "Forbidden" || error.reason === "NotFound"

/** The kind as the API server has it, however long that takes. */
const discovered = Effect.fnUntraced(function*(of: ExtraKind) {
  const states = yield* WatchStates
  const name = extraName(of)
  let said = ""
  for (let failures = 0;; failures++) {
    states.update(name, { progressAt: yield* Clock.currentTimeMillis })
    const found = yield* Effect.result(discoverKind(of))
    if (found._tag === "Success") {
      if (said !== "") yield* Effect.logInfo(`${name} is there now`)
      return found.success
    }
    const { message } = found.failure
    const refused = isRefusal(found.failure)
    states.update(name, { detail: message, ...(refused ? { state: "refused" as const } : {}) })
    if (message !== said) yield* Effect.logWarning(message)
    said = message
    const random = yield* Random.next
    yield* Effect.sleep(refused ? slow(random) : backoff(failures, random))
  }
})

/** Watches a kind of EXTRA_KINDS; never ends. */
export const followExtra = Effect.fnUntraced(function*(of: ExtraKind) {
  // what is not installed has no metrics: nothing is wrong with it
  return yield* followKind(yield* discovered(of))
})

/** Waits until each has been seen whole, is refused or is not installed; for ten seconds at most. */
export const extrasSettled = Effect.fnUntraced(function*(extras: ReadonlyArray<ExtraKind>) {
  if (extras.length === 0) return
  const states = yield* WatchStates
  yield* states.settled(extras.map(extraName)).pipe(Effect.timeoutOption("10 seconds"))
})
