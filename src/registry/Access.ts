// Which credential may be used for which repository (invariants 6 and 7), decided by parsed names in one place:
// the backup's for repositories under its prefix only, a source's only where an anonymous client was let in before.
import { Clock, Effect, Option } from "effect"
import { isUnder } from "../image/BackupName.ts"
import { makeBoundedMap } from "./BoundedMap.ts"
import type { Credentials } from "./Credentials.ts"
import type { Credential } from "./DockerConfig.ts"
import type { RegistryOptions } from "./RegistrySettings.ts"

/** A repository of a registry; its part (source or backup) follows from its name. */
export interface Repository {
  readonly registry: string
  readonly repository: string
}

export type Role = "source" | "backup"

export interface Access {
  readonly roleOf: (repository: Repository) => Role
  /** What may be sent for this repository now; none for anonymous. */
  readonly credentialFor: (repository: Repository) => Effect.Effect<Option.Option<Credential>>
  /** Is there a credential that only waits for the proof that the repository is public? */
  readonly needsProof: (repository: Repository) => Effect.Effect<boolean>
  /** An anonymous HEAD of the source has just succeeded. */
  readonly provenPublic: (repository: Repository) => Effect.Effect<void>
  /** The credential was refused: it is not offered for a while. */
  readonly distrust: (repository: Repository, credential: Credential) => Effect.Effect<void>
}

const proofNanos = 24n * 3_600_000_000_000n
const distrustNanos = 600_000_000_000n

const nameOf = (it: Repository) => `${it.registry}/${it.repository}`
const suspicion = (it: Repository, credential: Credential) => `${it.registry} ${credential.fingerprint}`

export const makeAccess = (
  settings: () => RegistryOptions,
  credentials: Credentials["Service"]
): Access => {
  /** Monotonic nanoseconds at which the proof ends, by `registry/repository`. */
  const proofs = makeBoundedMap<string, bigint>(50_000)
  const distrusted = makeBoundedMap<string, bigint>(1024)

  const roleOf = (repository: Repository): Role => isUnder(settings().backup, repository) ? "backup" : "source"

  const isProven = Effect.fnUntraced(function*(repository: Repository) {
    return (proofs.get(nameOf(repository)) ?? 0n) > (yield* Clock.monotonicTimeNanos)
  })

  /** What there is for a source, were it known to be public. */
  const offered = Effect.fnUntraced(function*(repository: Repository) {
    const { backup, sourceCredentials } = settings()
    // a tenant may name any repository on the backup's host: its login must not open them
    if (sourceCredentials === "proven-public" && repository.registry === backup.registry) return Option.none()
    const found = yield* credentials.lookup(repository.registry, repository.repository)
    if (Option.isNone(found)) return found
    const until = distrusted.get(suspicion(repository, found.value)) ?? 0n
    return until > (yield* Clock.monotonicTimeNanos) ? Option.none() : found
  })

  const mustProve = () => settings().sourceCredentials === "proven-public"

  return {
    roleOf,
    credentialFor: Effect.fnUntraced(function*(repository) {
      if (roleOf(repository) === "backup") return yield* credentials.lookup(repository.registry, repository.repository)
      if (mustProve() && !(yield* isProven(repository))) return Option.none()
      return yield* offered(repository)
    }),
    needsProof: Effect.fnUntraced(function*(repository) {
      if (roleOf(repository) === "backup" || !mustProve() || (yield* isProven(repository))) return false
      return Option.isSome(yield* offered(repository))
    }),
    provenPublic: Effect.fnUntraced(function*(repository) {
      if (roleOf(repository) === "source") {
        proofs.set(nameOf(repository), (yield* Clock.monotonicTimeNanos) + proofNanos)
      }
    }),
    distrust: Effect.fnUntraced(function*(repository, credential) {
      distrusted.set(suspicion(repository, credential), (yield* Clock.monotonicTimeNanos) + distrustNanos)
      yield* credentials.refused(credential)
    })
  }
}
