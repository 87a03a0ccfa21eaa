// ExplainAlone: what can be told without the controller: what the plan for the cluster as it is says, and whether the backup holds the
// copies. Edge: turns, what was shown of pulling, what was seen over time and next times are the controller's alone.
import { Clock, Effect, Layer, Option, References } from "effect"
import { registries } from "../App.ts"
import { type Finding, makeVerifier } from "../clone/verify/Verify.ts"
import { gatherFacts } from "../controller/GatherFacts.ts"
import { copyNamed } from "../controller/Wanted.ts"
import type { ImageState } from "../image/ImageState.ts"
import { backup, type Settings } from "../settings/Settings.ts"
import { SettingsRef } from "../settings/SettingsRef.ts"
import { Images } from "../store/Inventory.ts"
import type { Workloads } from "../store/WorkloadStore.ts"
import type { Asked } from "../web/Asked.ts"
import { explainImage } from "../web/ExplainImage.ts"
import type { Answer } from "../web/Explanation.ts"
import { explainWorkload } from "../web/ExplainWorkload.ts"
import { findImage, findWorkload, type FoundImage, topsOf } from "../web/FindAsked.ts"
import { plan } from "../workload/Plan.ts"
import type { Workload } from "../workload/Workload.ts"
import { parseAll } from "./References.ts"
import { refusedState } from "./RefusedHosts.ts"

/** What is looked at without the controller. */
export interface Alone {
  readonly settings: Settings
  readonly store: Workloads
  readonly controllerNamespace: string
}

/** A tag that has moved shows another digest to be looked for, and no more. */
const rounds = 3

/** What a look at the backup says of an image. */
const stateOf = ({ contents, detail, digest, status }: Finding, now: number): ImageState =>
  status === "whole" && digest !== undefined
    ? { _tag: "BackedUp", digest, contents, verifiedAt: now }
    : { _tag: "Pending", why: status === "unknown" ? `the backup could not be asked: ${detail}` : detail }

/** @param states undefined: every image is taken as copied */
export const planWith = (
  { controllerNamespace, settings, store }: Alone,
  workload: Workload,
  now: number,
  states: ReadonlyMap<string, ImageState> | undefined
) => {
  const facts = gatherFacts(store, workload, {
    settings,
    backup: backup(settings),
    ownNamespace: Option.some(controllerNamespace),
    now,
    uptime: now,
    state: (source) => states?.get(source) ?? refusedState(source, settings, now),
    assumeCopied: states === undefined
  })
  return plan(workload, facts)
}

/** Looks at the backup for the copies of sources. */
export const lookAt = Effect.fnUntraced(function*(settings: Settings, sources: ReadonlyArray<string>, now: number) {
  const verifier = yield* makeVerifier({ deep: false, repair: false })
  const references = yield* parseAll(sources)
  const seen = yield* Effect.forEach(references, (it) => verifier.verify(copyNamed(backup(settings), it)), {
    concurrency: 4
  })
  return sources.flatMap((source, index) => {
    const finding = seen[index]
    return finding === undefined ? [] : [[source, stateOf(finding, now)] as const]
  })
})

/** Asks the backup alone, and says nothing but errors. */
export const quietly = (settings: Settings) => <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  effect.pipe(
    Effect.provideService(References.MinimumLogLevel, "Error"),
    Effect.provide(Layer.provide(
      registries({ privateHosts: [], sourceCredentials: "proven-public" }),
      SettingsRef.layerOf(settings)
    ))
  )

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
