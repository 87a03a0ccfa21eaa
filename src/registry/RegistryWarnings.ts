// What registries want their users to know, said once. Source: OCI distribution-spec, "Warnings".
import { Effect } from "effect"
import { makeBoundedMap } from "../collections/BoundedMap.ts"
import { makeNovelty, warningsOf } from "../http/Warnings.ts"
import { quoted } from "./RegistryError.ts"

/** Texts that one host is listened to: it may make up new ones for ever. */
const mostOfHost = 10
const mostHosts = 1000

/** Logs each text of a host the first time it is seen; codes and agents that the specification has not are none. */
export const makeWarnings = (): (
  host: string,
  header: string | ReadonlyArray<string>
) => Effect.Effect<void> => {
  const hosts = makeBoundedMap<string, (text: string) => boolean>(mostHosts)
  return (host, header) =>
    Effect.forEach(warningsOf(header), (warning) => {
      const text = quoted(warning.text)
      if (warning.code !== "299" || warning.agent !== "-" || text === "") return Effect.void
      const isNew = hosts.get(host) ?? makeNovelty(mostOfHost, "known")
      if (!isNew(text)) return Effect.void
      hosts.set(host, isNew)
      return Effect.logWarning(`the registry warns: ${text}`).pipe(Effect.annotateLogs({ registry: host }))
    }, { discard: true })
}
