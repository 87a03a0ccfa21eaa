// What the requests about repositories have in common, and the one rule of writing: below the backup's prefix, or not at all.
import { Effect } from "effect"
import type { Digest } from "../../image/Digest.ts"
import { type Repository, targetOf } from "../../image/Repository.ts"
import type { Spec } from "../auth/Attempt.ts"
import type { Access } from "../auth/Identities.ts"
import type { Session } from "../auth/Session.ts"
import type { Limits } from "../Limits.ts"
import { type RegistryError, registryError } from "../RegistryError.ts"

type Common = "actions" | "cost" | "agent" | "most"

/** A request as far as it differs: it costs nothing and may answer with as much as an error has, unless it says otherwise. */
export type Wanted = Omit<Spec, Common> & Partial<Pick<Spec, "cost" | "agent" | "most">>

export interface Requests {
  readonly read: (wanted: Wanted) => Spec
  /** Fails with `Refused` for a repository that is not the backup's: nothing is sent. */
  readonly write: (wanted: Wanted) => Effect.Effect<Spec, RegistryError>
}

/** What every part of the API is made with. */
export interface ApiParts {
  readonly session: Session
  readonly requests: Requests
  readonly limits: Limits
}

export const makeRequests = (access: Pick<Access, "roleOf">, limits: Limits): Requests => {
  const common = { cost: "free", agent: "control", most: limits.errorBytes } as const
  return {
    read: (wanted) => ({
      ...common,
      // one token for all that is done in the backup
      actions: access.roleOf(wanted.repository) === "backup" ? "pull,push" : "pull",
      ...wanted
    }),
    write: (wanted) =>
      access.roleOf(wanted.repository) === "backup"
        ? Effect.succeed({ ...common, actions: "pull,push", ...wanted })
        : Effect.fail(registryError({ ...wanted, reason: "Refused", detail: "it is not under the backup's prefix" }))
  }
}

/** A request about a blob; without a digest, about the repository that it is to be in. */
export const aboutBlob = (
  method: Spec["method"],
  repository: Repository,
  digest: Digest | undefined,
  path: string | URL
): Wanted => ({
  operation: `${method} blob`,
  target: digest === undefined ? `${repository.registry}/${repository.repository}` : targetOf(repository, digest),
  method,
  repository,
  path
})
