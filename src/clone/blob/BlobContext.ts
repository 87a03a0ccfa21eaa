// What is known and used wherever a blob of an image is brought to the backup.
import type { Semaphore } from "effect"
import type { Repository } from "../../image/Repository.ts"
import type { Blobs } from "../../registry/api/Blobs.ts"
import type { Limits } from "../../registry/Limits.ts"
import type { Counter } from "../Counter.ts"
import type { Ledger } from "../Ledger.ts"

export interface BlobContext {
  readonly image: string
  readonly registry: Blobs
  readonly limits: Limits
  readonly ledger: Ledger
  readonly source: Repository
  readonly backup: Repository
  readonly counter: Counter
  /** The image is new to the backup: what a neighbour holds is mounted without a look. */
  readonly fresh?: boolean
  /** Blobs of the image that are moved at once: looks and mounts cost nothing but a round trip, and are not counted. */
  readonly slots: Semaphore.Semaphore
}
