// Blobs of a repository: look, mount, open, store. Source: OCI distribution-spec, "Pushing blobs": POST, then one PUT,
// or PATCHes where a registry has refused that.
// Edge: moving bytes from an opened blob into a PUT is clone/Transfer.ts.
import { Effect, FiberSet, Option, type Scope } from "effect"
import type { Readable } from "node:stream"
import { algorithmOf, type Digest, isAnother } from "../image/Digest.ts"
import type { Access, Identity, Repository } from "./Access.ts"
import type { Bandwidth } from "./Bandwidth.ts"
import { makeBoundedMap } from "./BoundedMap.ts"
import type { BufferPool } from "./BufferPool.ts"
import { chunkBytes, leastChunkBytes, makeChunks, mostChunkBytes, smallerChunk } from "./Chunks.ts"
import { firstOf, refusal } from "./Classify.ts"
import type { BodySink } from "./Dispatch.ts"
import { targetOf } from "./Manifests.ts"
import { type RegistryError, registryError, type RegistryReason } from "./RegistryError.ts"
import { retrying } from "./Retry.ts"
import type { Session, Spec } from "./Session.ts"
import type { Answer, Transport } from "./Transport.ts"

/** A place where one blob can be put, as the registry gave it. */
export interface Upload {
  readonly repository: Repository
  readonly location: URL
  /** The least size of a chunk, the last one aside (OCI-Chunk-Min-Length); 0 where the registry does not say. */
  readonly chunkMin: number
  /** Who has begun it, and goes on with it. */
  readonly by: Identity
}

/** A blob whose bytes wait to be read. */
export interface OpenBlob {
  /** Of the whole blob, as the registry says; undefined when it does not. */
  readonly size: number | undefined
  /** Where in the blob its bytes begin. */
  readonly offset: number
  readonly start: (sink: BodySink) => void
  readonly resume: () => void
  /** Nanoseconds it was held back by MAX_BANDWIDTH so far. */
  readonly rested: () => bigint
  /** Bytes that were handed on are needed no more: for who does not write them to a socket, which says so by itself. */
  readonly release: (chunk: Buffer) => void
  /** Ends the connection unless all has been read. */
  readonly close: () => void
}

export interface Blobs {
  readonly hasBlob: (repository: Repository, digest: Digest) => Effect.Effect<boolean, RegistryError>
  /**
   * None where it is not there; else its size in bytes as far as the registry tells, which need not be true. Fails with
   * status 405 at registries that know no HEAD of blobs.
   */
  readonly headBlob: (
    repository: Repository,
    digest: Digest
  ) => Effect.Effect<Option.Option<{ readonly size: number | undefined }>, RegistryError>
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
  /** Opens a blob, from `offset` on if the registry knows ranges, else from its start; it is closed with the scope. */
  readonly openBlob: (
    repository: Repository,
    digest: Digest,
    offset: number
  ) => Effect.Effect<OpenBlob, RegistryError, Scope.Scope>
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

const numberOf = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined

/** `bytes 5-9/10`; the size may be `*`. */
const partOf = (text: string | undefined) => {
  const match = /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15}|\*)$/i.exec(text?.trim() ?? "")
  return match === null ? undefined : { first: Number(match[1]), size: numberOf(match[2]) }
}

const chunkMinOf = (answer: Answer): number => numberOf(firstOf(answer.headers["oci-chunk-min-length"])) ?? 0

const outcomeUnknown: ReadonlySet<RegistryReason> = new Set(["Timeout", "Unreachable", "Unavailable"])
/** A blob whose PUT was cut off so often is sent in chunks: something on the way may not like its size. */
const mostResets = 2

/** `ends`: where uploads are ended behind everybody's back; whoever closes the client waits for it a while. */
export const makeBlobs = (
  transport: Transport,
  session: Session,
  access: Access,
  { bandwidth, pool }: { readonly bandwidth: Bandwidth; readonly pool: BufferPool },
  ends: FiberSet.FiberSet
): Blobs => {
  const { limits } = transport
  const retry = retrying(limits)

  const spec = (
    method: Spec["method"],
    repository: Repository,
    digest: Digest | undefined,
    path: string | URL
  ): Spec => ({
    operation: `${method} blob`,
    target: digest === undefined ? `${repository.registry}/${repository.repository}` : targetOf(repository, digest),
    method,
    repository,
    path,
    actions: access.roleOf(repository) === "backup" ? "pull,push" : "pull",
    cost: "free",
    agent: "control",
    most: limits.errorBytes
  })

  const ours = (of: Spec) =>
    access.roleOf(of.repository) === "backup"
      ? Effect.void
      : Effect.fail(registryError({ ...of, reason: "Refused", detail: "it is not under the backup's prefix" }))

  const headBlob: Blobs["headBlob"] = Effect.fnUntraced(function*(repository, digest) {
    const request = spec("HEAD", repository, digest, `/v2/${repository.repository}/blobs/${digest}`)
    const answer = yield* retry(Effect.filterOrElse(
      session.run(request, transport.send),
      (it) => it.status === 200 || it.status === 404,
      (it) => refusal(request, it)
    ))
    return answer.status === 200
      ? Option.some({ size: numberOf(firstOf(answer.headers["content-length"])) })
      : Option.none()
  })

  const hasBlob: Blobs["hasBlob"] = (repository, digest) =>
    headBlob(repository, digest).pipe(
      Effect.map(Option.isSome),
      Effect.catchIf((error) => error.status === 405, () => Effect.succeed(false))
    )

  /** By registry: the smallest blob that it would not take in one request. */
  const largest = makeBoundedMap<string, number>(64)
  /** By registry: how large chunks are sent to it, where the usual ones were refused. */
  const chunkLengths = makeBoundedMap<string, number>(64)
  const chunkLengthOf = (registry: string): number => chunkLengths.get(registry) ?? chunkBytes
  /** By blob: how often its PUT was cut off. */
  const resets = makeBoundedMap<Digest, number>(1024)
  const needsChunks = (registry: string, digest: Digest, size: number) =>
    size >= (largest.get(registry) ?? Infinity) ||
    (size > chunkLengthOf(registry) && (resets.get(digest) ?? 0) >= mostResets)

  /** A blob was refused in one piece because of its size; answers whether chunks may do. */
  const learnLargest = (registry: string, size: number): boolean => {
    if (size <= leastChunkBytes) return false
    largest.set(registry, Math.min(largest.get(registry) ?? Infinity, size))
    let length = chunkLengthOf(registry)
    while (length >= size) length = smallerChunk(length, 0) ?? 0
    chunkLengths.set(registry, length)
    return true
  }

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
    let length = Math.max(chunkLengthOf(registry), upload.chunkMin)
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
        const smaller = error.reason === "TooLarge" ? smallerChunk(chunk.length, upload.chunkMin) : undefined
        if (smaller === undefined) return yield* error
        // mostly what stands before the registry: the registry has seen nothing of it, and goes on where it was
        chunkLengths.set(registry, smaller)
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
    hasBlob,
    headBlob,
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
      const inChunks = body !== undefined && needsChunks(registry, digest, size)
      yield* (inChunks ? putChunks(upload, digest, size, body) : putWhole(upload, digest, size, body)).pipe(
        Effect.catch((error) => {
          if (inChunks || body === undefined) return Effect.fail(error)
          if (error.reason === "TooLarge") {
            return Effect.fail(learnLargest(registry, size) ? registryError({ ...error, retryable: true }) : error)
          }
          if (error.reason === "Unreachable") resets.set(digest, (resets.get(digest) ?? 0) + 1)
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
    }),
    openBlob: Effect.fnUntraced(function*(repository, digest, offset) {
      const request = {
        ...spec("GET", repository, digest, `/v2/${repository.repository}/blobs/${digest}`),
        ...(offset === 0 ? {} : { headers: { range: `bytes=${offset}-` } })
      }
      const answer = yield* session.run(request, transport.open)
      if (answer.stream === undefined) return yield* refusal(request, answer)
      const encoding = firstOf(answer.headers["content-encoding"])
      if (encoding !== undefined && encoding !== "identity") {
        return yield* registryError({ ...request, reason: "Corrupt", detail: `the blob came encoded as ${encoding}` })
      }
      const length = numberOf(firstOf(answer.headers["content-length"]))
      const part = answer.status === 206 ? partOf(firstOf(answer.headers["content-range"])) : undefined
      if (answer.status === 206 && part?.first !== offset) {
        return yield* registryError({
          ...request,
          reason: "Protocol",
          detail: `the registry was asked for the bytes from ${offset} on and sends others`
        })
      }
      const stream = yield* bandwidth.pace(answer.stream, length)
      return {
        size: answer.status === 206 ? part?.size : length,
        offset: part?.first ?? 0,
        resume: stream.resume,
        rested: stream.rested,
        release: (chunk) => pool.give(chunk),
        close: stream.abort,
        start: (sink) =>
          stream.start(
            // only a body of known length yields exactly one slice per read (BufferPool.disown)
            length !== undefined ? sink : {
              ...sink,
              data: (chunk) => {
                pool.disown(chunk)
                return sink.data(chunk)
              }
            }
          )
      }
    })
  }
}
