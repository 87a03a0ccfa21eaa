// How a registry wants to be told who asks: what its challenges come to, and what was learnt from them.
// Edge: the grammar of challenges is Challenge.ts's; what is sent in answer is Authorization.ts's.
import { makeBoundedMap } from "../../collections/BoundedMap.ts"
import type { Challenge } from "./Challenge.ts"

export interface Bearer {
  readonly _tag: "Bearer"
  readonly realm: URL
  readonly service: string | undefined
}
export type Scheme = Bearer | { readonly _tag: "Basic" }

export interface Schemes {
  readonly of: (endpoint: URL) => Scheme | undefined
  /** Takes note of what an endpoint has asked for; false: it asks for nothing new. */
  readonly learn: (endpoint: URL, challenges: ReadonlyArray<Challenge>) => boolean
}

// the specification has no bound; these texts are kept for every host
const longestParameter = 2048

/** A parameter of a challenge, as far as it is one that can be kept. */
export const parameterOf = ({ parameters }: Challenge, name: string): string | undefined => {
  const text = parameters.get(name)
  return text !== undefined && text.length <= longestParameter ? text : undefined
}

/** The token server of a challenge, as far as it is one. */
const realmOf = (challenge: Challenge, url: URL): URL | undefined => {
  const text = parameterOf(challenge, "realm")
  if (text === undefined || !URL.canParse(text, url)) return undefined
  const realm = new URL(text, url)
  realm.username = ""
  realm.password = ""
  return realm.protocol === "https:" || realm.protocol === "http:" ? realm : undefined
}

/**
 * What `url` asks for by its challenges; undefined: nothing that we know.
 * Bearer before Basic: registries that offer both mean "a token, or a token for your password".
 */
export const schemeOf = (challenges: ReadonlyArray<Challenge>, url: URL): Scheme | undefined => {
  for (const challenge of challenges) {
    if (challenge.scheme !== "bearer") continue
    const realm = realmOf(challenge, url)
    if (realm !== undefined) return { _tag: "Bearer", realm, service: parameterOf(challenge, "service") }
  }
  return challenges.some((it) => it.scheme === "basic") ? { _tag: "Basic" } : undefined
}

/** Nothing is known of any endpoint. */
export const makeSchemes = (): Schemes => {
  const schemes = makeBoundedMap<string, Scheme>(4096)
  return {
    of: (endpoint) => schemes.get(endpoint.origin),
    learn: (endpoint, challenges) => {
      const scheme = schemeOf(challenges, endpoint)
      const known = schemes.get(endpoint.origin)
      // Harbor turns to Basic once it has seen a token that is not enough: the first Bearer stays
      if (scheme === undefined || (scheme._tag === "Basic" && known?._tag === "Bearer")) return false
      schemes.set(endpoint.origin, scheme)
      return true
    }
  }
}
