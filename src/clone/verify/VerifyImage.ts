// Walks one image in the backup to its last blob: tags, manifests (read and hashed, because they are small), configs and
// layers. Says what is wrong with which part. Edge: changes nothing; the source is asked only what the backup cannot say.
import { Effect, Option, Result } from "effect"
import { protectionTag } from "../../image/BackupName.ts"
import type { Digest } from "../../image/Digest.ts"
import type { ImageReference } from "../../image/ImageReference.ts"
import type { Repository } from "../../registry/auth/Identities.ts"
import {
  blobsOf,
  type Descriptor,
  isManifestType,
  parseManifest,
  schema1,
  schema1Signed
} from "../../image/ManifestDocument.ts"
import type { ManifestHead, Manifests } from "../../registry/api/Manifests.ts"
import { quoted, type RegistryError } from "../../registry/RegistryError.ts"
import type { Progress } from "../Progress.ts"
import { tooDeep, tooMany } from "../tree/TreeLimits.ts"
import { type BlobChecks, type Check, checkOf, type Fault } from "./VerifyBlobs.ts"

/** An image that the backup should hold. */
export interface Target {
  /** Where it was copied from; undefined where nothing tells. */
  readonly source: ImageReference | undefined
  readonly backup: ImageReference
}

export interface Problem {
  readonly part: "tag" | "manifest" | "config" | "layer"
  /** A tag or a digest. */
  readonly name: string
  readonly fault: Fault
  readonly detail: string
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

export interface VerifyContext {
  readonly registry: Manifests
  readonly blobs: BlobChecks
}

const childrenAtOnce = 3

/** Is this a manifest in Docker's format of before 2017? Its copy has another digest. */
export const isSchema1 = ({ mediaType }: ManifestHead): boolean => mediaType === schema1 || mediaType === schema1Signed

const tagOf = (source: ImageReference | undefined): string => source?.tag ?? "latest"

/** What a HEAD says: a head, none, or a registry that fails at it. */
type Asked = Result.Result<Option.Option<ManifestHead>, RegistryError>

const named = (asked: Asked): ManifestHead | undefined =>
  Result.isSuccess(asked) ? Option.getOrUndefined(asked.success) : undefined

/** Looks at one image. Never fails: what cannot be found out is `unknown`. */
export const verifyImage = Effect.fnUntraced(function*(context: VerifyContext, target: Target, progress: Progress) {
  const { registry } = context
  const { backup, source } = target
  const into: Repository = { registry: backup.registry, repository: backup.repository }
  const atBackup = (reference: string): Effect.Effect<Asked> => Effect.result(registry.headManifest(into, reference))
  const atSource = (reference: string) =>
    source === undefined
      ? Effect.succeed(Result.succeed(Option.none<ManifestHead>()))
      : Effect.result(registry.headManifest({ registry: source.registry, repository: source.repository }, reference))
  const walk = new Walk(context, into, progress)

  const finding = (
    status: Status,
    detail: string,
    digest: Digest | undefined = undefined
  ): Finding => ({
    target,
    status,
    detail,
    digest,
    contents: walk.contents,
    manifests: walk.manifests,
    blobs: walk.sizes.size,
    bytes: [...walk.sizes.values()].reduce((sum, it) => sum + it, 0),
    problems: walk.problems
  })

  /** The backup has nothing of it: who has? */
  const absent = (asked: Asked): Finding => {
    const there = "the backup does not have it"
    if (source === undefined) return finding("missing", `${there}, and nothing tells what it was copied from`)
    if (Result.isFailure(asked)) {
      return finding("missing", `${there}, and the source cannot be asked: ${asked.failure.detail}`)
    }
    return Option.isSome(asked.success)
      ? finding("source-only", `${there}, the source does`)
      : finding("missing", `${there}, and the source does not have it either`)
  }

  const conclude = (digest: Digest): Finding => {
    const { problems, trouble } = walk
    if (problems.length === 0) return finding(trouble === undefined ? "whole" : "unknown", trouble ?? "", digest)
    const count = `${problems.length} ${problems.length === 1 ? "part is" : "parts are"} not right`
    return finding("damaged", trouble === undefined ? count : `${count}, and not all could be seen: ${trouble}`, digest)
  }

  const walkFrom = (digest: Digest) => walk.manifest(digest, 0)

  /** Walks all below the root, then looks at the tag that protects it. */
  const below = Effect.fnUntraced(function*(digest: Digest, sourceHead?: ManifestHead) {
    yield* walkFrom(digest)
    const keeps = yield* atBackup(protectionTag(digest))
    if (named(keeps)?.digest === digest) return conclude(digest)
    const original = sourceHead ?? (source?.digest === undefined ? named(yield* atSource(tagOf(source))) : undefined)
    // what was converted is kept by the tag of what it was converted from
    const converted = original !== undefined && isSchema1(original) &&
      named(yield* atBackup(protectionTag(original.digest)))?.digest === digest
    if (!converted) walk.tag(protectionTag(digest), digest, keeps)
    return conclude(digest)
  })

  const byDigest = Effect.fnUntraced(function*(digest: Digest) {
    const head = yield* atBackup(digest)
    const check = Result.isFailure(head) ? checkOf(head.failure) : undefined
    if (check?._tag === "Unknown") return finding("unknown", check.detail)
    if (named(head) !== undefined || check !== undefined) return yield* below(digest)
    // an image in schema 1 has been converted: its own digest is the name of a tag
    const converted = named(yield* atBackup(protectionTag(digest)))
    if (converted === undefined || converted.digest === digest) return absent(yield* atSource(digest))
    yield* walkFrom(converted.digest)
    return conclude(converted.digest)
  })

  const byTag = Effect.fnUntraced(function*(tag: string) {
    const head = yield* atBackup(tag)
    const found = named(head)
    if (found !== undefined) return yield* below(found.digest)
    if (Result.isFailure(head) && checkOf(head.failure)._tag === "Unknown") {
      return finding("unknown", head.failure.message)
    }
    // the tag is lost; the image may still be there, and the source knows which one it was
    const asked = yield* atSource(tag)
    const original = named(asked)
    if (original === undefined) return absent(asked)
    const inBackup = yield* atBackup(isSchema1(original) ? protectionTag(original.digest) : original.digest)
    const broken = Result.isFailure(inBackup) && checkOf(inBackup.failure)._tag === "Wrong"
    const kept = named(inBackup)?.digest ?? (broken && !isSchema1(original) ? original.digest : undefined)
    if (kept === undefined) return absent(asked)
    walk.tag(tag, kept, head)
    return yield* below(kept, original)
  })

  return yield* backup.digest === undefined ? byTag(tagOf(backup)) : byDigest(backup.digest)
})

class Walk {
  readonly contents = new Set<Digest>()
  /** By digest, of all blobs that are named, held or not. */
  readonly sizes = new Map<Digest, number>()
  readonly problems: Array<Problem> = []
  manifests = 0
  /** Why something could not be found out; the walk ends there, since the next question would not be answered either. */
  trouble: string | undefined
  #descriptors = 0
  readonly #seen = new Set<Digest>()
  readonly #context: VerifyContext
  readonly #repository: Repository
  readonly #progress: Progress
  constructor(context: VerifyContext, repository: Repository, progress: Progress) {
    this.#context = context
    this.#repository = repository
    this.#progress = progress
  }

  #note(part: Problem["part"], name: string, check: Check): void {
    if (check._tag === "Wrong") this.problems.push({ part, name, fault: check.fault, detail: quoted(check.detail) })
    if (check._tag === "Unknown") this.trouble ??= check.detail
  }

  /** A tag that should name the digest, and what was answered when it was asked for. */
  tag(tag: string, digest: Digest, asked: Asked): void {
    const other = named(asked)
    this.#note(
      "tag",
      tag,
      Result.isFailure(asked)
        ? checkOf(asked.failure)
        : other === undefined
        ? { _tag: "Wrong", fault: "missing", detail: `nothing is tagged so; it is to name ${digest}` }
        : { _tag: "Wrong", fault: "moved", detail: `it names ${other.digest} instead of ${digest}` }
    )
  }

  /** `stated`: what the index above says of its size. */
  readonly manifest = (
    digest: Digest,
    depth: number,
    stated?: { readonly by: Digest; readonly size: number }
  ): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (this.trouble !== undefined || this.#seen.has(digest)) return Effect.void
      this.#seen.add(digest)
      this.#progress.manifests.total++
      const wrong = (fault: Fault, detail: string) =>
        Effect.sync(() => this.#note("manifest", digest, { _tag: "Wrong", fault, detail }))
      return Effect.matchEffect(this.#context.registry.getManifest(this.#repository, digest), {
        onFailure: (error) => Effect.sync(() => this.#note("manifest", digest, checkOf(error))),
        onSuccess: ({ bytes, mediaType }) => {
          this.manifests++
          this.#progress.manifests.done++
          if (stated !== undefined && stated.size !== bytes.length) {
            // both have the bytes of their digests: the index was made so, and to send either again mends nothing
            const detail = `it says that ${digest} has ${stated.size} bytes, which has ${bytes.length}`
            this.#note("manifest", stated.by, { _tag: "Wrong", fault: "invalid", detail })
          }
          const parsed = parseManifest(bytes, mediaType)
          if (Result.isFailure(parsed)) return wrong("invalid", parsed.failure)
          const { document } = parsed.success
          if (document._tag === "Schema1") {
            return wrong("invalid", `manifests of type ${mediaType} are not kept in a backup`)
          }
          this.contents.add(digest)
          const parts = document._tag === "Index" ? document.manifests : blobsOf(document)
          this.#descriptors += parts.length
          const beyond = tooMany(this.#descriptors) ?? tooDeep(depth)
          if (beyond !== undefined) return wrong("invalid", beyond)
          if (document._tag === "Index") {
            return Effect.forEach(parts, (it) => this.#child(it, digest, depth + 1), {
              concurrency: childrenAtOnce,
              discard: true
            })
          }
          const config = document._tag === "Image" ? document.config : undefined
          if (config !== undefined) this.contents.add(config.digest)
          return Effect.forEach(
            parts,
            (it) => this.#blob(it, it === config ? "config" : "layer"),
            { concurrency: "unbounded", discard: true }
          )
        }
      })
    })

  /** A child of an index is a manifest; one of an unknown type can be a blob, and is looked for as both. */
  readonly #child = (child: Descriptor, by: Digest, depth: number): Effect.Effect<void> =>
    isManifestType(child.mediaType)
      ? this.manifest(child.digest, depth, { by, size: child.size })
      : Effect.flatMap(
        Effect.result(this.#context.registry.headManifest(this.#repository, child.digest)),
        (asked) =>
          named(asked) === undefined
            ? this.#blob(child, "layer")
            : this.manifest(child.digest, depth, { by, size: child.size })
      )

  readonly #blob = (blob: Descriptor, part: "config" | "layer"): Effect.Effect<void> =>
    Effect.suspend(() => {
      const { blobs, bytes } = this.#progress
      if (this.trouble !== undefined || this.sizes.has(blob.digest)) return Effect.void
      this.sizes.set(blob.digest, blob.size)
      blobs.total++
      bytes.total += blob.size
      let read = 0
      const count = (more: number) => {
        read += more
        bytes.done += more
      }
      return Effect.map(this.#context.blobs.check(this.#repository, blob, count), (check) => {
        blobs.done++
        bytes.done += blob.size - read
        // a foreign layer is at its vendor's, and need not be anywhere else
        if (blob.foreign && check._tag === "Wrong" && check.fault === "missing") {
          this.sizes.delete(blob.digest)
          return
        }
        this.#note(part, blob.digest, check)
      })
    })
}
