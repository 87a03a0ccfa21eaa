// StatusAlone: how much is in the backup, without the controller: every pod of the cluster planned, and every copy looked for in the
// backup. Edge: it asks no source, so that it costs nobody a limit; what is not in the backup is at risk, whatever the reason.
import { Clock, Effect } from "effect"
import { Images } from "../store/Inventory.ts"
import { CoverageTally } from "../upkeep/Coverage.ts"
import { type ClusterStatus, statusOf } from "../web/ClusterStatus.ts"
import { type Alone, lookAt, planWith, quietly } from "./LookAlone.ts"
import { refusedState } from "./RefusedHosts.ts"
import type { ImageState } from "../image/ImageState.ts"

/** Once for what is named, and once for the digests that pods of moved tags turn out to run. */
const rounds = 2

/** Reckons from a look at the cluster and at the backup. */
export const statusAlone = Effect.fnUntraced(function*(given: Alone) {
  const { settings, store } = given
  const now = yield* Clock.currentTimeMillis
  const states = new Map<string, ImageState>()
  const wantsOf = () => new Set(store.all.flatMap((it) => planWith(given, it, now, states).wants))
  for (let round = 0; round < rounds; round++) {
    const fresh = [...wantsOf()].filter((it) => !states.has(it))
    for (const source of fresh) {
      const refused = refusedState(source, settings, now)
      if (refused !== undefined) states.set(source, refused)
    }
    const asked = fresh.filter((it) => !states.has(it))
    if (asked.length === 0) break
    const seen = yield* quietly(settings)(lookAt(settings, asked, now))
    for (const [source, state] of seen) states.set(source, state)
  }
  const inventory = new Images()
  const coverage = new CoverageTally()
  for (const workload of store.all) {
    const planned = planWith(given, workload, now, states)
    inventory.want(workload.key, planned.wants)
    const pod = store.pod(workload.key)
    if (pod !== undefined) coverage.notePod(pod, planned, (it) => states.get(it))
  }
  for (const [source, state] of states) inventory.set(source, state)
  const status: ClusterStatus = statusOf("command", { coverage, inventory })
  return status
})
