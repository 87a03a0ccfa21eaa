// Extra certificate authorities in docker's layout, `<CERTS_DIR>/certs.d/<host[:port]>/*.crt`, read once at start.
// Edge: client certificates (*.cert, *.key) are not read. What is there is added to the system's roots, never instead.
import { Effect, FileSystem, Option, Path, Result } from "effect"
import { X509Certificate } from "node:crypto"
import * as tls from "node:tls"
import { canonicalRegistry } from "../image/ImageReference.ts"

/** PEM texts by canonical `host[:port]`; hosts without extra authorities are absent. */
export type Authorities = ReadonlyMap<string, ReadonlyArray<string>>

const isCertificate = (pem: string): boolean => Result.isSuccess(Result.try(() => new X509Certificate(pem)))

/** Reads the folder. What is missing is not there; what is no certificate is said in the log and left out. */
export const readAuthorities = Effect.fnUntraced(
  function*(directory: Option.Option<string>): Effect.fn.Return<Authorities, never, FileSystem.FileSystem | Path.Path> {
    const found = new Map<string, ReadonlyArray<string>>()
    if (Option.isNone(directory)) return found
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const list = (folder: string) =>
      fs.readDirectory(folder).pipe(
        Effect.catch((error) =>
          error.reason._tag === "NotFound"
            ? Effect.succeed<ReadonlyArray<string>>([])
            : Effect.as(Effect.logWarning(`certificate authorities: ${folder} cannot be read: ${error.message}`), [])
        )
      )
    const root = path.join(directory.value, "certs.d")
    for (const host of yield* list(root)) {
      const registry = canonicalRegistry(host)
      if (Result.isFailure(registry)) continue
      const certificates: Array<string> = []
      for (const file of yield* list(path.join(root, host))) {
        if (!file.endsWith(".crt")) continue
        const name = path.join(root, host, file)
        const pem = yield* Effect.option(fs.readFileString(name))
        if (Option.isSome(pem) && isCertificate(pem.value)) certificates.push(pem.value)
        else yield* Effect.logWarning(`certificate authorities: ${name} is not a readable PEM certificate; left out`)
      }
      if (certificates.length > 0) found.set(registry.success, certificates)
    }
    return found
  }
)

/** The `ca` option for one host: what the process trusts anyway, plus its own. */
export const trustOf = (authorities: Authorities, host: string): ReadonlyArray<string> | undefined => {
  const extra = authorities.get(host)
  return extra === undefined ? undefined : [...tls.getCACertificates("default"), ...extra]
}
