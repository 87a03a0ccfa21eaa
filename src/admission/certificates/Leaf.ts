// What this replica serves with: a certificate of its own, in memory, made anew before it ends or when another authority signs.
// Nothing is handed out that a client would refuse; where nothing better can be made, the last good one stays.
// Edge: which authority signs is FollowAuthority.ts's to say, and who listens with it the server's.
import { Clock, Data, Effect, Option, Stream, SubscriptionRef } from "effect"
import type { SecureRandom } from "effect/crypto"
import { X509Certificate } from "node:crypto"
import { isIP } from "node:net"
import { type Authority, belongTogether, bundleOf, certificatesOf } from "./Authority.ts"
import { issueLeaf, type KeyPair } from "./IssueCertificates.ts"
import { isValid, isWorn, validityOf } from "./Rotation.ts"
import { makeSayings } from "../../telemetry/Sayings.ts"
import type { ServingPair } from "./ServingPair.ts"

/** A certificate has been issued that clients would refuse: the authority is not what it seems, or the clock is wrong. */
class LeafError extends Data.TaggedError("LeafError")<{ readonly detail: string }> {
  override get message() {
    return `the certificate that was issued for the webhooks would be refused: ${this.detail}`
  }
}

const covers = (certificate: X509Certificate, name: string): boolean =>
  isIP(name) === 0
    ? certificate.checkHost(name, { subject: "never", wildcards: false }) !== undefined
    : certificate.checkIP(name) !== undefined

/**
 * Why a client would refuse it; undefined: it would not.
 * @param bundle PEM of the authorities that the client trusts
 * @param now milliseconds since the epoch
 */
export const checkLeaf = (
  { certificate: pem, key }: KeyPair,
  names: ReadonlyArray<string>,
  bundle: string,
  now: number
): string | undefined => {
  const [certificate] = certificatesOf(pem) ?? []
  if (certificate === undefined) return "it is no PEM certificate"
  // a TLS server takes an RSA key with an EC certificate without a word, and fails every handshake
  if (!belongTogether(certificate, key)) return "its key belongs to another certificate"
  if (!isValid(validityOf(pem), now)) {
    return `it is good from ${certificate.validFromDate.toISOString()} to ${certificate.validToDate.toISOString()}`
  }
  const missing = names.filter((it) => !covers(certificate, it))
  if (missing.length > 0) return `it is not for ${missing.join(", ")}`
  const trusted = (certificatesOf(bundle) ?? []).some((it) =>
    it.ca && isValid(validityOf(it.toString()), now) && certificate.checkIssued(it) && certificate.verify(it.publicKey)
  )
  return trusted ? undefined : "no authority of the bundle has signed it"
}

/** Whether another one is due: two thirds of its life are over, the clock says that it is not good (yet), or another authority signs. */
export const isStale = (
  { certificate: pem }: Pick<ServingPair, "certificate">,
  signer: string,
  now: number
): boolean => {
  const validity = validityOf(pem)
  if (isWorn(validity, now) || !isValid(validity, now)) return true
  const authority = new X509Certificate(signer)
  const certificate = new X509Certificate(pem)
  return !certificate.checkIssued(authority) || !certificate.verify(authority.publicKey)
}

/** A new one, checked as a client would. */
export const makeLeaf = Effect.fn("certificates.makeLeaf")(
  function*(authority: Authority, names: ReadonlyArray<string>) {
    const pair = yield* issueLeaf(authority.current, names)
    const refused = checkLeaf(pair, names, bundleOf(authority), yield* Clock.currentTimeMillis)
    if (refused !== undefined) return yield* new LeafError({ detail: refused })
    return { ...pair, notAfter: validityOf(pair.certificate).to } satisfies ServingPair
  }
)

/**
 * Keeps `pair` good, for ever. The wall clock is looked at every minute, as certificates go by it and machines sleep: a timer of
 * days would come days too late.
 */
export const keepLeaf = Effect.fnUntraced(function*(options: {
  readonly authority: SubscriptionRef.SubscriptionRef<Option.Option<Authority>>
  readonly pair: SubscriptionRef.SubscriptionRef<Option.Option<ServingPair>>
  readonly names: ReadonlyArray<string>
}): Effect.fn.Return<never, never, SecureRandom.SecureRandom> {
  const sayings = makeSayings()
  const look = Effect.gen(function*() {
    const authority = Option.getOrUndefined(yield* SubscriptionRef.get(options.authority))
    if (authority === undefined) return
    const held = Option.getOrUndefined(yield* SubscriptionRef.get(options.pair))
    const now = yield* Clock.currentTimeMillis
    if (held !== undefined && !isStale(held, authority.current.certificate, now)) return
    const fresh = yield* makeLeaf(authority, options.names)
    yield* SubscriptionRef.set(options.pair, Option.some(fresh))
    sayings.forget()
    yield* Effect.logInfo(
      `a certificate for the admission webhooks has been issued, good until ${new Date(fresh.notAfter).toISOString()}`
    )
  }).pipe(
    Effect.catch((error) => sayings.once(error.message, Effect.logError(`${error.message}; tried again every minute`)))
  )
  yield* Stream.merge(Stream.tick("1 minute"), SubscriptionRef.changes(options.authority)).pipe(
    Stream.runForEach(() => look)
  )
  return yield* Effect.never
})
