// WaitingImages: images that wait for their turn without whoever asked for them: who is called, and what was seen of their names before they
// waited. Edge: whose turn it is is Permits'; whoever is called is the image loop's.
import { Effect, Exit, Option, Queue, type Scope } from "effect"
import type { Digest } from "../image/Digest.ts"
import type { Claim } from "../queue/FairTurns.ts"
import type { CloneError } from "./CloneError.ts"
import { makePermits, type Permits } from "./Permits.ts"
import type { Looked } from "./steps/Look.ts"

export interface Turns {
  readonly permits: Permits
  /** Keys whose turn has come; waits for one. */
  readonly calls: Effect.Effect<ReadonlyArray<string>>
  readonly isInLine: (key: string) => boolean
  /** The key waits no more, and what is kept for it is another's. */
  readonly stepOut: (key: string) => Effect.Effect<void>
  /** Whether it may be looked at alone, which waits for no copy any more; else it is called. */
  readonly looking: (key: string, claim: Claim) => Effect.Effect<boolean, never, Scope.Scope>
  /** What the look told that it waited with, once its turn has come. `last`: what was to be used instead of the source. */
  readonly lookBefore: (key: string, last: Digest | undefined) => Looked | undefined
  readonly keepLook: (key: string, last: Digest | undefined, looked: Looked) => void
  /** However it ends, the key steps out, unless it ends for it to wait. */
  readonly keepingPlace: <A>(key: string, attempt: Effect.Effect<A, CloneError>) => Effect.Effect<A, CloneError>
}

export const makeTurns = Effect.fnUntraced(function*(options: Parameters<typeof makePermits>[0]) {
  const called = yield* Queue.unbounded<string>()
  const permits = makePermits({ ...options, called: (key) => void Queue.offerUnsafe(called, key) })
  const looks = new Map<string, ReadonlyMap<Digest | undefined, Looked>>()
  const stepOut = (key: string) =>
    Effect.sync(() => {
      for (const { line } of [permits.looks, permits.copies]) line.leave(key)
      looks.delete(key)
    })
  const turns: Turns = {
    permits,
    calls: Queue.takeAll(called),
    isInLine: (key) => permits.looks.line.has(key) || permits.copies.line.has(key),
    stepOut,
    looking: (key, claim) =>
      Effect.suspend(() => {
        permits.copies.line.leave(key)
        looks.delete(key)
        return permits.looks.line.take(key, claim)
      }),
    lookBefore: (key, last) => permits.copies.line.keeps(key) ? looks.get(key)?.get(last) : undefined,
    keepLook: (key, last, looked) => void looks.set(key, new Map([...looks.get(key) ?? [], [last, looked]])),
    keepingPlace: (key, attempt) =>
      Effect.onExit(attempt, (exit) =>
        Option.exists(Exit.findErrorOption(exit), (it) => it.reason === "in-line")
          ? Effect.void
          : stepOut(key))
  }
  return turns
})
