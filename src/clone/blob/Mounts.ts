// Mounts of one blob from repositories of the backup that are known to hold it, each asked once.
// Edge: what is done where no mount comes about is CopyBlob's.
import { Effect } from "effect"
import type { Descriptor } from "../../image/ManifestDocument.ts"
import type { Upload } from "../../registry/api/Upload.ts"
import { type CloneError, fromRegistry } from "../CloneError.ts"
import type { BlobContext } from "./BlobContext.ts"

export interface Mounts {
  /** Mounts from whoever has come to hold the blob since the last time; without a pause where there is nobody. */
  readonly mount: Effect.Effect<boolean, CloneError>
  /** Does anybody hold it who was not asked? */
  readonly more: () => boolean
  /** The session that a mount has opened instead: whoever takes it uses it or ends it. */
  readonly session: () => Upload | undefined
}

/** Mounts are tried from so many repositories at a time; then the blob is moved. */
const mountTries = 2

export const makeMounts = ({ backup, image, ledger, registry }: BlobContext, { digest }: Descriptor): Mounts => {
  const tried = new Set<string>()
  let upload: Upload | undefined
  const untried = () => ledger.holders(digest).find((it) => it !== backup.repository && !tried.has(it))
  const mount = Effect.gen(function*() {
    for (let tries = 0; tries < mountTries; tries++) {
      const from = untried()
      if (from === undefined) return false
      tried.add(from)
      const outcome = yield* Effect.mapError(
        registry.mountBlob(backup, digest, { registry: backup.registry, repository: from }),
        fromRegistry(image, "backup")
      )
      if (outcome === "mounted") {
        ledger.noteBlob(backup.repository, digest)
        ledger.mounting = true
        return true
      }
      ledger.forgetBlob(from, digest)
      if (outcome !== undefined) {
        // a session we did not ask for is used, or ended
        if (upload !== undefined) yield* registry.cancelUpload(upload)
        upload = outcome
      }
    }
    return false
  })
  return {
    mount,
    more: () => untried() !== undefined,
    session: () => {
      const session = upload
      upload = undefined
      return session
    }
  }
}
