// Follows the authority in its Secret: whoever comes first makes it, all replicas look at it every ten seconds, and whoever sees that
// a step of the rotation is due writes it.
// Edge: never fails. What cannot be read, written or understood is said once, and the last good authority stays; a Secret that is
// damaged is never overwritten, as nobody knows whose it is.
import { Clock, Data, Duration, Effect, Option, Random, Result, SubscriptionRef } from "effect"
import type { SecureRandom } from "effect/crypto"
import { KubeClient } from "../../kube/KubeClient.ts"
import { isReason, type KubeError, protocolError } from "../../kube/KubeError.ts"
import { type Backoff, waitOf } from "../../queue/Backoff.ts"
import { uptime } from "../../telemetry/Uptime.ts"
import { type Authority, bundleOf, decode, encode } from "./Authority.ts"
import { type AuthoritySecret, makeAuthoritySecret } from "./AuthoritySecret.ts"
import { issueAuthority, type IssueError } from "./IssueCertificates.ts"
import { isValid, stepOf, validityOf } from "./Rotation.ts"
import { makeSayings } from "../../telemetry/Sayings.ts"

const pollInterval = Duration.seconds(10)
/** After somebody else was faster: what they have written is to be taken soon. */
const conflictPause = Duration.seconds(1)
const backoff: Backoff = { first: 5000, longest: 60_000 }
/** The client has limits of its own; this one is for a server that answers, but never to the end. */
const patience = Duration.minutes(2)

/** What is in the Secret cannot be used; the one before it stays in use. */
class UnusableSecret extends Data.TaggedError("UnusableSecret")<{ readonly where: string; readonly detail: string }> {
  override get message() {
    return `the Secret ${this.where} is no authority for the admission webhooks: ${this.detail}; put it right, or delete it `
      + "to have it made again"
  }
}

type Problem = KubeError | IssueError | UnusableSecret

export interface AuthorityOptions {
  readonly namespace: string
  /** Since when (uptime in ms) every webhook configuration has carried this bundle; undefined: not all do. */
  readonly publishedSince: (bundle: string) => Effect.Effect<number | undefined>
  /** Whether this replica leads: what is there is changed by one alone. */
  readonly mayWrite: Effect.Effect<boolean>
  readonly authority: SubscriptionRef.SubscriptionRef<Option.Option<Authority>>
  readonly bundle: SubscriptionRef.SubscriptionRef<Option.Option<string>>
}

const same = (one: Authority, other: Authority): boolean => {
  const fields = encode(other)
  return Object.entries(encode(one)).every(([name, text]) => fields[name] === text) && one._tag === other._tag
}

/** Takes an authority into use, unless it is not its time. */
const makeTake = (options: AuthorityOptions, where: string) =>
  Effect.fnUntraced(function*(authority: Authority) {
    const { from, to } = validityOf(authority.current.certificate)
    if (!isValid({ from, to }, yield* Clock.currentTimeMillis)) {
      const span = `${new Date(from).toISOString()} to ${new Date(to).toISOString()}`
      return yield* new UnusableSecret({
        where,
        detail: `it is good from ${span}, which is not now (is the clock right?)`
      })
    }
    const held = Option.getOrUndefined(yield* SubscriptionRef.get(options.authority))
    if (held !== undefined && same(held, authority)) return
    // first what is trusted, then what is served
    const bundle = bundleOf(authority)
    if (held === undefined || bundleOf(held) !== bundle) yield* SubscriptionRef.set(options.bundle, Option.some(bundle))
    yield* SubscriptionRef.set(options.authority, Option.some(authority))
  })

/** One look at the Secret, with whatever is due. */
const makeLook = (
  options: AuthorityOptions,
  secret: AuthoritySecret
): Effect.Effect<void, Problem, SecureRandom.SecureRandom> => {
  const { where } = secret
  const take = makeTake(options, where)
  const { mayWrite } = options

  // What is in use goes on, so that nobody who deletes the Secret by mistake ends the webhooks.
  const begin = Effect.gen(function*() {
    const held = Option.getOrUndefined(yield* SubscriptionRef.get(options.authority))
    const usable = held !== undefined && isValid(validityOf(held.current.certificate), yield* Clock.currentTimeMillis)
    const authority: Authority = usable ? held : { _tag: "Settled", current: yield* issueAuthority }
    yield* secret.create(authority)
    yield* Effect.logInfo(`the Secret ${where} with the authority of the admission webhooks has been made`)
    yield* take(authority)
  })

  // asked only where it matters
  const publishedFor = Effect.fnUntraced(function*(authority: Authority) {
    if (authority._tag !== "Announced") return undefined
    const since = yield* options.publishedSince(bundleOf(authority))
    return since === undefined ? undefined : (yield* uptime) - since
  })

  return Effect.gen(function*() {
    const found = Option.getOrUndefined(yield* secret.read)
    if (found === undefined) return yield* begin
    const decoded = decode(found.data)
    if (Result.isFailure(decoded)) return yield* new UnusableSecret({ where, detail: decoded.failure.message })
    const authority = decoded.success
    const step = stepOf(authority, yield* Clock.currentTimeMillis, yield* publishedFor(authority))
    // of several replicas one rotates: a clock that is wrong elsewhere must not
    if (step._tag === "Wait" || !(yield* mayWrite)) return yield* take(authority)
    const written = yield* Effect.result(Effect.gen(function*() {
      const next = step._tag === "Write" ? step.authority : step.made(yield* issueAuthority)
      yield* secret.write(found, next)
      yield* Effect.logInfo(`Secret ${where}: ${step.because}`)
      return next
    }))
    if (Result.isSuccess(written)) return yield* take(written.success)
    // what could not be changed is what all others have; why it could not says more than that it is too old
    yield* Effect.catchTag(take(authority), "UnusableSecret", () => Effect.fail(written.failure))
    return yield* written.failure
  }).pipe(Effect.timeoutOrElse({
    duration: patience,
    orElse: () => Effect.fail(protocolError(`GET ${secret.path}`, "no whole answer within two minutes"))
  }))
}

const textOf = (problem: Problem): string =>
  problem._tag === "KubeError" && problem.reason === "Forbidden"
    ? `${problem.operation}: 403 ${problem.detail}; the Role of manifests/overlays/admission is missing`
    : problem.message

/** Looks at the Secret, for ever, and keeps `authority` and `bundle` as it has them. */
export const followAuthority = Effect.fnUntraced(function*(
  options: AuthorityOptions
): Effect.fn.Return<never, never, KubeClient | SecureRandom.SecureRandom> {
  const secret = makeAuthoritySecret(yield* KubeClient, options.namespace)
  const look = makeLook(options, secret)
  const sayings = makeSayings()
  let failures = 0
  const turn = Effect.gen(function*() {
    const outcome = yield* Effect.result(look)
    if (Result.isSuccess(outcome)) {
      failures = 0
      if (sayings.forget()) {
        yield* Effect.logInfo(`the authority of the admission webhooks, Secret ${secret.where}, is good again`)
      }
      return pollInterval
    }
    const problem = outcome.failure
    if (isReason("Conflict")(problem)) return conflictPause
    const held = yield* SubscriptionRef.get(options.authority)
    yield* sayings.once(
      // the details of an outage change from one attempt to the next
      problem._tag === "KubeError" ? `${problem.operation} ${problem.reason}` : problem.message,
      Effect.logError(
        `${textOf(problem)}; `
          + (Option.isNone(held) ? "the admission webhooks wait for it" : "the last good certificates stay in use")
      )
    )
    return Duration.millis(waitOf(backoff, failures++, yield* Random.next))
  })
  return yield* Effect.forever(Effect.flatMap(turn, Effect.sleep))
})
