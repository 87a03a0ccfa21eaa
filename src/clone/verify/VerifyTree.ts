// VerifyTree: what is wrong with the manifests and blobs of an image in the backup: a visitor of the walk that notes and goes on.
// Edge: tags are VerifyImage's, single blobs VerifyBlobs'.
import { Effect, Option, Result } from "effect"
import type { Digest } from "../../image/Digest.ts"
import type { Repository } from "../../image/Repository.ts"
import type { ManifestHead, Manifests } from "../../registry/api/Manifests.ts"
import { quoted, type RegistryError } from "../../registry/RegistryError.ts"
import type { Counter } from "../Counter.ts"
import { makeWalk, type Part, type Place, type Read, type Visitor, type Walk } from "../tree/Walk.ts"
import { type Check, checkOf, type Fault } from "./Damage.ts"
import type { BlobChecks } from "./VerifyBlobs.ts"

export interface Problem {
  readonly part: "tag" | "manifest" | Part
  /** A tag or a digest. */
  readonly name: string
  readonly fault: Fault
  readonly detail: string
}

export interface VerifyContext {
  readonly registry: Manifests
  readonly blobs: BlobChecks
}

/** What a HEAD says: a head, none, or a registry that fails at it. */
export type Asked = Result.Result<Option.Option<ManifestHead>, RegistryError>

export const named = (asked: Asked): ManifestHead | undefined =>
  Result.isSuccess(asked) ? Option.getOrUndefined(asked.success) : undefined

/** What has been found out so far. */
export class Findings {
  readonly problems: Array<Problem> = []
  /** Manifests that could be read. */
  manifests = 0
  /** Why something could not be found out; the walk ends there, since the next question would not be answered either. */
  trouble: string | undefined

  note(part: Problem["part"], name: string, check: Check): void {
    if (check._tag === "Wrong") this.problems.push({ part, name, fault: check.fault, detail: quoted(check.detail) })
    if (check._tag === "Unknown") this.trouble ??= check.detail
  }

  /** A tag that should name the digest, and what was answered when it was asked for. */
  noteTag(tag: string, digest: Digest, asked: Asked): void {
    const other = named(asked)
    this.note(
      "tag",
      tag,
      Result.isFailure(asked)
        ? checkOf(asked.failure)
        : other === undefined
        ? { _tag: "Wrong", fault: "missing", detail: `nothing is tagged so; it is to name ${digest}` }
        : { _tag: "Wrong", fault: "moved", detail: `it names ${other.digest} instead of ${digest}` }
    )
  }
}

/** The walk over what a repository of the backup holds; never fails. */
export const verifyTree = (
  { blobs, registry }: VerifyContext,
  repository: Repository,
  counter: Counter,
  found: Findings
): Effect.Effect<Walk<never>> => {
  const wrong = (digest: Digest, fault: Fault, detail: string) =>
    Effect.sync(() => found.note("manifest", digest, { _tag: "Wrong", fault, detail }))

  /** Both have the bytes of their digests: the index was made so, and to send either again mends nothing. */
  const compare = ({ digest, stated }: Place, { length }: Uint8Array): void => {
    if (stated === undefined || stated.size === length) return
    const detail = `it says that ${digest} has ${stated.size} bytes, which has ${length}`
    found.note("manifest", stated.by, { _tag: "Wrong", fault: "invalid", detail })
  }

  const visitor: Visitor<Read, never> = {
    read: (place) =>
      Effect.suspend(() =>
        found.trouble === undefined
          ? Effect.match(registry.getManifest(repository, place.digest), {
            onFailure: (error) => {
              found.note("manifest", place.digest, checkOf(error))
              return undefined
            },
            onSuccess: (manifest) => {
              found.manifests++
              compare(place, manifest.bytes)
              return { manifest }
            }
          })
          : Effect.undefined
      ),
    unfit: ({ digest }, detail) => wrong(digest, "invalid", detail),
    schema1: ({ digest }, { manifest: { mediaType } }) =>
      wrong(digest, "invalid", `manifests of type ${mediaType} are not kept in a backup`),
    either: ({ digest }, as) =>
      Effect.flatMap(
        Effect.result(registry.headManifest(repository, digest)),
        (asked) => named(asked) === undefined ? as.blob : as.manifest
      ),
    blob: (blob, part) =>
      Effect.suspend(() => {
        // neither a part of what was seen nor of what is missing
        if (found.trouble !== undefined) return Effect.sync(() => counter.drop(blob.digest))
        return Effect.map(blobs.check(repository, blob, (count) => counter.move(blob.digest, count)), (check) => {
          // a foreign layer is at its vendor's, and need not be anywhere else
          if (blob.foreign && check._tag === "Wrong" && check.fault === "missing") return counter.drop(blob.digest)
          counter.settle(blob, "present")
          found.note(part, blob.digest, check)
        })
      })
  }
  return makeWalk(visitor, counter, { children: 3, blobs: "unbounded", most: Infinity })
}
