// LookAlone: what a command sees without the controller: plans for the cluster as it is, and whether the backup holds the copies. Edge:
// what is told of it is ExplainAlone's and StatusAlone's; no source is asked.
import { Effect, Layer, Option, References } from "effect"
import { registries } from "../App.ts"
import { type Finding, makeVerifier } from "../clone/verify/Verify.ts"
import { gatherFacts } from "../controller/GatherFacts.ts"
import { copyNamed } from "../controller/Wanted.ts"
import type { ImageState } from "../image/ImageState.ts"
import { backup, type Settings } from "../settings/Settings.ts"
import { SettingsRef } from "../settings/SettingsRef.ts"
import type { Workloads } from "../store/WorkloadStore.ts"
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
