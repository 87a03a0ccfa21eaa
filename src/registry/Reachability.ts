// Registries that give no answer at all: one request at a time asks such a one whether it does again, everybody else is told
// at once what the last one was told. So five hundred images of a dead host cost what one costs, and hold up nobody.
// A registry is what references name, its token server included. No connection is what counts: a registry that says no, is
// slow or breaks off answers. Edge: who asks next, and who is told when it answers, is the controller's; a registry that asks
// for rest gets it by HostRests.ts.
import { Clock, Duration, Effect, Result } from "effect"
import { makeBoundedMap } from "../collections/BoundedMap.ts"
import { type RegistryError, registryError } from "./RegistryError.ts"

const firstRest = Duration.seconds(5)
const longestRest = Duration.minutes(5)
/** While somebody asks it, the others look again after so long. */
const whileAsked = Duration.seconds(1)

/** What is asked of whom. */
export interface Question {
  readonly operation: string
  readonly target: string
  /** As references name it. */
  readonly registry: string
  /**
   * A registry that gives no answer is not asked at all while it rests or another asks it, and the error says so by `silent`.
   * False: it is asked in any case, and how that ends is taken note of.
   */
  readonly spares: boolean
}

export interface Reachability {
  /** Runs one attempt to ask. Without `spares`, its errors are those of the attempt. */
  readonly ask: <A, R>(
    question: Question,
    attempt: Effect.Effect<A, RegistryError, R>
  ) => Effect.Effect<A, RegistryError, R>
  /** Undefined: it answers, as far as is known. Zero: who comes next asks it. Else how long it is left alone. */
  readonly silenceOf: (registry: string) => Effect.Effect<Duration.Duration | undefined>
  /**
   * The registries that give no answer, and from the first attempt to the last how long that was, whatever has changed meanwhile
   * in how they are reached.
   */
  readonly silences: Effect.Effect<ReadonlyMap<string, Duration.Duration>>
}

interface Silence {
  /** Monotonic nanoseconds: since when it is known, of the last failure that counted, and of the next question. */
  readonly since: bigint
  readonly at: bigint
  readonly until: bigint
  /** Failures that counted. */
  readonly times: number
  readonly why: string
  /** What it was reached by. */
  readonly version: unknown
  asking: boolean
}

const restAfter = (times: number): Duration.Duration =>
  Duration.min(Duration.times(firstRest, 2 ** Math.min(times - 1, 10)), longestRest)

const wholeSeconds = (nanos: bigint): string => Duration.format(Duration.seconds(Math.ceil(Number(nanos) / 1e9)))

const leftOf = (silence: Silence, now: bigint): Duration.Duration =>
  silence.until > now ? Duration.nanos(silence.until - now) : silence.asking ? whileAsked : Duration.zero

/** Who is told without having asked. */
const told = ({ operation, registry, target }: Question, silence: Silence, now: bigint): RegistryError =>
  registryError({
    operation,
    target,
    reason: "Unreachable",
    detail: `${silence.why}; it has given no answer for ${wholeSeconds(now - silence.since)}, and was not asked`,
    retryAfter: leftOf(silence, now),
    noConnection: true,
    silent: registry
  })

const report = (registry: string, { why }: Silence): Effect.Effect<void> =>
  Effect.annotateLogs(Effect.logWarning("a registry gives no answer; one image at a time is tried until it does"), {
    registry,
    why
  })

/**
 * All registries answer. `version` is another value when what they are reached by has changed: who is silent may be asked again
 * then, as if nothing were known, and is heard of no sooner for it.
 */
export const makeReachability = (version: () => unknown): Reachability => {
  const silences = makeBoundedMap<string, Silence>(4096)
  /** When a registry was last heard: monotonic nanoseconds. */
  const heard = makeBoundedMap<string, bigint>(4096)

  /** What counts as they are reached now. */
  const known = (registry: string): Silence | undefined => {
    const silence = silences.get(registry)
    return silence?.version === version() ? silence : undefined
  }

  /** What follows from an attempt without a connection, which began at `started`. */
  const failed = (registry: string, why: string, started: bigint, now: bigint): Silence | undefined => {
    // others get through: it is this connection, and not the registry
    if ((heard.get(registry) ?? -1n) > started) return undefined
    const before = known(registry)
    // sent before the last one failed: it says the same once more
    if (before !== undefined && started < before.at) return before
    const times = (before?.times ?? 0) + 1
    const silence: Silence = {
      since: silences.get(registry)?.since ?? started,
      at: now,
      until: now + Duration.toNanosUnsafe(restAfter(times)),
      times,
      why,
      version: version(),
      asking: false
    }
    silences.set(registry, silence)
    return silence
  }

  const answered = (registry: string, now: bigint): Effect.Effect<void> => {
    heard.set(registry, now)
    const before = silences.get(registry)
    if (before === undefined) return Effect.void
    silences.delete(registry)
    return Effect.annotateLogs(Effect.logInfo("a registry answers again"), {
      registry,
      after: wholeSeconds(now - before.since)
    })
  }

  const ask: Reachability["ask"] = (question, attempt) =>
    // whoever is stopped while it asks must leave the question to others
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        const { registry, spares } = question
        const started = yield* Clock.monotonicTimeNanos
        const before = spares ? known(registry) : undefined
        if (before !== undefined) {
          if (before.asking || before.until > started) return yield* told(question, before, started)
          before.asking = true
        }
        const outcome = yield* Effect.ensuring(
          Effect.result(restore(attempt)),
          Effect.sync(() => {
            if (before !== undefined) before.asking = false
          })
        )
        const now = yield* Clock.monotonicTimeNanos
        if (Result.isSuccess(outcome) || !outcome.failure.noConnection) {
          yield* answered(registry, now)
          return yield* Effect.fromResult(outcome)
        }
        const error = outcome.failure
        const silence = failed(registry, error.detail, started, now)
        if (silence?.at === now && silence.times === 1) yield* report(registry, silence)
        if (silence === undefined || !spares) return yield* error
        return yield* registryError({ ...error, retryAfter: leftOf(silence, now), silent: registry })
      })
    )

  return {
    ask,
    silenceOf: (registry) =>
      Effect.map(Clock.monotonicTimeNanos, (now) => {
        const silence = known(registry)
        return silence === undefined ? undefined : leftOf(silence, now)
      }),
    silences: Effect.sync(() =>
      new Map(Array.from(silences.entries(), ([registry, { at, since }]) => [registry, Duration.nanos(at - since)]))
    )
  }
}
