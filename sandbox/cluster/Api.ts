// What every part of one embedded API server shares: the store, the write lock, and what a request says about itself.
import { Clock, DateTime, Effect } from "effect"
import type { Semaphore } from "effect"
import type { JsonObject } from "../Json.ts"
import type { Resource } from "./Resources.ts"
import type { Store } from "./Store.ts"

export interface ClusterBehaviour {
  /** sendInitialEvents is understood; 422 when not, as servers before 1.27 and with the gate off answer. */
  watchList: boolean
  /** Milliseconds between bookmarks; Infinity for none but those that end the initial events. */
  bookmarkPeriod: number
  /** Every namespace has its ServiceAccount `default`, and pods get theirs: the admission plugin. */
  serviceAccounts: boolean
}

export interface User {
  readonly name: string
  readonly groups: ReadonlyArray<string>
}

export interface Api {
  readonly store: Store
  /** Held by whoever reads an object in order to write it. */
  readonly lock: Semaphore.Semaphore
  readonly behaviour: ClusterBehaviour
}

/** One request for one collection or object, with what its query says that concerns all verbs. */
export interface Target {
  readonly resource: Resource
  /** "" for all, and for what has none. */
  readonly namespace: string
  /** "" for the collection. */
  readonly name: string
  readonly user: User
  readonly manager: string
  readonly dryRun: boolean
}

/** RFC 3339 in whole seconds, as metadata has it. */
export const timestamp: Effect.Effect<string> = Effect.map(
  Clock.currentTimeMillis,
  (now) => DateTime.formatIso(DateTime.makeUnsafe(Math.floor(now / 1000) * 1000)).replace(".000Z", "Z")
)

export const metadata = (object: JsonObject): JsonObject => {
  const found = object["metadata"]
  return typeof found === "object" && found !== null && !Array.isArray(found) ? found : {}
}
