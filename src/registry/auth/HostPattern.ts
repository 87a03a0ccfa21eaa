// Hosts as the keys of config.json name them: exactly, or with wildcards within labels, `*.example.com`.
// Source: Kubernetes, "Interpretation of config.json" (kubelet's credentialprovider keyring): as many labels, equal ports;
// `*`, `?` and `[a-z]` never match a dot. Edge: canonical `host[:port]` on the other side.
import { Option, Result } from "effect"
import { canonicalRegistry } from "../../image/ImageReference.ts"

export interface HostPattern {
  /** True where it is a host, and not a family of hosts. */
  readonly exact: boolean
  readonly matches: (registry: string) => boolean
}

const wild = /[*?[]/
const pattern = /^([a-z0-9*?[\]^.-]+?)(?::(\d{1,5}))?$/

/** A label of a pattern as a regular expression; none where a bracket is not closed. */
const labelOf = (label: string): Option.Option<RegExp> => {
  let source = ""
  for (let at = 0; at < label.length; at++) {
    const character = label[at] ?? ""
    if (character === "*") source += "[^.]*"
    else if (character === "?") source += "[^.]"
    else if (character === "[") {
      const end = label.indexOf("]", at + 2)
      if (end === -1) return Option.none()
      source += `[${label.slice(at + 1, end).replaceAll(/[[\]\\]/g, String.raw`\$&`)}]`
      at = end
    } else source += character.replaceAll(/[.\]^]/g, String.raw`\$&`)
  }
  // a range may be backwards
  return Result.getSuccess(Result.try(() => new RegExp(`^${source}$`)))
}

const exactly = (text: string): Option.Option<HostPattern> =>
  Option.map(Result.getSuccess(canonicalRegistry(text)), (host) => ({
    exact: true,
    matches: (registry: string) => registry === host
  }))

/** Parses `host[:port]`, with wildcards or without; none where it can be no host. */
export const parseHostPattern = (text: string): Option.Option<HostPattern> => {
  // brackets at the start are an IPv6 address
  if (!wild.test(text) || /^\[[0-9a-f:]*:/i.test(text)) return exactly(text)
  const match = pattern.exec(text.toLowerCase())
  const [, host = "", given] = match ?? []
  const labels = host.split(".").map(labelOf)
  const known = labels.flatMap((it) => Option.isSome(it) ? [it.value] : [])
  if (match === null || known.length !== labels.length || host.split(".").includes("")) return Option.none()
  const port = given === undefined || given === "443" ? "" : String(Number(given))
  return Option.some({
    exact: false,
    matches: (registry) => {
      if (registry.startsWith("[")) return false
      const [name = "", its = ""] = registry.split(":")
      const parts = name.split(".")
      return its === port && parts.length === known.length && known.every((it, index) => it.test(parts[index] ?? ""))
    }
  })
}
