// A repository and what is in it, by their names alone.
// Edge: references as people write them are ImageReference.ts's; as whom a repository is asked is the registry's to say.
import { isDigest } from "./Digest.ts"

/** A repository of a registry; its part (source or backup) follows from its name. */
export interface Repository {
  readonly registry: string
  readonly repository: string
}

/** `registry/repository:tag` or `@digest`, for messages. */
export const targetOf = (repository: Repository, reference: string): string =>
  `${repository.registry}/${repository.repository}${isDigest(reference) ? "@" : ":"}${reference}`
