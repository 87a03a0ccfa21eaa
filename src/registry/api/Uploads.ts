// Uploads: blobs into a repository: mount, open, store. Source: OCI distribution-spec, "Pushing blobs": POST, then one PUT, or PATCHes
// where a registry has refused that.
// Edge: moving bytes from an opened blob into a PUT is clone/Transfer.ts; which sizes pass is UploadSizes'.
import { Effect, FiberSet } from "effect"
import type { Readable } from "node:stream"
import { algorithmOf, type Digest } from "../../image/Digest.ts"
import type { Repository } from "../../image/Repository.ts"
import { refusal } from "../Classify.ts"
import { type RegistryError, registryError, type RegistryReason } from "../RegistryError.ts"
import { retrying } from "../Retry.ts"
import type { Blobs } from "./Blobs.ts"
import { makeCommitUpload } from "./CommitUpload.ts"
import { aboutBlob, type ApiParts } from "./Requests.ts"
import { makeSendChunks } from "./SendChunks.ts"
import { openedBy, type Upload } from "./Upload.ts"
import { makeUploadSizes } from "./UploadSizes.ts"

export interface Uploads {
  /**
   * `mounted`, or an upload that may be used instead, or neither: whatever goes wrong here is just no mount. From the
   * repository itself it is a look that opens an upload where there is nothing.
   */
  readonly mountBlob: (
    repository: Repository,
    digest: Digest,
    from: Repository
  ) => Effect.Effect<"mounted" | Upload | undefined, RegistryError>
  /** For a blob of this digest: registries are told which algorithm it will have unless it is the usual one. */
  readonly startUpload: (repository: Repository, digest?: Digest) => Effect.Effect<Upload, RegistryError>
  /** Best effort: sessions that nobody ends are the registry's garbage. */
  readonly cancelUpload: (upload: Upload) => Effect.Effect<void>
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

const uploads = (repository: Repository) => `/v2/${repository.repository}/blobs/uploads/`

const outcomeUnknown: ReadonlySet<RegistryReason> = new Set(["Timeout", "Unreachable", "Unavailable"])

export const makeUploads = (
  options: ApiParts & {
    readonly hasBlob: Blobs["hasBlob"]
    /** Where uploads are ended behind everybody's back; whoever closes the client waits for it a while. */
    readonly ends: FiberSet.FiberSet
  }
): Uploads => {
  const { ends, hasBlob, limits, requests, session } = options
  const retry = retrying(limits)
  const sizes = makeUploadSizes()
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
    mountBlob: Effect.fnUntraced(function*(repository, digest, from) {
      const query = `?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from.repository)}`
      const request = yield* requests.write({
        ...aboutBlob("POST", repository, digest, `${uploads(repository)}${query}`),
        ...(from.repository === repository.repository ? {} : { from: from.repository })
      })
      // a host that wants rest gets it at the request that follows, which is tried again
      const answer = yield* Effect.orElseSucceed(session.send(request), () => undefined)
      if (answer === undefined) return undefined
      if (answer.status === 201 || answer.status === 200 || answer.status === 204) return "mounted"
      return answer.status === 202
        ? yield* Effect.orElseSucceed(openedBy(request, answer), () => undefined)
        : undefined
    }),
    startUpload: Effect.fnUntraced(function*(repository, digest) {
      const algorithm = digest === undefined ? "sha256" : algorithmOf(digest)
      const query = algorithm === "sha256" ? "" : `?digest-algorithm=${algorithm}`
      const request = yield* requests.write(
        aboutBlob("POST", repository, undefined, `${uploads(repository)}${query}`)
      )
      const answer = yield* retry(Effect.filterOrElse(
        session.send(request),
        (it) => it.status === 202 || it.status === 201,
        (it) => refusal(request, it)
      ))
      return yield* openedBy(request, answer)
    }),
    cancelUpload: ({ by, location, repository }) =>
      requests.write({ ...aboutBlob("DELETE", repository, undefined, location), as: by }).pipe(
        Effect.flatMap(session.send),
        Effect.timeoutOrElse({ duration: "5 seconds", orElse: () => Effect.void }),
        // nothing depends on it, and many registries do not allow it
        Effect.ignore,
        // not waited for: it is asked by finalizers too, which nothing could interrupt while a registry hangs
        FiberSet.run(ends),
        Effect.asVoid
      ),
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
