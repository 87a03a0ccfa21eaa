// ReferrersSeen: what refers to an image, brought over beside it: signatures, SBOMs, attestations. Remembers whether all of it came.
import { Effect } from "effect"
import type { Digest } from "../../image/Digest.ts"
import { copyReferrers, type ReferrerContext } from "../tree/CopyReferrers.ts"
import type { Job } from "./Job.ts"

export class ReferrersSeen {
  readonly #job: Job
  #complete = true
  constructor(job: Job) {
    this.#job = job
  }

  /** Has it been brought over in the last hours, or is it not wanted? */
  isKnown(digest: Digest): boolean {
    const { environment: { ledger, referrers }, into } = this.#job
    return !referrers || ledger.signed(into.repository, digest)
  }

  /**
   * Brings over what refers to these manifests.
   * @param before the image has been here before: what the backup lists already is not looked at again
   */
  bring(context: ReferrerContext, subjects: ReadonlyArray<Digest>, before: boolean): Effect.Effect<void> {
    if (!this.#job.environment.referrers) return Effect.void
    return Effect.map(copyReferrers(context, subjects, before), (complete) => {
      this.#complete &&= complete
    })
  }

  /** An image that is there already may have been signed since it was looked at. */
  renew(digest: Digest, subjects: ReadonlyArray<Digest>): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.isKnown(digest)
        ? Effect.void
        : Effect.map(this.bring(this.#job.walk(), subjects, true), () => this.note(digest))
    )
  }

  /** Remembers that all of it came, if so. */
  note(digest: Digest): void {
    const { environment: { ledger, referrers }, into } = this.#job
    if (referrers && this.#complete) ledger.noteSigned(into.repository, digest)
  }
}
