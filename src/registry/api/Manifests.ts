// Manifests of a repository: look, fetch, push. Bytes stay as they are; digests are computed here, never believed.
// Source: OCI distribution-spec, "Pulling manifests" and "Pushing manifests".
import { Effect, Option, Result } from "effect"
import { firstOf } from "../../http/HeaderValues.ts"
import { algorithmOf, type Digest, digestOf, isAnother, isDigest } from "../../image/Digest.ts"
import { acceptManifests, mayBeSchema1 } from "../../image/ManifestDocument.ts"
import { type Repository, targetOf } from "../../image/Repository.ts"
import { signedPayload } from "../../image/SignedManifest.ts"
import type { Spec } from "../auth/Attempt.ts"
import type { Access } from "../auth/Identities.ts"
import type { Session } from "../auth/Session.ts"
import { refusal } from "../Classify.ts"
import type { Limits } from "../Limits.ts"
import type { Reachability } from "../Reachability.ts"
import { type RegistryError, registryError } from "../RegistryError.ts"
import { retrying } from "../Retry.ts"
import type { Answer, Transport } from "../transport/Transport.ts"

/** What a HEAD tells of a manifest. */
export interface ManifestHead {
  readonly digest: Digest
  readonly mediaType: string
  /** The registry counts what is read of it, or may: it announced a budget, or answered no HEAD. */
  readonly metered: boolean
}

/** A manifest's bytes with their own digest; that of a signed one of Docker's schema 1 is the digest of what is signed. */
export interface Manifest {
  readonly bytes: Uint8Array
  readonly mediaType: string
  readonly digest: Digest
}

export interface Manifests {
  /**
   * None where the registry says that it is not there. `first`: nothing is lost yet where a registry that gives no answer is
   * not asked again, or not at all (Reachability.ts).
   */
  readonly headManifest: (
    repository: Repository,
    reference: string,
    first?: boolean
  ) => Effect.Effect<Option.Option<ManifestHead>, RegistryError>
  /** Fails with `Corrupt` when the bytes are not those of the digest that was asked for. */
  readonly getManifest: (
    repository: Repository,
    reference: string,
    first?: boolean
  ) => Effect.Effect<Manifest, RegistryError>
  /** Only below the backup's prefix; anything else fails with `Refused`. */
  readonly putManifest: (
    repository: Repository,
    reference: string,
    manifest: Manifest
  ) => Effect.Effect<void, RegistryError>
}

/** The digest of a manifest that came for a reference: of its bytes, or of what is signed of them in schema 1. */
const identify = (bytes: Uint8Array, mediaType: string, reference: string): Result.Result<Digest, string> => {
  const algorithm = isDigest(reference) ? algorithmOf(reference) : "sha256"
  const digest = digestOf(bytes, algorithm)
  if (digest === reference || !mayBeSchema1(mediaType)) return Result.succeed(digest)
  return Result.map(
    signedPayload(bytes),
    (payload) => payload === undefined ? digest : digestOf(payload, algorithm)
  )
}

/** Artifactory answers 403 for manifests that its virtual repositories do not have (RTFACT-13797). */
const isArtifactory = ({ headers }: Answer): boolean =>
  headers["x-jfrog-version"] !== undefined || headers["x-artifactory-id"] !== undefined

/** Why a manifest is not sent, or not worth what is below it. */
export const tooLarge = ({ length }: Uint8Array, { manifestBytes }: Limits): string =>
  `the manifest has ${length} bytes; registries take ${manifestBytes}`

export const makeManifests = (options: {
  readonly transport: Transport
  readonly session: Session
  readonly access: Access
  readonly reachability: Reachability
  /** Whether first questions leave registries alone that give no answer; asked at every question. */
  readonly spareSilent: () => boolean
}): Manifests => {
  const { access, reachability, session, spareSilent, transport } = options
  const { limits } = transport
  const retry = retrying(limits)

  const spec = (method: "GET" | "HEAD" | "PUT", repository: Repository, reference: string): Spec => ({
    operation: `${method} manifest`,
    target: targetOf(repository, reference),
    method,
    repository,
    path: `/v2/${repository.repository}/manifests/${reference}`,
    actions: method === "PUT" || access.roleOf(repository) === "backup" ? "pull,push" : "pull",
    headers: method === "PUT" ? {} : { accept: acceptManifests },
    cost: method === "GET" ? "counted" : "free",
    agent: "control",
    most: access.roleOf(repository) === "backup" ? limits.manifestBytes : limits.sourceManifestBytes,
    hides: method !== "PUT"
  })

  /** In the backup: whether the login may write is found out by writing. */
  const hidden = (repository: Repository, answer: Answer): boolean =>
    answer.status === 403 && access.roleOf(repository) === "backup" && isArtifactory(answer)

  const fetchOnce = Effect.fnUntraced(function*(repository: Repository, reference: string, anonymous: boolean) {
    const request = { ...spec("GET", repository, reference), anonymous }
    const answer = yield* session.run(request, transport.send)
    if (hidden(repository, answer)) {
      return yield* registryError({
        ...request,
        reason: "NotFound",
        status: 403,
        detail: "Artifactory does not show it"
      })
    }
    if (answer.status !== 200) return yield* refusal(request, answer)
    if (
      answer.headers["content-encoding"] !== undefined && firstOf(answer.headers["content-encoding"]) !== "identity"
    ) {
      return yield* registryError({ ...request, reason: "Corrupt", detail: "the manifest came compressed" })
    }
    if (answer.anonymous) yield* access.provenPublic(repository)
    const mediaType = firstOf(answer.headers["content-type"]) ?? ""
    if (answer.body.length > limits.manifestBytes && !mayBeSchema1(mediaType)) {
      return yield* registryError({ ...request, reason: "Unsupported", detail: tooLarge(answer.body, limits) })
    }
    const digest = yield* Effect.mapError(
      Effect.fromResult(identify(answer.body, mediaType, reference)),
      (detail) => registryError({ ...request, reason: "Invalid", detail })
    )
    if (isDigest(reference) && digest !== reference) {
      return yield* registryError({
        ...request,
        reason: "Corrupt",
        detail: `the registry sent other bytes, whose digest is ${digest}`
      })
    }
    const manifest: Manifest = { bytes: answer.body, mediaType, digest }
    return manifest
  })

  const headOnce = Effect.fnUntraced(function*(repository: Repository, reference: string, anonymous: boolean) {
    const request = { ...spec("HEAD", repository, reference), anonymous }
    const answer = yield* session.run(request, transport.send)
    if (answer.status === 404 || hidden(repository, answer)) return Option.none<ManifestHead>()
    const told = firstOf(answer.headers["docker-content-digest"])
    if (answer.status === 200 && answer.anonymous) yield* access.provenPublic(repository)
    if (answer.status === 200 && told !== undefined && isDigest(told)) {
      // what is there by one algorithm may be told of by another
      const other = isDigest(reference) && algorithmOf(reference) !== algorithmOf(told)
      return Option.some({
        digest: other ? reference : told,
        mediaType: firstOf(answer.headers["content-type"]) ?? "",
        metered: answer.headers["ratelimit-limit"] !== undefined
      })
    }
    // a HEAD has no body to say why: 403 can be a rate limit, 405 a registry without HEAD, 200 may lack the digest
    if (answer.status !== 200 && answer.status !== 403 && answer.status !== 405) return yield* refusal(request, answer)
    return yield* fetchOnce(repository, reference, anonymous).pipe(
      Effect.map((it) => Option.some({ digest: it.digest, mediaType: it.mediaType, metered: true })),
      Effect.catchIf((error) => error.reason === "NotFound", () => Effect.succeedNone)
    )
  })

  /** Asks as often as is worth it. */
  const asking = (method: "GET" | "HEAD", repository: Repository, reference: string, first: boolean) => {
    const { operation, target } = spec(method, repository, reference)
    return <A>(attempt: Effect.Effect<A, RegistryError>) =>
      retry(
        Effect.suspend(() =>
          reachability.ask(
            { operation, target, registry: repository.registry, spares: first && spareSilent() },
            attempt
          )
        )
      )
  }

  /** A login waits for the proof that anybody may read the repository. */
  const prove = Effect.fnUntraced(function*(repository: Repository, reference: string) {
    if (yield* access.needsProof(repository)) yield* headOnce(repository, reference, true)
  })

  return {
    headManifest: (repository, reference, first = false) =>
      asking("HEAD", repository, reference, first)(headOnce(repository, reference, false)),
    getManifest: (repository, reference, first = false) =>
      asking("GET", repository, reference, first)(
        Effect.andThen(prove(repository, reference), fetchOnce(repository, reference, false))
      ),
    putManifest: Effect.fnUntraced(function*(repository, reference, manifest) {
      const request: Spec = {
        ...spec("PUT", repository, reference),
        headers: { "content-type": manifest.mediaType },
        body: manifest.bytes
      }
      if (access.roleOf(repository) !== "backup") {
        return yield* registryError({ ...request, reason: "Refused", detail: "it is not under the backup's prefix" })
      }
      if (manifest.bytes.length > limits.manifestBytes) {
        return yield* registryError({
          ...request,
          reason: "TooLarge",
          detail: tooLarge(manifest.bytes, limits)
        })
      }
      const answer = yield* retry(Effect.filterOrElse(
        session.run(request, transport.send),
        (it) => it.status >= 200 && it.status < 300,
        (it) => refusal(request, it)
      ))
      const told = firstOf(answer.headers["docker-content-digest"])
      if (isAnother(told, manifest.digest)) {
        return yield* registryError({
          ...request,
          reason: "Corrupt",
          detail: `the registry stored ${told} instead of ${manifest.digest}`
        })
      }
    })
  }
}
