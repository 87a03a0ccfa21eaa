// Blobs of a repository: look and open. Source: OCI distribution-spec, "Pulling blobs". Edge: storing them is Uploads.ts.
import { Effect, type FiberSet, Option, type Scope } from "effect"
import { labelsOf } from "../../http/ContentEncoding.ts"
import { firstOf, numberOf } from "../../http/HeaderValues.ts"
import type { Cloud } from "../../image/CloudNames.ts"
import type { Digest } from "../../image/Digest.ts"
import type { Repository } from "../../image/Repository.ts"
import type { SessionAnswer } from "../auth/Session.ts"
import { refusal } from "../Classify.ts"
import type { CloudRepositories } from "../identity/CloudRepositories.ts"
import { type RegistryError, registryError, type RegistryReason } from "../RegistryError.ts"
import { retrying } from "../Retry.ts"
import type { Bandwidth, PacedStream } from "../transport/Bandwidth.ts"
import type { BufferPool } from "../transport/BufferPool.ts"
import { aboutBlob, type ApiParts } from "./Requests.ts"
import { makeUploads, type Uploads } from "./Uploads.ts"

/** A blob whose bytes wait to be read: a stream that rests for MAX_BANDWIDTH, and where it is in the blob. */
export interface OpenBlob extends PacedStream {
  /** Of the whole blob, as the registry says; undefined when it does not. */
  readonly size: number | undefined
  /** Where in the blob its bytes begin. */
  readonly offset: number
  /** What the registry says of how they are encoded, and what they are, for the end of messages: their digest decides. */
  readonly labels?: string
  /** Bytes that were handed on are needed no more: for who does not write them to a socket, which says so by itself. */
  readonly release: (chunk: Buffer) => void
}

export interface Blobs extends Uploads {
  readonly hasBlob: (repository: Repository, digest: Digest) => Effect.Effect<boolean, RegistryError>
  /**
   * None where it is not there; else its size in bytes as far as the registry tells, which need not be true. Fails with
   * `NotAllowed` at registries that know no HEAD of blobs.
   */
  readonly headBlob: (
    repository: Repository,
    digest: Digest
  ) => Effect.Effect<Option.Option<{ readonly size: number | undefined }>, RegistryError>
  /**
   * Opens a blob, from `offset` on if the registry knows ranges, else from its start; it is closed with the scope. Fails with
   * `Protocol` where the registry has nothing from there on, or sends other bytes.
   */
  readonly openBlob: (
    repository: Repository,
    digest: Digest,
    offset: number
  ) => Effect.Effect<OpenBlob, RegistryError, Scope.Scope>
}

const unknown: ReadonlySet<RegistryReason> = new Set(["NotAllowed", "Policy"])

const refusedHeads: ReadonlySet<number> = new Set([400, 403, 405, 501])

/** The registry has it, or it would lead nowhere; storage refuses a HEAD by a link that was signed for a GET. */
const isRefusedByStorage = ({ elsewhere, status }: Pick<SessionAnswer, "elsewhere" | "status">): boolean =>
  elsewhere && refusedHeads.has(status)

const pathOf = ({ repository }: Repository, digest: Digest) => `/v2/${repository}/blobs/${digest}`

/** `bytes 5-9/10`; the size may be `*`. */
const partOf = (text: string | undefined) => {
  const match = /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15}|\*)$/i.exec(text?.trim() ?? "")
  return match === null ? undefined : { first: Number(match[1]), size: numberOf(match[2]) }
}

export const makeBlobs = (
  options: ApiParts & {
    readonly bandwidth: Bandwidth
    readonly pool: BufferPool
    /** Both for UploadSessions. */
    readonly ends: FiberSet.FiberSet
    readonly repositories: CloudRepositories
    /** Whose registry it is, for the form in which blobs are sent. */
    readonly cloudIn: (registry: string) => Cloud | undefined
  }
): Blobs => {
  const { bandwidth, cloudIn, ends, limits, pool, repositories, requests, session } = options
  const retry = retrying(limits)

  const headBlob: Blobs["headBlob"] = Effect.fnUntraced(function*(repository, digest) {
    const request = requests.read(aboutBlob("HEAD", repository, digest, pathOf(repository, digest)))
    const answer = yield* retry(Effect.filterOrElse(
      session.send(request),
      (it) => it.status === 200 || it.status === 404 || isRefusedByStorage(it),
      (it) => refusal(request, it)
    ))
    if (isRefusedByStorage(answer)) return Option.some({ size: undefined })
    return answer.status === 200
      ? Option.some({ size: numberOf(firstOf(answer.headers["content-length"])) })
      : Option.none()
  })

  const hasBlob: Blobs["hasBlob"] = (repository, digest) =>
    headBlob(repository, digest).pipe(
      Effect.map(Option.isSome),
      // nobody knows: it is sent
      Effect.catchIf((error) => unknown.has(error.reason), () => Effect.succeed(false))
    )

  return {
    ...makeUploads({ session, requests, limits, hasBlob, ends, repositories, cloudIn }),
    hasBlob,
    headBlob,
    openBlob: Effect.fnUntraced(function*(repository, digest, offset) {
      const request = requests.read({
        ...aboutBlob("GET", repository, digest, pathOf(repository, digest)),
        ...(offset === 0 ? {} : { headers: { range: `bytes=${offset}-` } })
      })
      const answer = yield* session.open(request)
      if (answer.stream === undefined) {
        return yield* Effect.mapError(
          refusal(request, answer),
          (error) => answer.status === 416 ? registryError({ ...error, reason: "Protocol" }) : error
        )
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
        ...stream,
        size: answer.status === 206 ? part?.size : length,
        offset: part?.first ?? 0,
        labels: labelsOf(answer.headers),
        release: (chunk) => pool.give(chunk),
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
