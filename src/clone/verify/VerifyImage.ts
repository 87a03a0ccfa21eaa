// Looks at one image in the backup to its last blob: tags, manifests (read and hashed, because they are small), configs and
// layers. Says what is wrong with which part. Edge: changes nothing; the source is asked only what the backup cannot say.
import { Effect, Option, Result } from "effect"
import { protectionTag } from "../../image/BackupName.ts"
import type { Digest } from "../../image/Digest.ts"
import type { ImageReference } from "../../image/ImageReference.ts"
import { schema1, schema1Signed } from "../../image/ManifestDocument.ts"
import type { Repository } from "../../image/Repository.ts"
import type { ManifestHead } from "../../registry/api/Manifests.ts"
import type { Progress } from "../Progress.ts"
import type { Walk } from "../tree/Walk.ts"
import type { Counter } from "../Counter.ts"
import { checkOf } from "./Damage.ts"
import { type Asked, Findings, named, type Problem, type VerifyContext, verifyTree } from "./VerifyTree.ts"

/** An image that the backup should hold. */
export interface Target {
  /** Where it was copied from; undefined where nothing tells. */
  readonly source: ImageReference | undefined
  readonly backup: ImageReference
}

/**
 * `source-only`: the backup does not have it, the source does. `missing`: nobody is known to have it.
 * `unknown`: the backup could not be asked.
 */
export type Status = "whole" | "damaged" | "source-only" | "missing" | "unknown"

export interface Finding {
  readonly target: Target
  readonly status: Status
  /** One sentence; empty for what is whole. */
  readonly detail: string
  /** What the backup's reference names, as far as that is known. */
  readonly digest: Digest | undefined
  /** Every manifest and config digest below it that could be read. */
  readonly contents: ReadonlySet<Digest>
  readonly manifests: number
  /** Distinct ones that the manifests name, with their sizes. */
  readonly blobs: number
  readonly bytes: number
  readonly problems: ReadonlyArray<Problem>
}

/** Is this a manifest in Docker's format of before 2017? Its copy has another digest. */
export const isSchema1 = ({ mediaType }: ManifestHead): boolean => mediaType === schema1 || mediaType === schema1Signed

const tagOf = (source: ImageReference | undefined): string => source?.tag ?? "latest"

const repositoryOf = ({ registry, repository }: ImageReference): Repository => ({ registry, repository })

/** One image that is looked at, and what has been seen of it. */
class Inquiry {
  readonly #target: Target
  readonly #registry: VerifyContext["registry"]
  readonly #counter: Counter
  readonly #walk: Walk<never>
  readonly #found: Findings
  constructor(
    target: Target,
    registry: VerifyContext["registry"],
    counter: Counter,
    walk: Walk<never>,
    found: Findings
  ) {
    this.#target = target
    this.#registry = registry
    this.#counter = counter
    this.#walk = walk
    this.#found = found
  }

  #atBackup(reference: string): Effect.Effect<Asked> {
    return Effect.result(this.#registry.headManifest(repositoryOf(this.#target.backup), reference))
  }

  #atSource(reference: string): Effect.Effect<Asked> {
    const { source } = this.#target
    return source === undefined
      ? Effect.succeed(Result.succeed(Option.none()))
      : Effect.result(this.#registry.headManifest(repositoryOf(source), reference))
  }

  #finding(status: Status, detail: string, digest?: Digest): Finding {
    const { manifests, problems } = this.#found
    const { contents } = this.#walk
    return { target: this.#target, status, detail, digest, contents, manifests, ...this.#counter.total, problems }
  }

  /** The backup has nothing of it: who has? */
  #absent(asked: Asked): Finding {
    const there = "the backup does not have it"
    if (this.#target.source === undefined) {
      return this.#finding("missing", `${there}, and nothing tells what it was copied from`)
    }
    if (Result.isFailure(asked)) {
      return this.#finding("missing", `${there}, and the source cannot be asked: ${asked.failure.detail}`)
    }
    return Option.isSome(asked.success)
      ? this.#finding("source-only", `${there}, the source does`)
      : this.#finding("missing", `${there}, and the source does not have it either`)
  }

  #conclude(digest: Digest): Finding {
    const { problems, trouble } = this.#found
    if (problems.length === 0) return this.#finding(trouble === undefined ? "whole" : "unknown", trouble ?? "", digest)
    const count = `${problems.length} ${problems.length === 1 ? "part is" : "parts are"} not right`
    const detail = trouble === undefined ? count : `${count}, and not all could be seen: ${trouble}`
    return this.#finding("damaged", detail, digest)
  }

  /** Walks all below the root, then looks at the tag that protects it. */
  readonly #below = Effect.fnUntraced({ self: this }, function*(digest: Digest, sourceHead?: ManifestHead) {
    const { source } = this.#target
    yield* this.#walk.from(digest)
    const keeps = yield* this.#atBackup(protectionTag(digest))
    if (named(keeps)?.digest === digest) return this.#conclude(digest)
    const original = sourceHead ??
      (source?.digest === undefined ? named(yield* this.#atSource(tagOf(source))) : undefined)
    // what was converted is kept by the tag of what it was converted from
    const converted = original !== undefined && isSchema1(original) &&
      named(yield* this.#atBackup(protectionTag(original.digest)))?.digest === digest
    if (!converted) this.#found.noteTag(protectionTag(digest), digest, keeps)
    return this.#conclude(digest)
  })

  readonly byDigest = Effect.fnUntraced({ self: this }, function*(digest: Digest) {
    const head = yield* this.#atBackup(digest)
    const check = Result.isFailure(head) ? checkOf(head.failure) : undefined
    if (check?._tag === "Unknown") return this.#finding("unknown", check.detail)
    if (named(head) !== undefined || check !== undefined) return yield* this.#below(digest)
    // an image in schema 1 has been converted: its own digest is the name of a tag
    const converted = named(yield* this.#atBackup(protectionTag(digest)))
    if (converted === undefined || converted.digest === digest) return this.#absent(yield* this.#atSource(digest))
    yield* this.#walk.from(converted.digest)
    return this.#conclude(converted.digest)
  })

  readonly byTag = Effect.fnUntraced({ self: this }, function*(tag: string) {
    const head = yield* this.#atBackup(tag)
    const found = named(head)
    if (found !== undefined) return yield* this.#below(found.digest)
    if (Result.isFailure(head) && checkOf(head.failure)._tag === "Unknown") {
      return this.#finding("unknown", head.failure.message)
    }
    // the tag is lost; the image may still be there, and the source knows which one it was
    const asked = yield* this.#atSource(tag)
    const original = named(asked)
    if (original === undefined) return this.#absent(asked)
    const inBackup = yield* this.#atBackup(isSchema1(original) ? protectionTag(original.digest) : original.digest)
    const broken = Result.isFailure(inBackup) && checkOf(inBackup.failure)._tag === "Wrong"
    const kept = named(inBackup)?.digest ?? (broken && !isSchema1(original) ? original.digest : undefined)
    if (kept === undefined) return this.#absent(asked)
    this.#found.noteTag(tag, kept, head)
    return yield* this.#below(kept, original)
  })
}

/** Looks at one image. Never fails: what cannot be found out is `unknown`. */
export const verifyImage = Effect.fnUntraced(function*(context: VerifyContext, target: Target, progress: Progress) {
  const { backup } = target
  const counter = progress.count()
  const found = new Findings()
  const walk = yield* verifyTree(context, repositoryOf(backup), counter, found)
  const inquiry = new Inquiry(target, context.registry, counter, walk, found)
  return yield* backup.digest === undefined ? inquiry.byTag(tagOf(backup)) : inquiry.byDigest(backup.digest)
})
