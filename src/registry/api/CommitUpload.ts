// The PUT that ends an upload, with the whole blob in it or after the last chunk, and what its answer comes to.
// Source: OCI distribution-spec, "Pushing blobs".
import { Duration, Effect } from "effect"
import type { Readable } from "node:stream"
import { firstOf } from "../../http/HeaderValues.ts"
import { type Digest, isAnother } from "../../image/Digest.ts"
import type { Spec } from "../auth/Attempt.ts"
import { saysExpired } from "../identity/Expired.ts"
import type { SessionAnswer } from "../auth/Session.ts"
import { refusal } from "../Classify.ts"
import { type RegistryError, registryError } from "../RegistryError.ts"
import { lookingAgain } from "../Retry.ts"
import type { Blobs } from "./Blobs.ts"
import { aboutBlob, type ApiParts } from "./Requests.ts"
import type { Upload } from "./Upload.ts"

/** Sends `size` bytes of `body`, nothing without one, and succeeds once the registry has the blob of this digest. */
export type CommitUpload = (
  upload: Upload,
  digest: Digest,
  size: number,
  body: Readable | undefined
) => Effect.Effect<void, RegistryError>

/** From this size on a body is on its way for so long that a login can end meanwhile. */
const largeBytes = 64 * 1024 * 1024
/** Refused at its end, it would be sent again from its beginning. */
const largeTime = Duration.minutes(30)

// appended as text: parsing and writing the query anew could alter what the registry encoded into it
const withDigest = ({ href }: URL, digest: Digest): URL => {
  const separator = !href.includes("?") ? "?" : href.endsWith("?") ? "" : "&"
  return new URL(`${href}${separator}digest=${encodeURIComponent(digest)}`)
}

export const makeCommitUpload = (options: ApiParts & { readonly hasBlob: Blobs["hasBlob"] }): CommitUpload => {
  const { hasBlob, limits, requests, session } = options

  const stored = Effect.fnUntraced(function*(request: Spec, answer: SessionAnswer, digest: Digest) {
    const { status } = answer
    if (status === 201) {
      const told = firstOf(answer.headers["docker-content-digest"])
      if (!isAnother(told, digest)) return
      return yield* registryError({
        ...request,
        reason: "Corrupt",
        status,
        detail: `the registry stored ${told} instead`
      })
    }
    if (status === 401 || saysExpired(answer)) {
      // the token ended between the POST and the PUT; the upload that is opened next has a fresh one
      const error = yield* Effect.flip(refusal(request, answer))
      return yield* registryError({ ...error, retryable: true })
    }
    if (status < 200 || status >= 300) return yield* refusal(request, answer)
    // some say 200, 202 or 204 and mean it; a look tells, and it may come too early
    if (!(yield* lookingAgain(limits)(hasBlob(request.repository, digest), (there) => there))) {
      return yield* registryError({
        ...request,
        reason: "Unavailable",
        status,
        detail: `the registry answered ${status} and does not have the blob`
      })
    }
  })

  return Effect.fnUntraced(function*(upload, digest, size, body) {
    const request = yield* requests.write({
      ...aboutBlob("PUT", upload.repository, digest, withDigest(upload.location, digest)),
      headers: { "content-type": "application/octet-stream", "content-length": String(size) },
      body: body ?? new Uint8Array(0),
      agent: "upload",
      as: upload.by,
      once: body !== undefined,
      ...(body !== undefined && size >= largeBytes ? { lasting: largeTime } : {}),
      timeout: limits.commitTimeout
    })
    yield* stored(request, yield* session.send(request), digest)
  })
}
