// Uploads: blobs into a repository: mount, open, store. Source: OCI distribution-spec, "Pushing blobs": POST, then one PUT, or PATCHes
// where a registry has refused that.
// Edge: moving bytes from an opened blob into a PUT is clone/Transfer.ts; which sizes pass is UploadSizes'.
import { Effect, FiberSet } from "effect"
import type { Readable } from "node:stream"
import { firstOf, numberOf } from "../../http/HeaderValues.ts"
import { algorithmOf, type Digest, isAnother } from "../../image/Digest.ts"
import type { Repository } from "../../image/Repository.ts"
import type { Spec } from "../auth/Attempt.ts"
import type { Access, Identity } from "../auth/Identities.ts"
import type { Session } from "../auth/Session.ts"
import { refusal } from "../Classify.ts"
import { type RegistryError, registryError, type RegistryReason } from "../RegistryError.ts"
import { retrying } from "../Retry.ts"
import type { Answer, Transport } from "../transport/Transport.ts"
import { makeChunks, mostChunkBytes } from "./Chunks.ts"
import { makeUploadSizes } from "./UploadSizes.ts"

/** A place where one blob can be put, as the registry gave it. */
export interface Upload {
  readonly repository: Repository
  readonly location: URL
  /** The least size of a chunk, the last one aside (OCI-Chunk-Min-Length); 0 where the registry does not say. */
  readonly chunkMin: number
  /** Who has begun it, and goes on with it. */
  readonly by: Identity
}

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

const locate = (
  of: Spec,
  answer: Answer & { readonly identity: Identity },
  chunkMin: number
): Effect.Effect<Upload, RegistryError> => {
  const text = firstOf(answer.headers["location"])
  if (text === undefined || !URL.canParse(text, answer.url)) {
    return Effect.fail(registryError({ ...of, reason: "Protocol", detail: "the upload has no usable Location" }))
  }
  const location = new URL(text, answer.url)
  // never sent, and a query behind it would not be either
  location.hash = ""
  // a registry behind a proxy may not know that it is spoken to over TLS
  if (location.protocol !== answer.url.protocol && location.hostname === answer.url.hostname) {
    location.protocol = answer.url.protocol
    location.port = answer.url.port
  }
  return location.protocol === "https:" || location.protocol === answer.url.protocol
    ? Effect.succeed({ repository: of.repository, location, chunkMin, by: answer.identity })
    : Effect.fail(registryError({ ...of, reason: "Refused", detail: "the upload's Location would leave TLS" }))
}

const chunkMinOf = (answer: Answer): number => numberOf(firstOf(answer.headers["oci-chunk-min-length"])) ?? 0

const outcomeUnknown: ReadonlySet<RegistryReason> = new Set(["Timeout", "Unreachable", "Unavailable"])

interface Parts {
  readonly transport: Transport
  readonly session: Session
  readonly access: Access
  /** Makes a request about a blob, or about a repository. */
  readonly spec: (
    method: Spec["method"],
    repository: Repository,
    digest: Digest | undefined,
    path: string | URL
  ) => Spec
  readonly hasBlob: (repository: Repository, digest: Digest) => Effect.Effect<boolean, RegistryError>
  /** Where uploads are ended behind everybody's back; whoever closes the client waits for it a while. */
  readonly ends: FiberSet.FiberSet
}

export const makeUploads = ({ access, ends, hasBlob, session, spec, transport }: Parts): Uploads => {
  const { limits } = transport
  const retry = retrying(limits)
  const sizes = makeUploadSizes()

  const ours = (of: Spec) =>
    access.roleOf(of.repository) === "backup"
      ? Effect.void
      : Effect.fail(registryError({ ...of, reason: "Refused", detail: "it is not under the backup's prefix" }))

  const stored = Effect.fnUntraced(function*(request: Spec, answer: Answer, digest: Digest) {
    const told = firstOf(answer.headers["docker-content-digest"])
    if (answer.status === 201 && isAnother(told, digest)) {
      return yield* registryError({
        ...request,
        reason: "Corrupt",
        status: answer.status,
        detail: `the registry stored ${told} instead`
      })
    }
    if (answer.status === 201) return
    if (answer.status === 401) {
      // the token ended between the POST and the PUT; the upload that is opened next has a fresh one
      const error = yield* Effect.flip(refusal(request, answer))
      return yield* registryError({ ...error, retryable: true })
    }
    if (answer.status < 200 || answer.status >= 300) return yield* refusal(request, answer)
    // some say 200, 202 or 204 and mean it; one look tells
    if (!(yield* hasBlob(request.repository, digest))) {
      return yield* registryError({
        ...request,
        reason: "Unavailable",
        status: answer.status,
        detail: `the registry answered ${answer.status} and does not have the blob`
      })
    }
  })

  const commit = (upload: Upload, digest: Digest, size: number, body: Readable | undefined): Spec => {
    // appended as text: parsing and writing the query anew could alter what the registry encoded into it
    const { href } = upload.location
    const separator = !href.includes("?") ? "?" : href.endsWith("?") ? "" : "&"
    const location = new URL(`${href}${separator}digest=${encodeURIComponent(digest)}`)
    return {
      ...spec("PUT", upload.repository, digest, location),
      headers: { "content-type": "application/octet-stream", "content-length": String(size) },
      body: body ?? new Uint8Array(0),
      agent: "upload",
      as: upload.by,
      once: body !== undefined,
      timeout: limits.commitTimeout
    }
  }

  const putWhole = Effect.fnUntraced(
    function*(upload: Upload, digest: Digest, size: number, body: Readable | undefined) {
      const request = commit(upload, digest, size, body)
      yield* ours(request)
      yield* stored(request, yield* session.run(request, transport.send), digest)
    }
  )

  const putChunks = Effect.fnUntraced(function*(upload: Upload, digest: Digest, size: number, body: Readable) {
    const request = spec("PATCH", upload.repository, digest, upload.location)
    yield* ours(request)
    const { registry } = upload.repository
    let length = Math.max(sizes.chunkLength(registry), upload.chunkMin)
    if (length > mostChunkBytes) {
      return yield* registryError({
        ...request,
        reason: "Unsupported",
        detail: `the registry wants chunks of ${upload.chunkMin} bytes; at most ${mostChunkBytes} are sent`
      })
    }
    const chunks = makeChunks(body)
    let at = upload
    let read: Buffer = Buffer.alloc(0)
    for (let from = 0; from < size;) {
      if (read.length === 0) {
        read = yield* Effect.mapError(
          chunks.next(Math.min(length, size - from)),
          () => registryError({ ...request, reason: "Unreachable", detail: "the blob's bytes ended early" })
        )
      }
      const chunk = read.subarray(0, length)
      const patch: Spec = {
        ...request,
        path: at.location,
        headers: {
          "content-type": "application/octet-stream",
          "content-length": String(chunk.length),
          // without "bytes", as the specification has it
          "content-range": `${from}-${from + chunk.length - 1}`
        },
        body: chunk,
        agent: "upload",
        as: upload.by,
        timeout: limits.commitTimeout
      }
      const answer = yield* session.run(patch, transport.send)
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
      if (answer.headers["location"] !== undefined) at = yield* locate(patch, answer, upload.chunkMin)
    }
    const last = commit(at, digest, 0, undefined)
    yield* stored(last, yield* session.run(last, transport.send), digest)
  })

  return {
    mountBlob: Effect.fnUntraced(function*(repository, digest, from) {
      const query = `?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from.repository)}`
      const request = {
        ...spec("POST", repository, digest, `${uploads(repository)}${query}`),
        ...(from.repository === repository.repository ? {} : { from: from.repository })
      }
      yield* ours(request)
      // a host that wants rest gets it at the request that follows, which is tried again
      const answer = yield* Effect.orElseSucceed(session.run(request, transport.send), () => undefined)
      if (answer === undefined) return undefined
      if (answer.status === 201 || answer.status === 200 || answer.status === 204) return "mounted"
      return answer.status === 202
        ? yield* Effect.orElseSucceed(locate(request, answer, chunkMinOf(answer)), () => undefined)
        : undefined
    }),
    startUpload: Effect.fnUntraced(function*(repository, digest) {
      const algorithm = digest === undefined ? "sha256" : algorithmOf(digest)
      const query = algorithm === "sha256" ? "" : `?digest-algorithm=${algorithm}`
      const request = spec("POST", repository, undefined, `${uploads(repository)}${query}`)
      yield* ours(request)
      const answer = yield* retry(Effect.filterOrElse(
        session.run(request, transport.send),
        (it) => it.status === 202 || it.status === 201,
        (it) => refusal(request, it)
      ))
      return yield* locate(request, answer, chunkMinOf(answer))
    }),
    cancelUpload: (upload) =>
      session.run(
        { ...spec("DELETE", upload.repository, undefined, upload.location), as: upload.by },
        transport.send
      ).pipe(
        Effect.timeoutOrElse({ duration: "5 seconds", orElse: () => Effect.void }),
        // nothing depends on it, and many registries do not allow it
        Effect.ignore,
        // not waited for: it is asked by finalizers too, which nothing could interrupt while a registry hangs
        FiberSet.run(ends),
        Effect.asVoid
      ),
    putBlob: Effect.fnUntraced(function*(upload, digest, size, body) {
      const { registry } = upload.repository
      const inChunks = body !== undefined && sizes.needsChunks(registry, digest, size)
      yield* (inChunks ? putChunks(upload, digest, size, body) : putWhole(upload, digest, size, body)).pipe(
        Effect.catch((error) => {
          if (inChunks || body === undefined) return Effect.fail(error)
          if (error.reason === "TooLarge") {
            return Effect.fail(
              sizes.refusedWhole(registry, size) ? registryError({ ...error, retryable: true }) : error
            )
          }
          if (error.reason === "Unreachable") sizes.cutOff(digest)
          return Effect.fail(error)
        }),
        // the answer was lost, not the blob
        Effect.catchIf(
          (error) => outcomeUnknown.has(error.reason),
          (error) =>
            Effect.flatMap(
              Effect.orElseSucceed(hasBlob(upload.repository, digest), () => false),
              (there) => there ? Effect.void : Effect.fail(error)
            )
        )
      )
    })
  }
}
