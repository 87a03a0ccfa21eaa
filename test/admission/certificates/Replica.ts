// A replica with its certificates, in a world of one Secret and webhook configurations that carry what they are told to.
import { Effect, Exit, Layer, Option, Result, Scope, Stream, SubscriptionRef } from "effect"
import { type Authority, decode } from "../../../src/admission/certificates/Authority.ts"
import { checkLeaf } from "../../../src/admission/certificates/Leaf.ts"
import { Certificates } from "../../../src/admission/certificates/ServingCertificates.ts"
import type { ServingPair } from "../../../src/admission/certificates/ServingPair.ts"
import { Leadership } from "../../../src/kube/lease/Leadership.ts"
import { supervised } from "../../../src/Supervisor.ts"
import { uptime } from "../../../src/telemetry/Uptime.ts"
import { fakeSecret } from "./FakeSecret.ts"
import { comes, logged, names, start } from "./World.ts"

/** All webhook configurations, which carry nothing until they are told to. */
const configurations = () => {
  let carried: { readonly bundle: string; readonly since: number } | undefined
  return {
    carry: (bundle: string) => Effect.map(uptime, (since) => void (carried = { bundle, since })),
    publishedSince: (bundle: string) => Effect.sync(() => carried?.bundle === bundle ? carried.since : undefined)
  }
}

export const world = () => ({ api: fakeSecret(), hooks: configurations(), log: logged() })
export type World = ReturnType<typeof world>

/** A replica that runs until it is killed. */
export const replica = Effect.fnUntraced(function*({ api, hooks, log }: World, leads = true) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const layer = supervised((run) =>
    Certificates.layer({ namespace: "cloner", names, publishedSince: hooks.publishedSince, run })
  ).pipe(
    Layer.provide([api.layer, log.layer]),
    Layer.provide(
      Layer.succeed(Leadership, { mayWrite: Effect.succeed(leads), changes: Stream.make(leads), leave: Effect.void })
    )
  )
  const context = yield* Layer.buildWithScope(Layer.fresh(layer), scope)
  const certificates = yield* Effect.provideContext(Certificates, context)
  const pair = Effect.map(SubscriptionRef.get(certificates.pair), Option.getOrUndefined)
  const bundle = Effect.map(SubscriptionRef.get(certificates.bundle), Option.getOrUndefined)
  return {
    certificates,
    pair,
    bundle,
    /** What is served, of an authority that is trusted, once it is that. */
    serving: (by: string, now: number = start) =>
      comes(
        "not served as it should be",
        pair,
        (it): it is ServingPair => it !== undefined && checkLeaf(it, names, by, now) === undefined
      ),
    kill: Scope.close(scope, Exit.void)
  }
})

export const authorityIn = (api: World["api"]): Authority => Result.getOrThrow(decode(api.stored()?.data ?? {}))
export const phaseOf = (api: World["api"]) =>
  Result.match(decode(api.stored()?.data ?? {}), { onSuccess: (it) => it._tag, onFailure: (it) => it.reason })
export const becomes = (api: World["api"], phase: string) =>
  comes(`the Secret does not become ${phase}`, Effect.sync(() => phaseOf(api)), (it) => it === phase)
