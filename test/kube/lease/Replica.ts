// A replica that competes for a Lease: its own network, clocks and log, all of which a test can disturb.
import { Clock, Context, Effect, Exit, Layer, Logger, Metric, Scope, SubscriptionRef } from "effect"
import { LeaderElection } from "../../../src/kube/lease/LeaderElection.ts"
import type { LeaseServer } from "./LeaseServer.ts"

/** Clocks that are off by so many milliseconds; what `wall` and `stood` become later counts at once. */
const skewed = (clock: Clock.Clock, skew: { wall: number; stood: number }): Clock.Clock => {
  const millis = () => clock.currentTimeMillisUnsafe() + 1e12 + skew.wall
  const nanos = () => BigInt(millis()) * 1_000_000n
  const uptime = () => clock.monotonicTimeNanosUnsafe() - BigInt(skew.stood) * 1_000_000n
  return {
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: uptime,
    monotonicTimeNanos: Effect.sync(uptime),
    sleep: (duration) => clock.sleep(duration)
  }
}

/** Competes until the test ends. */
export const replica = Effect.fnUntraced(function*(server: LeaseServer, identity: string, wall = 0) {
  const { layer, link } = server.client()
  const skew = { wall, stood: 0 }
  const lines: Array<string> = []
  const clock = skewed(yield* Clock.Clock, skew)
  const scope = yield* Scope.make()
  const fibers = yield* Scope.make()
  const own = Layer.mergeAll(
    Layer.succeed(Clock.Clock, clock),
    Logger.layer([Logger.make(({ logLevel, message }) => {
      if (logLevel !== "Debug") lines.push(`${logLevel} ${String(message)}`)
    })]),
    Layer.sync(Metric.MetricRegistry, () => new Map())
  )
  const context = yield* Layer.buildWithScope(
    LeaderElection.layer({
      namespace: "ns",
      name: "lease",
      identity,
      run: (_, effect) => Effect.asVoid(Effect.forkIn(Effect.orDie(effect), fibers))
    }).pipe(Layer.provideMerge(layer), Layer.provideMerge(own)),
    scope
  )
  const election = Context.get(context, LeaderElection)
  const stop = Scope.close(scope, Exit.void)
  // nothing hangs at the end of a test
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      link.network = "refused"
    }).pipe(Effect.andThen(Scope.close(fibers, Exit.void)), Effect.andThen(stop))
  )
  return {
    identity,
    link,
    skew,
    lines,
    context,
    election,
    leads: SubscriptionRef.get(election.leads),
    mayWrite: election.mayWrite,
    leave: election.leave,
    /** The end that releases. */
    stop,
    /** The end without one. */
    kill: Effect.andThen(
      Effect.sync(() => {
        link.network = "refused"
      }),
      Scope.close(fibers, Exit.void)
    )
  }
})

export type Replica = Effect.Success<ReturnType<typeof replica>>
