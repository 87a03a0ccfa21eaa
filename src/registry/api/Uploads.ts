// Uploads: blobs into a repository. Source: OCI distribution-spec, "Pushing blobs": POST, then one PUT, or PATCHes where a registry
// has refused that. Edge: sessions are begun and ended by UploadSessions; moving bytes from an opened blob into a PUT is
// clone/blob/Transfer.ts; which sizes pass is UploadSizes'.
import { Effect, type FiberSet } from "effect"
import type { Readable } from "node:stream"
import type { Cloud } from "../../image/CloudNames.ts"
import type { Digest } from "../../image/Digest.ts"
import type { CloudRepositories } from "../identity/CloudRepositories.ts"
import { type RegistryError, registryError, type RegistryReason } from "../RegistryError.ts"
import type { Blobs } from "./Blobs.ts"
import { makeCommitUpload } from "./CommitUpload.ts"
import type { ApiParts } from "./Requests.ts"
import { makeSendChunks } from "./SendChunks.ts"
import type { Upload } from "./Upload.ts"
import { makeUploadSessions, type UploadSessions } from "./UploadSessions.ts"
import { makeUploadSizes } from "./UploadSizes.ts"

export interface Uploads extends UploadSessions {
  /**
   * Sends the body as the whole blob, in chunks where the registry is known to refuse it in one piece. Not retried here:
   * the body can be read once. An outcome that stays unknown is found out by a HEAD.
   */
  readonly putBlob: (
    upload: Upload,
    digest: Digest,
    size: number,
    body: Readable | undefined
  ) => Effect.Effect<void, RegistryError>
}

const outcomeUnknown: ReadonlySet<RegistryReason> = new Set(["Timeout", "Unreachable", "Unavailable"])

export const makeUploads = (
  options: ApiParts & {
    readonly hasBlob: Blobs["hasBlob"]
    /** Both for UploadSessions. */
    readonly ends: FiberSet.FiberSet
    readonly repositories: CloudRepositories
    readonly cloudIn: (registry: string) => Cloud | undefined
  }
): Uploads => {
  const { hasBlob, limits, requests, session } = options
  const sizes = makeUploadSizes(options.cloudIn)
  const commit = makeCommitUpload({ session, requests, limits, hasBlob })
  const sendChunks = makeSendChunks({ session, requests, limits, sizes })

  /** In one request; takes note of what speaks for chunks next time. */
  const putWhole = (upload: Upload, digest: Digest, size: number, body: Readable) =>
    commit(upload, digest, size, body).pipe(Effect.catch((error) => {
      if (error.reason === "Unreachable") sizes.cutOff(digest)
      const chunksMayDo = error.reason === "TooLarge" && sizes.refusedWhole(upload.repository.registry, size)
      return Effect.fail(chunksMayDo ? registryError({ ...error, retryable: true }) : error)
    }))

  return {
    ...makeUploadSessions(options),
    putBlob: Effect.fnUntraced(function*(upload, digest, size, body) {
      const put = body === undefined
        ? commit(upload, digest, size, body)
        : sizes.needsChunks(upload.repository.registry, digest, size)
        ? Effect.flatMap(sendChunks(upload, digest, size, body), (sent) => commit(sent, digest, 0, undefined))
        : putWhole(upload, digest, size, body)
      yield* Effect.catchIf(
        put,
        (error) => outcomeUnknown.has(error.reason),
        // the answer was lost, not the blob
        (error) =>
          Effect.flatMap(
            Effect.orElseSucceed(hasBlob(upload.repository, digest), () => false),
            (there) => there ? Effect.void : Effect.fail(error)
          )
      )
    })
  }
}
