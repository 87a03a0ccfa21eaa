// What registries want their users to know: `Warning: 299 - "text"`. Source: OCI distribution-spec, "Warnings".
// Edge: the API server's are kube/ApiWarnings.ts.
import { Effect } from "effect"
import { makeBoundedMap } from "../collections/BoundedMap.ts"
import { quoted } from "./RegistryError.ts"

const shape = /299 - "((?:[^"\\]|\\.)*)"/g
/** Texts that one host is listened to: it may make up new ones for ever. */
const mostOfHost = 10
const mostHosts = 1000

/** The texts of a `Warning` header, which may come several times; codes and agents that the specification has not are none. */
export const warningsOf = (header: string | ReadonlyArray<string>): ReadonlyArray<string> =>
  (typeof header === "string" ? [header] : header).flatMap((line) =>
    [...line.matchAll(shape)].map((match) => quoted((match[1] ?? "").replaceAll(/\\(.)/g, "$1")))
  )

/** Logs each text of a host the first time it is seen. */
export const makeWarnings = (): (host: string, header: string | ReadonlyArray<string>) => Effect.Effect<void> => {
  const seen = makeBoundedMap<string, Set<string>>(mostHosts)
  return (host, header) =>
    Effect.forEach(warningsOf(header), (text) => {
      const known = seen.get(host) ?? new Set<string>()
      if (text === "" || known.has(text) || known.size >= mostOfHost) return Effect.void
      known.add(text)
      seen.set(host, known)
      return Effect.logWarning(`the registry warns: ${text}`).pipe(Effect.annotateLogs({ registry: host }))
    }, { discard: true })
}
