// FailedMoves: which tags have moved to an image that could not be copied, and until when that is not tried again: longer each time,
// as for images without a copy. What its tag names next is tried at once. Pure but for its own state; times are uptime in milliseconds.
import { Duration } from "effect"
import type { CloneError } from "../../clone/CloneError.ts"
import type { Digest } from "../../image/Digest.ts"
import { restOf } from "./FailedImages.ts"

interface Move {
  readonly digest: Digest
  readonly reason: CloneError["reason"]
  readonly times: number
  readonly until: number
}

export class FailedMoves {
  readonly #moves = new Map<string, Move>()

  /** Its tag has moved to `digest`, which could not be copied. How long that rests; whether people have been told already. */
  failed(
    source: string,
    digest: Digest,
    error: CloneError,
    now: number
  ): { readonly rest: Duration.Duration; readonly isKnown: boolean } {
    const known = this.#moves.get(source)
    const before = known?.digest === digest ? known : undefined
    const times = (before?.times ?? 0) + 1
    // a copy is there, so that nothing is in a hurry: what may pass soon is tried no sooner than what may not
    const rest = restOf({ retryable: false, side: error.side, retryAfter: error.retryAfter }, times)
    this.#moves.set(source, { digest, reason: error.reason, times, until: now + Duration.toMillis(rest) })
    return { rest, isKnown: before?.reason === error.reason }
  }

  /** How long this digest is still left alone, in milliseconds: 0 where it may be tried. */
  restOf(source: string, digest: Digest, now: number): number {
    const move = this.#moves.get(source)
    return move?.digest === digest ? Math.max(0, move.until - now) : 0
  }

  /** Its tag names this now, or nothing: what it named before is forgotten. */
  named(source: string, digest: Digest | undefined): void {
    if (this.#moves.get(source)?.digest !== digest) this.#moves.delete(source)
  }

  of(source: string): Digest | undefined {
    return this.#moves.get(source)?.digest
  }

  forget(source: string): void {
    this.#moves.delete(source)
  }
}
