// Certificates of hosts in docker's layout, `<CERTS_DIR>/certs.d/<host[:port]>/`: every `*.crt` is an authority, added to the
// system's roots and never instead of them; the first `NAME.cert` with `NAME.key` is our client certificate there.
// Read again when they change. A broken file is named in the log and in the errors of its host; the host keeps what was
// good before, and no other host is touched.
// Edge: a client certificate is a credential. Who may show it is Identities.ts's to say; Agents.ts keeps the sockets apart.
import { Effect, FileSystem, Option, Path, Result } from "effect"
import { makeReloading } from "../../files/Reloading.ts"
import { canonicalRegistry } from "../../image/ImageReference.ts"
import { type HostCertificates, judge, type Trust, trustOf } from "./HostCertificates.ts"

export interface Certificates {
  /** Looks at the files, unless they have just been looked at. */
  readonly refresh: Effect.Effect<void>
  /** Is there a client certificate for this registry? */
  readonly hasClient: (registry: string) => boolean
  /** What to connect to `host[:port]` with; undefined: with what the process trusts anyway. */
  readonly trustOf: (host: string, client: boolean) => Trust | undefined
  /** What is wrong with the files of `host[:port]`. */
  readonly problemOf: (host: string) => string | undefined
}

type Hosts = ReadonlyMap<string, HostCertificates>

const canonical = (host: string): string => Result.getOrElse(canonicalRegistry(host), () => host)

/** Lists folders; one that is not there is empty, and so is one that cannot be read, which is said once. */
const makeListing = (fs: FileSystem.FileSystem) => {
  const unreadable = new Set<string>()
  return Effect.fnUntraced(function*(folder: string) {
    const names = yield* Effect.result(fs.readDirectory(folder))
    if (Result.isSuccess(names)) {
      unreadable.delete(folder)
      return names.success
    }
    const { reason } = names.failure
    // a file among the folders of hosts is none of ours
    if (reason._tag !== "NotFound" && reason._tag !== "BadResource" && !unreadable.has(folder)) {
      unreadable.add(folder)
      yield* Effect.logWarning(`certificates: ${folder} cannot be read: ${names.failure.message}`)
    }
    return []
  })
}

/** Reads the files of all hosts; told what they were, it says what has become of them. */
const makeReading = Effect.fnUntraced(function*(root: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const list = makeListing(fs)

  const readHost = Effect.fnUntraced(function*(folder: string) {
    const files = new Map<string, string | undefined>()
    for (const name of yield* list(folder)) {
      if (!/\.(?:crt|cert|key)$/.test(name)) continue
      files.set(name, yield* Effect.orElseSucceed(fs.readFileString(path.join(folder, name)), () => undefined))
    }
    return files
  })

  return Effect.fnUntraced(function*(before: Hosts): Effect.fn.Return<Hosts> {
    const hosts = new Map<string, HostCertificates>()
    for (const folder of yield* list(root)) {
      const registry = canonicalRegistry(folder)
      if (Result.isFailure(registry)) continue
      const host = registry.success
      const files = yield* readHost(path.join(root, folder))
      if (files.size === 0) continue
      const old = hosts.get(host) ?? before.get(host)
      const now = judge(files, old)
      hosts.set(host, now)
      if (now === old) continue
      if (now.problems.length > 0) {
        yield* Effect.logWarning(`certificates of ${host}, ${path.join(root, folder)}: ${now.problems.join("; ")}`)
      }
      if (old !== undefined) {
        yield* Effect.logInfo("certificates were read again").pipe(Effect.annotateLogs({ registry: host }))
      }
    }
    return hosts
  })
})

/** Reads the folder, which need not be there. */
export const makeCertificates = Effect.fnUntraced(
  function*(
    directory: Option.Option<string>
  ): Effect.fn.Return<Certificates, never, FileSystem.FileSystem | Path.Path> {
    const path = yield* Path.Path
    const read = Option.isSome(directory)
      ? yield* makeReading(path.join(directory.value, "certs.d"))
      : (before: Hosts) => Effect.succeed(before)
    const hosts = yield* makeReloading(yield* read(new Map()), read)
    // contexts cost milliseconds each; those of files that have changed go with them
    const withClient = new WeakMap<HostCertificates, Trust | undefined>()
    const withoutClient = new WeakMap<HostCertificates, Trust | undefined>()

    return {
      refresh: hosts.refreshed,
      hasClient: (registry) => hosts.current().get(registry)?.client !== undefined,
      problemOf: (host) => {
        const problems = hosts.current().get(canonical(host))?.problems ?? []
        return problems.length === 0 ? undefined : `in certs.d/${canonical(host)} ${problems.join("; ")}`
      },
      trustOf: (host, client) => {
        const found = hosts.current().get(canonical(host))
        if (found === undefined || (client && found.client === undefined)) return undefined
        const known = client ? withClient : withoutClient
        if (!known.has(found)) known.set(found, trustOf(found, client))
        return known.get(found)
      }
    }
  }
)
