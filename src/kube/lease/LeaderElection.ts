// LeaderElection: which of several replicas leads, by a Lease that they share: asks, renews, gives up in time, releases at the end.
// Edge: what follows from what is Election.ts; there is no fencing in Kubernetes, so whoever writes asks `mayWrite` before each
// write, and whatever may only run in the leader ends before this service does.
import { Context, Deferred, Effect, Layer, Random, type SubscriptionRef } from "effect"
import { KubeClient } from "../KubeClient.ts"
import { isReason, type KubeError } from "../KubeError.ts"
import * as Election from "./Election.ts"
import type { Lease } from "./LeaseRecord.ts"
import { type LeaseRequests, leaseRequests, patience } from "./LeaseRequests.ts"
import { makeStanding, type Standing } from "./Standing.ts"

export interface Elected {
  /** Whether this process leads, and renewed within the deadline: asked before every write. Costs nothing. */
  readonly mayWrite: Effect.Effect<boolean>
  /** For whoever begins or ends something with it; current value first (SubscriptionRef.changes). */
  readonly leads: SubscriptionRef.SubscriptionRef<boolean>
  /** Who leads, for people and readyz; undefined: nobody known. */
  readonly leader: Effect.Effect<string | undefined>
  /** Competes no more, and releases the lease at once: for when nothing writes any more. The end of the scope does it, too. */
  readonly leave: Effect.Effect<void>
  /** For /healthz: a problem in words when this process leads and has not renewed for longer than the lease and 20 s. */
  readonly check: Effect.Effect<string | undefined>
}

export interface ElectionOptions {
  readonly namespace: string
  /** Of the Lease. */
  readonly name: string
  /** No other process may ever have the same: the host name is not enough. */
  readonly identity: string
  /** Starts the fiber that competes, and sees to it that its end is seen (Supervisor.ts). */
  readonly run: <E, R>(name: string, effect: Effect.Effect<never, E, R>) => Effect.Effect<void, never, R>
}

export class LeaderElection extends Context.Service<LeaderElection, Elected>()(
  "image-cloner/kube/lease/LeaderElection"
) {
  /** Competes at once and for ever; the layer does not wait for an answer. The lease is released with its scope. */
  static readonly layer = (options: ElectionOptions): Layer.Layer<LeaderElection, never, KubeClient> =>
    Layer.effect(LeaderElection, Effect.suspend(() => make(options)))
}

/** Why a lead ends with what the server has. */
const whyOf = (lease: Lease | undefined): string =>
  `the API server has ${
    lease === undefined || lease.record.holder === "" ? "nobody" : lease.record.holder
  } as the leader`

/** Sends a write. The lead counts from before it is sent. */
const send = Effect.fnUntraced(function*(standing: Standing, requests: LeaseRequests, write: Election.Write) {
  const begun = standing.now()
  yield* standing.become(Election.sent(standing.current()), "")
  const lease = yield* requests.write(write)
  yield* standing.become(Election.written(standing.current(), begun, lease, standing.now()), whyOf(lease))
})

/** Reads. */
const look = Effect.fnUntraced(function*(standing: Standing, requests: LeaseRequests) {
  const lease = yield* requests.read
  yield* standing.become(Election.read(standing.current(), lease, standing.now()), whyOf(lease))
})

/** One attempt to get or to keep the lead: a renewal, else a look and what it allows. */
const attempt = Effect.fnUntraced(function*(standing: Standing, requests: LeaseRequests) {
  const renewal = Election.renewal(standing.current(), standing.now())
  if (renewal !== undefined) {
    const renewed = yield* send(standing, requests, renewal).pipe(
      Effect.as(true),
      Effect.catch((error) =>
        Effect.as(Effect.logDebug(`the lease is read again after a renewal failed: ${error.message}`), false)
      )
    )
    if (renewed) return
  }
  yield* look(standing, requests)
  const claim = Election.claim(standing.current(), standing.now())
  if (claim !== undefined && !standing.isClosed()) yield* send(standing, requests, claim)
})

/** Competes for ever. */
const compete = Effect.fnUntraced(function*(standing: Standing, requests: LeaseRequests, where: string) {
  let trouble = ""
  const said = new Set<KubeError["reason"]>()

  const expire = Effect.suspend(() =>
    Election.remaining(standing.current(), standing.now()) === 0
      ? standing.become(
        Election.gaveUp(standing.current()),
        `no renewal of the lease ${where} succeeded for ${Election.timing.renewDeadline / 1000} s${
          trouble === "" ? "" : ` (${trouble})`
        }`
      )
      : Effect.void
  )
  // each kind of trouble is said once, until all is well; that somebody else was faster is none
  const tell = Effect.fnUntraced(function*(error: KubeError) {
    if (error.reason === "Conflict") return yield* Effect.logDebug(error.message)
    trouble = error.message
    if (said.has(error.reason)) return yield* Effect.logDebug(error.message)
    said.add(error.reason)
    const consequence = standing.current().lead === undefined ? "cannot lead" : "will give up the lead"
    yield* Effect.logWarning(
      `this replica ${consequence} unless the lease ${where} can be had; it is tried on: ${error.message}`
    )
  })

  const tried = attempt(standing, requests).pipe(
    Effect.andThen(Effect.sync(() => {
      trouble = ""
      said.clear()
    })),
    Effect.catch(tell)
  )

  const unanswered = Effect.sync(() => {
    if (trouble === "") trouble = "the API server does not answer"
  })

  return yield* Effect.forever(Effect.gen(function*() {
    // after a stall the lead is over before anything else is done
    yield* expire
    const left = Election.remaining(standing.current(), standing.now())
    yield* left === undefined ? tried : Effect.timeoutOrElse(tried, { duration: left, orElse: () => unanswered })
    yield* expire
    yield* Effect.sleep(Election.pauseOf(standing.current(), standing.now(), yield* Random.next))
  }))
})

/** Lets the next one in at once, if the lease is ours; whoever writes meanwhile is read again. */
const resign = Effect.fnUntraced(function*(standing: Standing, requests: LeaseRequests) {
  yield* look(standing, requests)
  const write = Election.resignation(standing.current(), standing.now())
  if (write !== undefined) yield* send(standing, requests, write)
})

/** The finalizer is there before the fiber is, so that nothing is held that nobody releases. */
const make = Effect.fnUntraced(function*(options: ElectionOptions) {
  const requests = leaseRequests(yield* KubeClient, options)
  const where = `${options.namespace}/${options.name}`
  const standing = yield* makeStanding(options.identity, options)
  const closing = yield* Deferred.make<void>()

  const leave = yield* Effect.cached(
    Effect.gen(function*() {
      yield* standing.close
      yield* Deferred.succeed(closing, undefined)
      if (!Election.mayHold(standing.current())) return
      yield* resign(standing, requests).pipe(
        Effect.retry({ while: isReason("Conflict"), times: 5 }),
        Effect.mapError((error) => error.message),
        Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.fail(`not done within ${patience}`) }),
        Effect.catch((problem) =>
          Effect.logWarning(`the lease ${where} was not released, so that the next replica waits for it: ${problem}`)
        ),
        // a finalizer is not, and a time limit would wait for what it limits
        Effect.interruptible
      )
    })
  )
  yield* Effect.addFinalizer(() => leave)
  yield* options.run(
    "leader election",
    // a request that is under way would hold up the release: it has the one connection
    Effect.raceFirst(compete(standing, requests, where), Deferred.await(closing)).pipe(Effect.andThen(Effect.never))
  )

  return LeaderElection.of({
    mayWrite: Effect.sync(() => Election.mayWrite(standing.current(), standing.now())),
    leads: standing.leads,
    leave,
    leader: Effect.sync(() => Election.leaderOf(standing.current(), standing.now())),
    check: Effect.sync(() => Election.problemOf(standing.current(), standing.now()))
  })
})
