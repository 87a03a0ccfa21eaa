// Leadership: whether this process is the one of several replicas that writes to the cluster and copies. One that is alone does.
// Edge: how replicas agree is LeaderElection's.
import { Context, Effect, Layer, Stream, SubscriptionRef } from "effect"
import { LeaderElection } from "./LeaderElection.ts"

export interface Leads {
  /** Whether it leads, and has said so to the API server lately enough: asked before every write. Costs nothing. */
  readonly mayWrite: Effect.Effect<boolean>
  /** Whether it leads, now and whenever that changes. */
  readonly changes: Stream.Stream<boolean>
  /** Lets another one lead from now on. Whatever writes has ended. */
  readonly leave: Effect.Effect<void>
}

const alone: Leads = { mayWrite: Effect.succeed(true), changes: Stream.make(true), leave: Effect.void }

export const Leadership = Context.Reference<Leads>("image-cloner/kube/lease/Leadership", { defaultValue: () => alone })

/** As the replicas have elected. */
export const elected: Layer.Layer<never, never, LeaderElection> = Layer.effect(
  Leadership,
  Effect.map(
    LeaderElection,
    ({ leads, leave, mayWrite }) => ({ mayWrite, changes: SubscriptionRef.changes(leads), leave })
  )
)
