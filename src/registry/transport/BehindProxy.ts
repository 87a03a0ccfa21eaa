// Judges hosts that a proxy will dial for us (invariant 8). Nobody sees which address that will be, so a host is judged before:
// a literal always, a name by what it resolves to here. Where it resolves to nothing here, the proxy's own rules are what
// protects the network behind it. Edge: what we dial ourselves is judged when it is dialled, AddressPolicy.ts.
import type { LookupAddress } from "node:dns"
import type { LookupFunction } from "node:net"
import { makeBoundedMap } from "../../collections/BoundedMap.ts"
import { AddressRefused, isPublicAddress, refusedLiteral } from "./AddressPolicy.ts"

/** Milliseconds that a resolver has: behind a proxy there often is none, and waiting for it leads nowhere. */
const resolving = 2_000
/** Milliseconds for which a name that does not resolve here is not asked for again. */
const unknownFor = 300_000

/** Tells whether the host, as seen from here, is where nobody may be sent to; an `open` one may be anywhere. */
export type JudgeHost = (hostname: string, open: boolean, then: (refused: AddressRefused | undefined) => void) => void

export const makeJudgeHost = (lookup: LookupFunction): JudgeHost => {
  /** Names that do not resolve here, with the time until which that is believed. */
  const unknown = makeBoundedMap<string, number>(4096)
  return (hostname, open, then) => {
    const refused = open ? undefined : refusedLiteral(hostname)
    const until = unknown.get(hostname)
    if (open || refused !== undefined || (until !== undefined && until > performance.now())) return then(refused)
    let told = false
    const tell = (addresses: ReadonlyArray<LookupAddress>) => {
      if (told) return
      told = true
      clearTimeout(timer)
      if (addresses.length === 0) unknown.set(hostname, performance.now() + unknownFor)
      const bad = addresses.find((it) => !isPublicAddress(it.address))
      then(bad === undefined ? undefined : new AddressRefused(hostname, bad.address))
    }
    const timer = setTimeout(() => tell([]), resolving)
    lookup(hostname, { all: true }, (error, found, family) => {
      tell(error !== null ? [] : typeof found === "string" ? [{ address: found, family: family ?? 0 }] : found)
    })
  }
}
