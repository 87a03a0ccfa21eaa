// Rotation: which step of replacing an authority is due. Nobody may meet a certificate that it does not trust yet, so the next one is
// published first, signs only when every webhook configuration carries it, and the previous one goes when nothing that it
// signed is served any more. Each step is one write of the Secret: a process that is killed leaves one state or the other.
// Edge: pure; steps that need a new authority are given one.
import { Duration } from "effect"
import { X509Certificate } from "node:crypto"
import type { Announced, Authority, Settled, Switched } from "./Authority.ts"
import { type KeyPair, leafLife } from "./IssueCertificates.ts"

/** For how long every configuration must have carried the bundle: API servers cache configurations, each for itself. */
const settling = Duration.toMillis("2 minutes")
/** The life of a leaf, and a day for clocks that differ and replicas that have not looked. */
const overlap = Duration.toMillis(leafLife) + Duration.toMillis("1 day")

/** How far ahead another replica's clock may be. */
const tolerance = Duration.toMillis("1 hour")

export interface Validity {
  /** Milliseconds since the epoch, both. */
  readonly from: number
  readonly to: number
}

/** Of a PEM certificate. */
export const validityOf = (certificate: string): Validity => {
  const { validFromDate, validToDate } = new X509Certificate(certificate)
  return { from: validFromDate.getTime(), to: validToDate.getTime() }
}

/** Whether two thirds of the life are over, as cert-manager has it: a third is left for whatever goes wrong. */
export const isWorn = ({ from, to }: Validity, now: number): boolean => now >= from + (to - from) * 2 / 3

export const isValid = ({ from, to }: Validity, now: number): boolean => from <= now && now < to

const announce = ({ current }: Settled | Announced, fresh: KeyPair): Announced => ({
  _tag: "Announced",
  current,
  next: fresh
})

const switchSigner = ({ current, next }: Announced, now: number): Switched => ({
  _tag: "Switched",
  current: next,
  previous: [current.certificate],
  since: now
})

const dropPrevious = ({ current }: Switched): Settled => ({ _tag: "Settled", current })

/** Without notice: the current one has expired, and nobody trusts it as it is. It stays in the bundle, in case only our clock is wrong. */
const replace = ({ current }: Authority, fresh: KeyPair, now: number): Switched => ({
  _tag: "Switched",
  current: fresh,
  previous: [current.certificate],
  since: now
})

/** What is due: a state to write, or one to be made with a new authority. */
export type Step =
  | { readonly _tag: "Wait" }
  | { readonly _tag: "Write"; readonly authority: Authority; readonly because: string }
  | { readonly _tag: "Issue"; readonly made: (fresh: KeyPair) => Authority; readonly because: string }

const wait: Step = { _tag: "Wait" }

/**
 * @param now milliseconds since the epoch
 * @param published for how many milliseconds every configuration has carried the bundle; undefined: not all do
 */
export const stepOf = (authority: Authority, now: number, published: number | undefined): Step => {
  const current = validityOf(authority.current.certificate)
  const expired = now >= current.to
  const renewal: Step = {
    _tag: "Issue",
    made: (fresh) => replace(authority, fresh, now),
    because: "the authority has expired: a new one signs at once, and the API server trusts it as soon as the webhook "
      + "configurations carry it"
  }
  switch (authority._tag) {
    case "Settled":
      if (expired) return renewal
      return isWorn(current, now)
        ? {
          _tag: "Issue",
          made: (fresh) => announce(authority, fresh),
          because: "two thirds of the authority's life are over: the next one is published, to be trusted"
        }
        : wait
    case "Announced": {
      const next = validityOf(authority.next.certificate)
      if (now >= next.to) {
        return expired ? renewal : {
          _tag: "Issue",
          made: (fresh) => announce(authority, fresh),
          because: "the next authority has expired before it signed anything: another one is published"
        }
      }
      return isValid(next, now) && (expired || (published !== undefined && published >= settling))
        ? {
          _tag: "Write",
          authority: switchSigner(authority, now),
          because: expired
            ? "the authority has expired: the next one signs"
            : "every webhook configuration carries the next authority: it signs from now on"
        }
        : wait
    }
    case "Switched":
      if (expired) return renewal
      // a moment that far in the future was written by a clock that is wrong
      if (authority.since === undefined || authority.since > now + tolerance) {
        return {
          _tag: "Write",
          authority: { ...authority, since: now },
          because: "the previous authority stays for eight days from now on"
        }
      }
      return now - authority.since >= overlap
        ? {
          _tag: "Write",
          authority: dropPrevious(authority),
          because: "nothing that the previous authority signed is served any more: it is no longer trusted"
        }
        : wait
  }
}
