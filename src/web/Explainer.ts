// Explainer: answers what is asked about a workload or an image from what the controller knows: the two stores, the last decisions, the
// queues and pacing. Reads, decides nothing. Edge: it is there before the controller is, as the HTTP server that asks it.
import { Clock, Context, Effect, Layer, type Option, SubscriptionRef } from "effect"
import { Decisions } from "../controller/Decisions.ts"
import { nextPullSet } from "../controller/PullSets.ts"
import { ImageQueue, WorkloadQueue } from "../controller/Queues.ts"
import { resources } from "../controller/Watches.ts"
import { Pacing } from "../rewrite/Pacing.ts"
import { backup } from "../settings/Settings.ts"
import { SettingsRef } from "../settings/SettingsRef.ts"
import { Inventory } from "../store/Inventory.ts"
import { type Workloads, WorkloadStore } from "../store/WorkloadStore.ts"
import { uptime } from "../telemetry/Uptime.ts"
import type { Workload } from "../workload/Workload.ts"
import type { Asked } from "./Asked.ts"
import { explainImage } from "./ExplainImage.ts"
import { type Answer, bounded, type Unknown } from "./Explanation.ts"
import { explainWorkload } from "./ExplainWorkload.ts"
import { findImage, findWorkload, topsOf } from "./FindAsked.ts"
import type { KnownImage } from "./Known.ts"

type Explain = (asked: Asked) => Effect.Effect<Answer>

const unknown = (message: string): Unknown => ({ _tag: "Unknown", message, candidates: [] })

/** The namespace that manifests/ has. */
export const usualNamespace = "image-cloner"

/** What has not been seen: because it is too early, or because the API server does not allow it. */
const unseen = (store: Workloads): ReadonlyArray<string> =>
  resources.filter((it) => !it.optional && !store.isSynced(it.resource.name)).map((it) => it.resource.name)

/** That something is not known says little while not all is seen. */
const asSeen = (store: Workloads, answer: Unknown): Unknown => {
  const hidden = unseen(store)
  return hidden.length === 0
    ? answer
    : {
      ...answer,
      message: bounded(`${answer.message}; the controller does not see, or has not seen yet: ${hidden.join(", ")}`)
    }
}

/** What the cloner tells of images that wait for their turn. */
export interface WaitingImages {
  readonly isInLine: (source: string) => boolean
  readonly waiting: Effect.Effect<number>
}

/** Makes the function that answers from the stores. */
export const make = Effect.fnUntraced(function*(ownNamespace: Option.Option<string>, line: WaitingImages) {
  const store = yield* WorkloadStore
  const inventory = yield* Inventory
  const decisions = yield* Decisions
  const images = yield* ImageQueue
  const workloads = yield* WorkloadQueue
  const pacing = yield* Pacing
  const target = backup(yield* SubscriptionRef.get(yield* SettingsRef))

  const clocks = Effect.all({ now: Clock.currentTimeMillis, uptime })

  const knownImage = Effect.fnUntraced(function*(source: string): Effect.fn.Return<KnownImage | undefined> {
    const entry = inventory.get(source)
    if (entry === undefined) return undefined
    const waiting = line.isInLine(source) ? yield* line.waiting : undefined
    const outlook = yield* images.outlookOf(source)
    return { source, state: entry.state, users: topsOf(store, entry.users), outlook, waiting }
  })

  const aboutWorkload = Effect.fnUntraced(function*(workload: Workload): Effect.fn.Return<Answer> {
    const decision = decisions.get(workload.key)
    // of what another object makes no decision need be kept
    const top = store.ownersOf(workload).at(-1)
    if (decision === undefined && top !== undefined) {
      return {
        ...unknown(`${workload.key} is controlled by ${top.key}: that one is handled instead`),
        candidates: [top.key]
      }
    }
    if (decision === undefined) {
      return unknown(`${workload.key} is there, and was not decided about yet: ask again in a moment`)
    }
    const sources = [...new Set(decision.plan.images.flatMap((it) => it.wants))]
    const known = new Map<string, KnownImage | undefined>()
    for (const source of sources) known.set(source, yield* knownImage(source))
    const pulls = nextPullSet(store, workload)
    return explainWorkload({
      by: "controller",
      clocks: yield* clocks,
      plan: decision.plan,
      verdict: decision.verdict,
      since: decision.since,
      outlook: yield* workloads.outlookOf(workload.key),
      image: (source) => known.get(source),
      standing: yield* pacing.standing(workload, pulls),
      pulls: pulls?.words,
      owners: store.ownersOf(workload),
      namespace: store.namespace(workload.namespace),
      controllerNamespace: ownNamespace._tag === "Some" ? ownNamespace.value : usualNamespace
    })
  })

  const explain: Explain = Effect.fnUntraced(function*({ about, name }) {
    if (about === "workload") {
      const found = findWorkload(store, name)
      return "_tag" in found ? asSeen(store, found) : yield* aboutWorkload(found)
    }
    const found = findImage(inventory, store, target, name)
    if ("_tag" in found) return asSeen(store, found)
    const known = yield* knownImage(found.entry.source)
    return known === undefined
      ? unknown(`${found.entry.source} is no longer in use`)
      : explainImage(known, { by: "controller", clocks: yield* clocks, backup: target, reference: found.reference })
  })
  return explain
})

/** Who is asked by the HTTP server. */
export class Explainer extends Context.Service<Explainer, {
  /** Undefined while there is no controller to ask. */
  readonly explain: (asked: Asked) => Effect.Effect<Answer | undefined>
  readonly answerBy: (explain: Explain) => Effect.Effect<void>
}>()("image-cloner/web/Explainer") {
  static readonly layer: Layer.Layer<Explainer> = Layer.sync(Explainer, () => {
    let by: Explain | undefined
    return Explainer.of({
      explain: (asked) => Effect.suspend(() => by === undefined ? Effect.undefined : by(asked)),
      answerBy: (explain) => Effect.sync(() => void (by = explain))
    })
  })
}

/** Has the controller answer. */
export const layer = (ownNamespace: Option.Option<string>, line: WaitingImages) =>
  Layer.effectDiscard(Effect.gen(function*() {
    const { answerBy } = yield* Explainer
    yield* answerBy(yield* make(ownNamespace, line))
  }))
