// What the routes of one registry share.
import { Effect } from "effect"
import type { Access } from "./Access.ts"
import type { BlobStorage, Upload } from "./BlobStorage.ts"
import { OciError } from "./OciError.ts"
import type { Repository } from "./Repository.ts"
import * as Repositories from "./Repository.ts"

export interface Behaviour {
  /** Uploads, manifests and deletions are refused (405). */
  readOnly: boolean
  /** Manifests, tags and blobs can be deleted (405 when not). */
  deletes: boolean
  /** Answer the referrers API (404 when not, as Docker Hub and Distribution do). */
  referrers: boolean
  /** Accept `POST …?digest=` as a whole upload; when not, it opens a session (202). */
  singlePost: boolean
  /** Mount blobs from other repositories; when not, a session is opened (202). */
  mount: boolean
  /** A Location must come back as it was given: clients that parse and rebuild its query are refused. */
  exactLocations: boolean
  /** Location headers name scheme and host; relative when not. */
  absoluteLocations: boolean
  /** Smallest chunk but the last, in bytes, announced by OCI-Chunk-Min-Length; 0 for none. */
  chunkMinLength: number
}

export interface UploadSession {
  readonly upload: Upload
  readonly repository: string
  /** Must come back in every request, as it stands in the Location. */
  readonly state: string
  /** A chunk below the minimum came: it must have been the last. */
  short: boolean
}

export interface State {
  readonly storage: BlobStorage
  readonly repositories: Map<string, Repository>
  readonly uploads: Map<string, UploadSession>
  readonly access: Access
  readonly behaviour: Behaviour
  readonly url: () => string
}

/** The repository, created when it is not there. */
export const open = (state: State, name: string): Repository => {
  const found = state.repositories.get(name)
  if (found !== undefined) return found
  const created = Repositories.make(name)
  state.repositories.set(name, created)
  return created
}

export const existing = (state: State, name: string): Effect.Effect<Repository, OciError> => {
  const found = state.repositories.get(name)
  return found === undefined
    ? Effect.fail(new OciError({ code: "NAME_UNKNOWN", detail: `repository name not known to registry: ${name}` }))
    : Effect.succeed(found)
}

export const location = (state: State, path: string): string =>
  state.behaviour.absoluteLocations ? `${state.url()}${path}` : path
