// Certificates of hosts in docker's layout, `<CERTS_DIR>/certs.d/<host[:port]>/`: every `*.crt` is an authority, added to the
// system's roots and never instead of them; the first `NAME.cert` with `NAME.key` is our client certificate there.
// Read again when they change. A broken file is named in the log and in the errors of its host; the host keeps what was
// good before, and no other host is touched.
// Edge: a client certificate is a credential. Who may show it is Identities.ts's to say; Agents.ts keeps the sockets apart.
import { Clock, Effect, FileSystem, Option, Path, Redacted, Result } from "effect"
import { createHash, createPrivateKey, X509Certificate } from "node:crypto"
import * as tls from "node:tls"
import { canonicalRegistry } from "../../image/ImageReference.ts"

/** What TLS connections to a host are made with; equal versions are the same files. */
export interface Trust {
  readonly context: tls.SecureContext
  readonly version: string
}

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

interface Pair {
  readonly cert: string
  readonly key: Redacted.Redacted
}

/** What there is for one host, good as far as it goes. */
interface Material {
  readonly version: string
  readonly authorities: ReadonlyArray<string>
  readonly client: Pair | undefined
  readonly problems: ReadonlyArray<string>
}

const recheck = 5_000_000_000n // nanoseconds between looks at the files
const block = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** All certificates of a PEM text; none where one of them is broken or there is none. */
const certificatesOf = (pem: string): ReadonlyArray<X509Certificate> => {
  const parsed = (pem.match(block) ?? []).map((it) => Result.try(() => new X509Certificate(it)))
  const good = parsed.flatMap((it) => Result.isSuccess(it) ? [it.success] : [])
  return good.length === parsed.length ? good : []
}

/** Why certificate and key are no pair; undefined: they are. */
const wrongPair = (cert: string, key: string): string | undefined => {
  const [first] = certificatesOf(cert)
  if (first === undefined) return "is no PEM certificate"
  const secret = Result.try(() => createPrivateKey(key))
  if (Result.isFailure(secret)) return "has a key that is encrypted or no PEM private key"
  if (!first.checkPrivateKey(secret.success)) return "and its key belong to different pairs"
  return Result.isSuccess(Result.try(() => tls.createSecureContext({ cert, key })))
    ? undefined
    : "is refused by OpenSSL"
}

/** Judges the files of one host, by name; undefined ones cannot be read. */
const materialOf = (files: ReadonlyMap<string, string | undefined>, before: Material | undefined): Material => {
  const names = [...files.keys()].toSorted()
  const version = createHash("sha256").update(JSON.stringify(names.map((it) => [it, files.get(it)]))).digest("hex")
  if (before?.version === version) return before
  const problems: Array<string> = []
  const authorities: Array<string> = []
  let client: Pair | undefined
  for (const name of names) {
    const text = files.get(name)
    const stem = name.replace(/\.\w+$/, "")
    if (text === undefined) problems.push(`${name} cannot be read`)
    else if (name.endsWith(".crt")) {
      if (certificatesOf(text).length > 0) authorities.push(text)
      else problems.push(`${name} is no PEM certificate`)
    } else if (name.endsWith(".key")) {
      if (!files.has(`${stem}.cert`)) problems.push(`${name} has no ${stem}.cert beside it`)
    } else {
      const key = files.get(`${stem}.key`)
      const wrong = key === undefined ? `has no ${stem}.key beside it` : wrongPair(text, key)
      if (wrong !== undefined) problems.push(`${name} ${wrong}`)
      else if (client !== undefined) problems.push(`${name} is one client certificate too many; the first is shown`)
      else client = { cert: text, key: Redacted.make(key ?? "", { label: "client key" }) }
    }
  }
  // a rotation is not atomic everywhere: between two files the old ones stay in use
  const broken = problems.length > 0 && before !== undefined
  return {
    version,
    problems,
    authorities: broken && authorities.length === 0 ? before.authorities : authorities,
    client: broken && client === undefined ? before.client : client
  }
}

const contextOf = ({ authorities, client }: Material, withClient: boolean): tls.SecureContext | undefined => {
  const pair = withClient ? client : undefined
  if (authorities.length === 0 && pair === undefined) return undefined
  return tls.createSecureContext({
    ...(authorities.length === 0 ? {} : { ca: [...tls.getCACertificates("default"), ...authorities] }),
    ...(pair === undefined ? {} : { cert: pair.cert, key: Redacted.value(pair.key) })
  })
}

const canonical = (host: string): string => Result.getOrElse(canonicalRegistry(host), () => host)

/** Reads the folder, which need not be there. */
export const makeCertificates = Effect.fnUntraced(
  function*(
    directory: Option.Option<string>
  ): Effect.fn.Return<Certificates, never, FileSystem.FileSystem | Path.Path> {
    const hosts = new Map<string, Material>()
    const contexts = new Map<string, Trust | undefined>()
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const unreadable = new Set<string>()

    const list = Effect.fnUntraced(function*(folder: string) {
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

    const readHost = Effect.fnUntraced(function*(folder: string) {
      const files = new Map<string, string | undefined>()
      for (const name of yield* list(folder)) {
        if (!/\.(?:crt|cert|key)$/.test(name)) continue
        files.set(name, yield* Effect.orElseSucceed(fs.readFileString(path.join(folder, name)), () => undefined))
      }
      return files
    })

    const read = Effect.fnUntraced(function*(root: string) {
      const seen = new Set<string>()
      for (const folder of yield* list(root)) {
        const registry = canonicalRegistry(folder)
        if (Result.isFailure(registry)) continue
        const host = registry.success
        const before = hosts.get(host)
        const files = yield* readHost(path.join(root, folder))
        if (files.size === 0) continue
        seen.add(host)
        const now = materialOf(files, before)
        if (now === before) continue
        hosts.set(host, now)
        contexts.delete(`${host} true`)
        contexts.delete(`${host} false`)
        if (now.problems.length > 0) {
          yield* Effect.logWarning(`certificates of ${host}, ${path.join(root, folder)}: ${now.problems.join("; ")}`)
        }
        if (before !== undefined) {
          yield* Effect.logInfo("certificates were read again").pipe(Effect.annotateLogs({ registry: host }))
        }
      }
      for (const host of hosts.keys()) {
        if (seen.has(host)) continue
        hosts.delete(host)
        contexts.delete(`${host} true`)
        contexts.delete(`${host} false`)
      }
    })

    const root = Option.map(directory, (it) => path.join(it, "certs.d"))
    let looked = yield* Clock.monotonicTimeNanos
    if (Option.isSome(root)) yield* read(root.value)

    return {
      refresh: Option.match(root, {
        onNone: () => Effect.void,
        onSome: (folder) =>
          Effect.flatMap(Clock.monotonicTimeNanos, (now) => {
            if (now - looked < recheck) return Effect.void
            looked = now
            return read(folder)
          })
      }),
      hasClient: (registry) => hosts.get(registry)?.client !== undefined,
      problemOf: (host) => {
        const problems = hosts.get(canonical(host))?.problems ?? []
        return problems.length === 0 ? undefined : `in certs.d/${canonical(host)} ${problems.join("; ")}`
      },
      trustOf: (host, client) => {
        const name = canonical(host)
        const material = hosts.get(name)
        if (material === undefined || (client && material.client === undefined)) return undefined
        const key = `${name} ${client}`
        if (!contexts.has(key)) {
          const context = Result.getOrElse(Result.try(() => contextOf(material, client)), () => undefined)
          contexts.set(key, context === undefined ? undefined : { context, version: material.version })
        }
        return contexts.get(key)
      }
    }
  }
)
