// What an answer says of a manifest. Bytes stay as they are; digests are computed here, never believed.
// Source: OCI distribution-spec, "Pulling manifests". Edge: asking, and whom, is Manifests.ts.
import { Effect, Result } from "effect"
import { encodingOf, labelsOf } from "../../http/ContentEncoding.ts"
import { firstOf } from "../../http/HeaderValues.ts"
import { pageOf } from "../../http/WebPage.ts"
import { algorithmOf, type Digest, digestOf, isDigest } from "../../image/Digest.ts"
import { mayBeSchema1 } from "../../image/ManifestDocument.ts"
import { signedPayload } from "../../image/SignedManifest.ts"
import type { Spec } from "../auth/Attempt.ts"
import type { Limits } from "../Limits.ts"
import { type RegistryError, registryError } from "../RegistryError.ts"
import type { Answer } from "../transport/Transport.ts"
import type { Manifest, ManifestHead } from "./Manifests.ts"

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

/** Why a manifest is not sent, or not worth what is below it. */
export const tooLarge = ({ length }: Uint8Array, { manifestBytes }: Limits): string =>
  `the manifest has ${length} bytes; registries take ${manifestBytes}`

/** Artifactory answers 403 for manifests that its virtual repositories do not have (RTFACT-13797). */
export const isArtifactory = ({ headers }: Answer): boolean =>
  headers["x-jfrog-version"] !== undefined || headers["x-artifactory-id"] !== undefined

/**
 * Bytes that were changed on the way, which a digest of them would not show where they were asked for by a tag. The label alone
 * says nothing: what begins like JSON is.
 */
const isCompressed = ({ body, headers }: Answer): boolean =>
  encodingOf(headers) !== undefined && !/^\s*\{/.test(body.toString("latin1", 0, 64))

const mediaTypeOf = ({ headers }: Answer): string => firstOf(headers["content-type"]) ?? ""

/** The manifest of a 200 to a GET. Fails with `Corrupt` when its bytes are not those of the digest that was asked for. */
export const manifestIn = Effect.fnUntraced(
  function*(
    request: Spec,
    answer: Answer,
    reference: string,
    limits: Limits
  ): Effect.fn.Return<Manifest, RegistryError> {
    if (isCompressed(answer)) {
      const detail = `the manifest came compressed${labelsOf(answer.headers)}`
      return yield* registryError({ ...request, reason: "Corrupt", detail })
    }
    const page = pageOf(answer)
    if (page !== undefined) {
      const detail = `${page} came in place of a manifest: is a login before the registry, or no registry there at all?`
      return yield* registryError({ ...request, reason: "Protocol", detail })
    }
    const bytes = answer.body
    const mediaType = mediaTypeOf(answer)
    if (bytes.length > limits.manifestBytes && !mayBeSchema1(mediaType)) {
      return yield* registryError({ ...request, reason: "Unsupported", detail: tooLarge(bytes, limits) })
    }
    const digest = yield* Effect.mapError(
      Effect.fromResult(identify(bytes, mediaType, reference)),
      (detail) => registryError({ ...request, reason: "Invalid", detail })
    )
    if (isDigest(reference) && digest !== reference) {
      const detail = `the registry sent other bytes, whose digest is ${digest}${labelsOf(answer.headers)}`
      return yield* registryError({ ...request, reason: "Corrupt", detail })
    }
    return { bytes, mediaType, digest }
  }
)

/** What a 200 to a HEAD tells; undefined where it names no digest. */
export const headIn = (answer: Answer, reference: string): ManifestHead | undefined => {
  const told = firstOf(answer.headers["docker-content-digest"])
  if (told === undefined || !isDigest(told)) return undefined
  // what is there by one algorithm may be told of by another
  const other = isDigest(reference) && algorithmOf(reference) !== algorithmOf(told)
  return {
    digest: other ? reference : told,
    mediaType: mediaTypeOf(answer),
    metered: answer.headers["ratelimit-limit"] !== undefined
  }
}
