// What refers to a manifest: signatures, SBOMs, attestations. Sources: OCI distribution-spec, "Listing referrers" and
// "Referrers tag schema". Edge: finds and lists; copying them is clone/tree/CopyReferrers.ts.
import { Clock, Effect, Option, Schema } from "effect"
import { makeBoundedMap } from "../../collections/BoundedMap.ts"
import { makeExpiringSet } from "../../collections/ExpiringSet.ts"
import { firstOf } from "../../http/HeaderValues.ts"
import { algorithmOf, type Digest, hexOf, isDigest } from "../../image/Digest.ts"
import { ociIndex } from "../../image/ManifestDocument.ts"
import { type Repository, targetOf } from "../../image/Repository.ts"
import type { Spec } from "../auth/Attempt.ts"
import { refusal } from "../Classify.ts"
import { type RegistryError, registryError } from "../RegistryError.ts"
import { retrySchedule } from "../Retry.ts"
import type { Manifests } from "./Manifests.ts"
import type { ApiParts } from "./Requests.ts"

/** A referrer as lists describe it. Unknown members are dropped. */
const ReferrerDescriptor = Schema.Struct({
  mediaType: Schema.String,
  digest: Schema.String.pipe(Schema.refine(isDigest)),
  size: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
  artifactType: Schema.optionalKey(Schema.String),
  annotations: Schema.optionalKey(Schema.NullOr(Schema.Record(Schema.String, Schema.String)))
})
export type ReferrerDescriptor = typeof ReferrerDescriptor.Type

const ReferrerIndex = Schema.fromJsonString(Schema.Struct({
  manifests: Schema.optionalKey(Schema.NullOr(Schema.Array(ReferrerDescriptor)))
}))
const decode = Schema.decodeUnknownOption(ReferrerIndex)

export interface Referrers {
  /** All that the registry lists, at most `mostReferrers`; by the API, else by the fallback tag. */
  readonly referrersOf: (
    repository: Repository,
    digest: Digest
  ) => Effect.Effect<ReadonlyArray<ReferrerDescriptor>, RegistryError>
}

export const mostReferrers = 100
const mostPages = 10
const unsupportedNanos = 6n * 3_600_000_000_000n
/** A registry that has not answered in time is not asked for so long: each image would wait for it again. */
const silentNanos = 10n * 60_000_000_000n

/** The tag under which clients keep the list where a registry has no API for it. */
export const fallbackTag = (digest: Digest): string =>
  `${algorithmOf(digest).slice(0, 32)}-${hexOf(digest).slice(0, 64)}`

const nextOf = (link: string | undefined): string | undefined =>
  /<([^<>]+)>\s*;[^<]*\brel="?next"?/i.exec(link ?? "")?.[1]

const listed = (of: Pick<Spec, "operation" | "target">, bytes: Uint8Array) =>
  Option.match(decode(new TextDecoder().decode(bytes)), {
    onNone: () => Effect.fail(registryError({ ...of, reason: "Protocol", detail: "the list of referrers is none" })),
    onSome: (it) => Effect.succeed(it.manifests ?? [])
  })

export const makeReferrers = (options: ApiParts & { readonly manifests: Manifests }): Referrers => {
  const { limits, manifests, requests, session } = options
  // no second try after a time-out: an image's tag waits for this, and is worth more than its signatures
  const retry = <A>(effect: Effect.Effect<A, RegistryError>) =>
    Effect.retry(effect, { schedule: retrySchedule(limits), while: ({ reason }) => reason !== "Timeout" })
  const silent = makeBoundedMap<string, { readonly error: RegistryError; readonly until: bigint }>(1024)
  /** Registries without the API. */
  const unsupported = makeExpiringSet(1024, unsupportedNanos)

  /** What the fallback tag of the subject lists; nothing where there is none. */
  const fallbackOf: Referrers["referrersOf"] = Effect.fnUntraced(function*(repository, digest) {
    const tag = fallbackTag(digest)
    const head = yield* manifests.headManifest(repository, tag)
    if (Option.isNone(head)) return []
    const { bytes } = yield* manifests.getManifest(repository, head.value.digest)
    return yield* listed({ operation: "GET referrers", target: targetOf(repository, tag) }, bytes)
  })

  /** The API's list; `none` where the registry has no such API, `closed` where it is not for us, here or now. */
  const byApi = Effect.fnUntraced(function*(repository: Repository, digest: Digest) {
    const found: Array<ReferrerDescriptor> = []
    let path = `/v2/${repository.repository}/referrers/${digest}`
    for (let page = 0; page < mostPages && found.length < mostReferrers; page++) {
      const request = requests.read({
        operation: "GET referrers",
        target: targetOf(repository, digest),
        method: "GET",
        repository,
        path,
        headers: { accept: ociIndex },
        most: limits.manifestBytes,
        // GHCR sends whoever asks to a web page on another host
        ownOrigin: true
      })
      const answer = yield* retry(Effect.filterOrElse(
        session.send(request),
        (it) => it.status < 500 || it.status === 501,
        (it) => refusal(request, it)
      ))
      const type = firstOf(answer.headers["content-type"])?.split(";")[0]?.trim().toLowerCase()
      if (answer.status !== 200 || type !== ociIndex) {
        if (page > 0) return found
        return answer.status === 401 || answer.status === 403 ? "closed" : "none"
      }
      found.push(...(yield* listed(request, answer.body)))
      const next = nextOf(firstOf(answer.headers["link"]))
      if (next === undefined || !URL.canParse(next, answer.url)) return found
      const url = new URL(next, answer.url)
      // a list goes on where it began, or not at all
      if (url.origin !== answer.url.origin || url.pathname !== answer.url.pathname) return found
      path = url.pathname + url.search
    }
    return found
  })

  return {
    referrersOf: Effect.fnUntraced(function*(repository, digest) {
      const now = yield* Clock.monotonicTimeNanos
      const silence = silent.get(repository.registry)
      if (silence !== undefined && silence.until > now) return yield* silence.error
      const known = unsupported.has(repository.registry, now)
      const found = known ? "closed" : yield* Effect.tapError(byApi(repository, digest), (error) =>
        Effect.sync(() => {
          if (error.reason === "Timeout") silent.set(repository.registry, { error, until: now + silentNanos })
        }))
      if (found === "none") unsupported.add(repository.registry, now)
      return (typeof found === "string" ? yield* fallbackOf(repository, digest) : found).slice(0, mostReferrers)
    })
  }
}
