// Sends a blob's bytes into an upload chunk by chunk, smaller ones where the registry refuses their size.
// Source: OCI distribution-spec, "Pushing a blob in chunks". Edge: the PUT that ends it is CommitUpload.ts; cutting the body
// into chunks is Chunks.ts.
import { Effect } from "effect"
import type { Readable } from "node:stream"
import type { Digest } from "../../image/Digest.ts"
import { refusal } from "../Classify.ts"
import { type RegistryError, registryError } from "../RegistryError.ts"
import { makeChunks, mostChunkBytes } from "./Chunks.ts"
import { aboutBlob, type ApiParts } from "./Requests.ts"
import { locationIn, type Upload } from "./Upload.ts"
import type { UploadSizes } from "./UploadSizes.ts"

/** Answers with the upload as it is after the last byte: only its newest Location can be committed. */
export type SendChunks = (
  upload: Upload,
  digest: Digest,
  size: number,
  body: Readable
) => Effect.Effect<Upload, RegistryError>

export const makeSendChunks = (options: ApiParts & { readonly sizes: UploadSizes }): SendChunks => {
  const { limits, requests, session, sizes } = options
  return Effect.fnUntraced(function*(upload, digest, size, body) {
    const request = yield* requests.write({
      ...aboutBlob("PATCH", upload.repository, digest, upload.location),
      agent: "upload",
      as: upload.by,
      timeout: limits.commitTimeout
    })
    const { registry } = upload.repository
    let length = Math.max(sizes.chunkLength(registry), upload.chunkMin)
    if (length > mostChunkBytes) {
      const detail = `the registry wants chunks of ${upload.chunkMin} bytes; at most ${mostChunkBytes} are sent`
      return yield* registryError({ ...request, reason: "Unsupported", detail })
    }
    const chunks = makeChunks(body)
    let location = upload.location
    let read: Buffer = Buffer.alloc(0)
    for (let from = 0; from < size;) {
      if (read.length === 0) {
        read = yield* Effect.mapError(
          chunks.next(Math.min(length, size - from)),
          () => registryError({ ...request, reason: "Unreachable", detail: "the blob's bytes ended early" })
        )
      }
      const chunk = read.subarray(0, length)
      const patch = {
        ...request,
        path: location,
        headers: {
          "content-type": "application/octet-stream",
          "content-length": String(chunk.length),
          // without "bytes", as the specification has it
          "content-range": `${from}-${from + chunk.length - 1}`
        },
        body: chunk
      }
      const answer = yield* session.send(patch)
      // 202 is right; others say the same with 201 or 204
      if (answer.status < 200 || answer.status >= 300) {
        const error = yield* Effect.flip(refusal(patch, answer))
        const smaller = error.reason === "TooLarge"
          ? sizes.refusedChunk(registry, chunk.length, upload.chunkMin)
          : undefined
        if (smaller === undefined) return yield* error
        // mostly what stands before the registry: the registry has seen nothing of it, and goes on where it was
        length = smaller
        continue
      }
      from += chunk.length
      read = read.subarray(chunk.length)
      // the newest Location is the one that counts: it may carry the state of the upload
      if (answer.headers["location"] !== undefined) location = yield* locationIn(patch, answer)
    }
    return { ...upload, location }
  })
}
