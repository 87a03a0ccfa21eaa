// Verifies images in the backup, and repairs them: what is not right is copied from the source again, what the registry has
// wrong bytes of is sent whatever it says of it, and then everything that was wrong is looked at once more, because a
// registry may keep what it has. Edge: which images is the caller's to say.
import { Clock, Effect, Option, Result } from "effect"
import { type Digest, isDigest } from "../../image/Digest.ts"
import type { ImageReference } from "../../image/ImageReference.ts"
import { format } from "../../image/ImageReference.ts"
import { CurrentLimits } from "../../registry/Limits.ts"
import { RegistryClient } from "../../registry/RegistryClient.ts"
import type { CloneError } from "../CloneError.ts"
import { Cloner } from "../Cloner.ts"
import { type CopyProgress, Progress } from "../Progress.ts"
import type { Fault } from "./Damage.ts"
import { type BlobChecks, makeBlobChecks } from "./VerifyBlobs.ts"
import { type Finding, isSchema1, type Target, verifyImage } from "./VerifyImage.ts"
import type { Problem } from "./VerifyTree.ts"

export type { Finding, Status, Target } from "./VerifyImage.ts"
export type { Problem } from "./VerifyTree.ts"

/** One image, as it is in the end. */
export interface Verified extends Finding {
  /** What it was before it was copied again; absent where nothing was. */
  readonly repair?: {
    readonly before: Finding["status"]
    /** Why it could not be copied again; undefined where it was. */
    readonly failure: string | undefined
  }
}

export interface Verifier {
  /** Looks at one image, and repairs it if that is wanted. Never fails. */
  readonly verify: (target: Target) => Effect.Effect<Verified>
  readonly inFlight: Effect.Effect<ReadonlyArray<CopyProgress>>
  readonly totals: BlobChecks["totals"]
}

/** Faults of a part that is there: only sending it again can mend it. */
const resent: ReadonlySet<Fault> = new Set(["size", "corrupt", "unreadable"])

const digestsOf = (problems: ReadonlyArray<Problem>): ReadonlyArray<Digest> =>
  problems.map((it) => it.name).filter(isDigest)

/** Where registries of the Distribution family have a blob, for whoever must remove it by hand. */
const fileOf = (digest: string): string => {
  const [algorithm = "", hex = ""] = digest.split(":")
  return `blobs/${algorithm}/${hex.slice(0, 2)}/${hex}/data`
}

const kept = (problem: Problem): Problem => ({
  ...problem,
  detail:
    `${problem.detail}; it was sent again and is as before: Distribution, for one, keeps any file that it has of a ` +
    `digest. Remove ${fileOf(problem.name)} from its storage, and repair again`
})

export const makeVerifier = Effect.fnUntraced(function*(options: { readonly deep: boolean; readonly repair: boolean }) {
  const registry = yield* RegistryClient
  const cloner = yield* Cloner
  const blobs = yield* makeBlobChecks({ registry, limits: yield* CurrentLimits, deep: options.deep })
  const running = new Set<Progress>()
  /** What the registry keeps however often it is sent: not sent for the next image again. */
  const stubborn = new Set<Digest>()

  const walk = Effect.fnUntraced(function*(target: Target) {
    const progress = new Progress(target.source ?? target.backup, target.backup)
    progress.startedAt = yield* Clock.currentTimeMillis
    running.add(progress)
    return yield* Effect.ensuring(
      verifyImage({ registry, blobs }, target, progress),
      Effect.sync(() => running.delete(progress))
    )
  })

  const wasSchema1 = (source: ImageReference) =>
    registry.headManifest(source, source.tag ?? "latest").pipe(
      Effect.map((head) => Option.isSome(head) && isSchema1(head.value)),
      Effect.orElseSucceed(() => false)
    )

  /** Copies the digest that the backup has, not what the source's tag has come to mean. */
  const copyAgain = Effect.fnUntraced(function*(
    source: ImageReference,
    digest: Digest | undefined,
    damaged: ReadonlySet<Digest>
  ): Effect.fn.Return<void, CloneError> {
    if (digest === undefined || source.digest !== undefined) return yield* Effect.asVoid(cloner.repair(source, damaged))
    const outcome = yield* Effect.result(cloner.repair({ ...source, tag: source.tag ?? "latest", digest }, damaged))
    if (Result.isSuccess(outcome)) return
    // no source has a digest that only converting made
    const { reason, side } = outcome.failure
    if (side !== "source" || reason !== "not-found" || !(yield* wasSchema1(source))) return yield* outcome.failure
    yield* cloner.repair(source, damaged)
  })

  const repair = Effect.fnUntraced(function*(target: Target, source: ImageReference, found: Finding) {
    const damaged = new Set(
      digestsOf(found.problems.filter((it) => resent.has(it.fault))).filter((it) => !stubborn.has(it))
    )
    const outcome = yield* Effect.result(copyAgain(source, found.digest, damaged))
    yield* blobs.forget(target.backup, digestsOf(found.problems))
    const again = yield* walk(target)
    const problems = again.problems.map((it) => {
      if (!resent.has(it.fault) || !isDigest(it.name) || (!damaged.has(it.name) && !stubborn.has(it.name))) return it
      // what a source did not have was not sent; a backup that failed was sent something, or is beyond help as well
      if (Result.isFailure(outcome) && outcome.failure.side === "source") return it
      stubborn.add(it.name)
      return kept(it)
    })
    const verified: Verified = {
      ...again,
      problems,
      repair: { before: found.status, failure: Result.isFailure(outcome) ? outcome.failure.detail : undefined }
    }
    return verified
  })

  const verifier: Verifier = {
    verify: Effect.fnUntraced(function*(target) {
      const found = yield* walk(target)
      if (!options.repair || found.status === "whole" || found.status === "unknown") return found
      if (target.source !== undefined) return yield* repair(target, target.source, found)
      const failure = `nothing tells what ${format(target.backup)} was copied from`
      return { ...found, repair: { before: found.status, failure } }
    }),
    // a copy shows its own bar while it is under way
    inFlight: Effect.map(cloner.inFlight, (copies) => [...Array.from(running, (it) => it.now), ...copies]),
    totals: blobs.totals
  }
  return verifier
})
