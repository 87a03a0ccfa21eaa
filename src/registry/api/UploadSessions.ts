// UploadSessions: how an upload begins, by itself or as a mount that comes to nothing, and how one that nobody uses ends.
// Source: OCI distribution-spec, "Pushing blobs" and "Mounting a blob from another repository".
import { Effect, Fiber, FiberSet, Schedule } from "effect"
import { algorithmOf, type Digest } from "../../image/Digest.ts"
import type { Repository } from "../../image/Repository.ts"
import { refusal } from "../Classify.ts"
import type { CloudError } from "../identity/CloudError.ts"
import type { CloudRepositories } from "../identity/CloudRepositories.ts"
import { isAbsent, type RegistryError, registryError } from "../RegistryError.ts"
import { retrying } from "../Retry.ts"
import { aboutBlob, type ApiParts } from "./Requests.ts"
import { openedBy, type Upload } from "./Upload.ts"

export interface UploadSessions {
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
}

/** To the beginning of an upload it can only be the repository. */
const isMissing: (error: RegistryError) => boolean = isAbsent

const uploads = (repository: Repository) => `/v2/${repository.repository}/blobs/uploads/`

/** How long a repository that has just been made may be unseen. */
const unseen = { schedule: Schedule.spaced("1 second"), times: 10 }

/** The cloud's failure to make a repository, as that of the request that wanted it. */
const notMade = ({ operation, target }: RegistryError) => (cause: CloudError): RegistryError => {
  const reason = cause.retryable ? "Unavailable" : "Denied"
  return registryError({ operation, target, reason, detail: cause.message, cause })
}

/** Tries again where the repository was missing, and has been made. */
const makeWithRepository =
  (repositories: CloudRepositories) =>
  <A>(repository: Repository, begin: Effect.Effect<A, RegistryError>): Effect.Effect<A, RegistryError> =>
    Effect.catchIf(
      begin,
      isMissing,
      Effect.fnUntraced(function*(missing) {
        const isThere = yield* Effect.mapError(repositories.create(repository), notMade(missing))
        return yield* isThere ? Effect.retry(begin, { while: isMissing, ...unseen }) : missing
      })
    )

export const makeUploadSessions = (
  options: ApiParts & {
    /** Where uploads are opened and ended behind everybody's back; whoever closes the client waits for it a while. */
    readonly ends: FiberSet.FiberSet
    /** Makes a repository that is not there. */
    readonly repositories: CloudRepositories
  }
): UploadSessions => {
  const { ends, limits, repositories, requests, session } = options
  const retry = retrying(limits)
  const withRepository = makeWithRepository(repositories)

  const cancelUpload: UploadSessions["cancelUpload"] = ({ by, location, repository }) =>
    requests.write({ ...aboutBlob("DELETE", repository, undefined, location), as: by }).pipe(
      Effect.flatMap(session.send),
      Effect.timeoutOrElse({ duration: "5 seconds", orElse: () => Effect.void }),
      // nothing depends on it, and many registries do not allow it
      Effect.ignore,
      // not waited for: it is asked by finalizers too, which nothing could interrupt while a registry hangs
      FiberSet.run(ends),
      Effect.asVoid
    )

  /** Whoever is interrupted before the answer comes has the session ended that it opens all the same. */
  const opened = <A extends "mounted" | Upload | undefined>(
    asked: Effect.Effect<A, RegistryError>
  ): Effect.Effect<A, RegistryError> =>
    Effect.flatMap(FiberSet.run(ends, asked), (asking) =>
      Effect.onInterrupt(
        Fiber.join(asking),
        () =>
          Fiber.join(asking).pipe(
            Effect.flatMap((upload) => typeof upload === "object" ? cancelUpload(upload) : Effect.void),
            // nobody waits for it any more: where there is none, there is nothing to end
            Effect.ignore,
            FiberSet.run(ends),
            Effect.asVoid
          )
      ))

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
    }, opened),
    startUpload: Effect.fnUntraced(function*(repository, digest) {
      const algorithm = digest === undefined ? "sha256" : algorithmOf(digest)
      const query = algorithm === "sha256" ? "" : `?digest-algorithm=${algorithm}`
      const request = yield* requests.write(
        aboutBlob("POST", repository, undefined, `${uploads(repository)}${query}`)
      )
      const begin = retry(Effect.filterOrElse(
        session.send(request),
        (it) => it.status === 202 || it.status === 201,
        (it) => refusal(request, it)
      ))
      const answer = yield* withRepository(repository, begin)
      return yield* openedBy(request, answer)
    }, opened),
    cancelUpload
  }
}
