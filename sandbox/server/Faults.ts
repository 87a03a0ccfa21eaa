// Faults on purpose: rules that say which request goes wrong, and how. Shared by the registry and the API server.
// A rule only describes; Listener carries it out on the socket.
import type { Duration } from "effect"
import type { IncomingHttpHeaders } from "node:http"

export type Fault =
  /** Answered with this instead of the truth; the route is not run. */
  | {
    readonly _tag: "Respond"
    readonly status: number
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string
  }
  /** The truth, later. */
  | { readonly _tag: "Delay"; readonly duration: Duration.Input }
  /** The request is taken and never answered. */
  | { readonly _tag: "Stall" }
  /** Headers and this many bytes of the body, then silence on an open connection. */
  | { readonly _tag: "StallAfter"; readonly bytes: number }
  /** Headers and this many bytes of the body, then the connection is reset. */
  | { readonly _tag: "Cut"; readonly after: number }
  /** The connection is reset when this many bytes of the request's body have come; the route is not run. */
  | { readonly _tag: "CutUpload"; readonly after: number }
  /** One bit of the byte at this offset of the response's body is flipped. */
  | { readonly _tag: "Corrupt"; readonly at: number }
  /** The connection is reset at once. */
  | { readonly _tag: "Refuse" }

export interface FaultTarget {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
}

export interface FaultRule {
  /** One method, or several; all when left out. */
  readonly method?: string | ReadonlyArray<string>
  /** The whole path as text, or a pattern found anywhere in it; all when left out. */
  readonly path?: string | RegExp
  readonly when?: (request: FaultTarget) => boolean
  /** The first matching request that is hit, counted from 1. Default 1. */
  readonly nth?: number
  /** How many matching requests are hit. Default: all from the nth on. */
  readonly times?: number
  readonly fault: Fault
}

export interface FaultHandle {
  /** How many requests were hit so far. */
  readonly hits: () => number
  readonly remove: () => void
}

export interface Faults {
  readonly add: (rule: FaultRule) => FaultHandle
  readonly clear: () => void
  /** The faults this request meets, in the order the rules were added; counts it. */
  readonly meet: (request: FaultTarget) => ReadonlyArray<Fault>
}

const matches = (rule: FaultRule, request: FaultTarget): boolean => {
  const methods = typeof rule.method === "string" ? [rule.method] : rule.method
  if (methods !== undefined && !methods.includes(request.method)) return false
  if (typeof rule.path === "string" && rule.path !== request.path) return false
  if (rule.path instanceof RegExp && !rule.path.test(request.path)) return false
  return rule.when === undefined || rule.when(request)
}

export const make = (): Faults => {
  const rules = new Map<symbol, { readonly rule: FaultRule; seen: number; hits: number }>()
  return {
    add: (rule) => {
      const key = Symbol("fault")
      const entry = { rule, seen: 0, hits: 0 }
      rules.set(key, entry)
      return { hits: () => entry.hits, remove: () => void rules.delete(key) }
    },
    clear: () => rules.clear(),
    meet: (request) => {
      const met: Array<Fault> = []
      for (const entry of rules.values()) {
        if (!matches(entry.rule, request)) continue
        entry.seen++
        const first = entry.rule.nth ?? 1
        if (entry.seen < first || entry.seen >= first + (entry.rule.times ?? Infinity)) continue
        entry.hits++
        met.push(entry.rule.fault)
      }
      return met
    }
  }
}
