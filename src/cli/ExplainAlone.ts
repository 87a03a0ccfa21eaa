// ExplainAlone: what can be told without the controller: what the plan for the cluster as it is says, and whether the backup holds the
// copies. Edge: turns, what was shown of pulling, what was seen over time and next times are the controller's alone.
import { Clock, Effect } from "effect"
import type { ImageState } from "../image/ImageState.ts"
import { backup } from "../settings/Settings.ts"
import { Images } from "../store/Inventory.ts"
import type { Asked } from "../web/Asked.ts"
import { explainImage } from "../web/ExplainImage.ts"
import type { Answer } from "../web/Explanation.ts"
import { explainWorkload } from "../web/ExplainWorkload.ts"
import { findImage, findWorkload, type FoundImage, topsOf } from "../web/FindAsked.ts"
import type { Workload } from "../workload/Workload.ts"
import { type Alone, lookAt, planWith, quietly } from "./LookAlone.ts"
import { refusedState } from "./RefusedHosts.ts"

/** A tag that has moved shows another digest to be looked for, and no more. */
const rounds = 3

const aboutWorkload = Effect.fnUntraced(function*(given: Alone, workload: Workload, now: number) {
  const { settings, store } = given
  const states = new Map<string, ImageState>()
  let wants = planWith(given, workload, now, undefined).wants
  for (let round = 0; round < rounds; round++) {
    const fresh = wants.filter((it) => !states.has(it) && refusedState(it, settings, now) === undefined)
    if (fresh.length === 0) break
    for (const [source, state] of yield* lookAt(settings, fresh, now)) states.set(source, state)
    wants = planWith(given, workload, now, states).wants
  }
  const planned = planWith(given, workload, now, states)
  return explainWorkload({
    by: "command",
    clocks: { now, uptime: now },
    plan: planned,
    verdict: planned.verdict,
    since: undefined,
    outlook: undefined,
    image: (source) => {
      const state = states.get(source)
      return state && { source, state, outlook: undefined, users: [] }
    },
    standing: undefined,
    pulls: undefined,
    owners: store.ownersOf(workload),
    namespace: store.namespace(workload.namespace),
    controllerNamespace: given.controllerNamespace
  })
})

const aboutImage = Effect.fnUntraced(
  function*({ settings, store }: Alone, { entry, reference }: FoundImage, now: number) {
    const { source, users } = entry
    const refused = refusedState(source, settings, now)
    const seen = refused === undefined ? yield* lookAt(settings, [source], now) : []
    const state = refused ?? seen[0]?.[1] ?? entry.state
    return explainImage({ source, state, outlook: undefined, users: topsOf(store, users) }, {
      by: "command",
      clocks: { now, uptime: now },
      backup: backup(settings),
      reference
    })
  }
)

/** Answers from a look at the cluster and at the backup. */
export const explainAlone = Effect.fnUntraced(function*({ about, name }: Asked, given: Alone) {
  const { settings, store } = given
  const now = yield* Clock.currentTimeMillis
  if (about === "workload") {
    const found = findWorkload(store, name)
    const answer: Answer = "_tag" in found ? found : yield* quietly(settings)(aboutWorkload(given, found, now))
    return answer
  }
  const images = new Images()
  for (const workload of store.all) images.want(workload.key, planWith(given, workload, now, undefined).wants)
  const found = findImage(images, store, backup(settings), name)
  const answer: Answer = "_tag" in found ? found : yield* quietly(settings)(aboutImage(given, found, now))
  return answer
})
