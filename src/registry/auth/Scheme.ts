// How a repository wants to be told who asks: what its challenges come to, and what was learnt from them. Most registries ask the
// same for all that they have, and a neighbour's challenge saves a request; repository managers give each its own token server.
// Edge: the grammar of challenges is Challenge.ts's; what is sent in answer is Authorization.ts's.
import { makeBoundedMap } from "../../collections/BoundedMap.ts"
import type { Challenge } from "./Challenge.ts"

export interface Bearer {
  readonly _tag: "Bearer"
  readonly realm: URL
  readonly service: string | undefined
}
export type Scheme = Bearer | { readonly _tag: "Basic" }

/** What is known of a repository; `own`: it has said so itself, and not a neighbour. */
export interface KnownScheme {
  readonly scheme: Scheme
  readonly own: boolean
}

export interface Schemes {
  /** Undefined where the repository has to be asked, since nothing is known, or its neighbours differ. */
  readonly of: (endpoint: URL, repository: string) => KnownScheme | undefined
  /** Takes note of what a repository has asked for; false: it asks for nothing that could be answered anew. */
  readonly learn: (endpoint: URL, repository: string, challenges: ReadonlyArray<Challenge>) => boolean
  /** Does it name another token server than the repository has itself, before? */
  readonly moves: (endpoint: URL, repository: string, challenges: ReadonlyArray<Challenge>) => boolean
  /** Believes it, for this repository alone. */
  readonly move: (endpoint: URL, repository: string, challenges: ReadonlyArray<Challenge>) => void
  /** Its token server is gone: nothing is known of it any more, nor of whoever was only thought to have the same. */
  readonly forget: (endpoint: URL, repository: string) => void
  /** The new one was of no use: back to what the host's others want. */
  readonly stay: (endpoint: URL, repository: string) => void
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

/** Do both mean that the same is to be shown to the same server? */
export const isSame = (a: Scheme, b: Scheme): boolean =>
  a._tag === "Bearer"
    ? b._tag === "Bearer" && a.realm.href === b.realm.href && a.service === b.service
    : b._tag === "Basic"

/** What the first repository of a host has asked for. */
interface HostScheme {
  readonly scheme: Scheme
  readonly teacher: string
  /** Another repository has asked for something else: nobody speaks for those that are not known. */
  readonly mixed: boolean
}

/** Nothing is known of any endpoint. */
export const makeSchemes = (): Schemes => {
  const hosts = makeBoundedMap<string, HostScheme>(4096)
  const repositories = makeBoundedMap<string, Scheme>(16_384)

  const own = ({ origin }: URL, repository: string): Scheme | undefined => {
    const host = hosts.get(origin)
    return repositories.get(`${origin} ${repository}`) ?? (host?.teacher === repository ? host.scheme : undefined)
  }

  return {
    of: (endpoint, repository) => {
      const its = own(endpoint, repository)
      if (its !== undefined) return { scheme: its, own: true }
      const host = hosts.get(endpoint.origin)
      return host === undefined || host.mixed ? undefined : { scheme: host.scheme, own: false }
    },
    learn: (endpoint, repository, challenges) => {
      const scheme = schemeOf(challenges, endpoint)
      if (scheme === undefined) return false
      // Harbor turns to Basic once it has seen a token that is not enough: a repository's first Bearer stays
      if (scheme._tag === "Basic" && own(endpoint, repository)?._tag === "Bearer") return false
      const host = hosts.get(endpoint.origin)
      if (host === undefined || (host.teacher === repository && !host.mixed)) {
        hosts.set(endpoint.origin, { scheme, teacher: repository, mixed: false })
        return true
      }
      const same = isSame(scheme, host.scheme)
      repositories.set(`${endpoint.origin} ${repository}`, same ? host.scheme : scheme)
      // Basic after the neighbour's token may be Harbor again, which has one realm for all
      if (!same && !(scheme._tag === "Basic" && host.scheme._tag === "Bearer")) {
        hosts.set(endpoint.origin, { ...host, mixed: true })
      }
      return true
    },
    moves: (endpoint, repository, challenges) => {
      const its = own(endpoint, repository)
      const next = schemeOf(challenges, endpoint)
      return its?._tag === "Bearer" && next?._tag === "Bearer" && !isSame(its, next)
    },
    move: (endpoint, repository, challenges) => {
      const next = schemeOf(challenges, endpoint)
      if (next !== undefined) repositories.set(`${endpoint.origin} ${repository}`, next)
    },
    forget: (endpoint, repository) => {
      const its = own(endpoint, repository)
      const host = hosts.get(endpoint.origin)
      repositories.delete(`${endpoint.origin} ${repository}`)
      if (its === undefined || host === undefined || !isSame(its, host.scheme)) return
      // where they differ they go on differing: that is not to be found out again by each
      if (host.mixed) hosts.set(endpoint.origin, { ...host, teacher: "" })
      else hosts.delete(endpoint.origin)
    },
    stay: (endpoint, repository) => {
      repositories.delete(`${endpoint.origin} ${repository}`)
    }
  }
}
