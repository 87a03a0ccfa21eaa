// Bearer tokens to users, and users to what they may do: a list of rules per user, all for an administrator.
// The texts of 401 and 403 are those of the real server; RBAC objects themselves are not served.
import type { Redacted } from "effect"
import { Effect, Redacted as Redacteds } from "effect"
import type { User } from "./Api.ts"
import { ApiError, unauthorized } from "./ApiError.ts"
import type { Resource } from "./Resources.ts"
import * as Resources from "./Resources.ts"

export type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete" | "deletecollection"

export interface Rule {
  /** "*" for all. */
  readonly verbs: ReadonlyArray<Verb | "*">
  /** "" for the core group, "*" for all. */
  readonly groups: ReadonlyArray<string>
  /** Plural; "pods/status" for a subresource; "*" for all. */
  readonly resources: ReadonlyArray<string>
  /** All when left out; such a rule does not cover requests over all namespaces. */
  readonly namespaces?: ReadonlyArray<string>
  readonly names?: ReadonlyArray<string>
}

export interface ClusterUser {
  readonly name: string
  readonly groups?: ReadonlyArray<string>
  /** Everything is allowed when left out. */
  readonly rules?: ReadonlyArray<Rule>
}

export interface Attributes {
  readonly verb: Verb
  readonly group: string
  /** "pods" or "pods/status". */
  readonly resource: string
  readonly namespace: string
  readonly name: string
}

const has = (values: ReadonlyArray<string>, value: string): boolean => values.includes("*") || values.includes(value)

const covers = (rule: Rule, it: Attributes): boolean => {
  return has(rule.verbs, it.verb) && has(rule.groups, it.group) && has(rule.resources, it.resource) &&
    (rule.namespaces === undefined || rule.namespaces.includes(it.namespace)) &&
    (rule.names === undefined || rule.names.includes(it.name))
}

export interface Authorizer {
  readonly add: (token: Redacted.Redacted, user: ClusterUser) => void
  readonly remove: (token: Redacted.Redacted) => void
  readonly authenticate: (authorization: string | undefined) => Effect.Effect<User, ApiError>
  /** Of the first user of that name; none when there is none. */
  readonly find: (name: string) => ClusterUser | undefined
  readonly allows: (user: User, attributes: Attributes) => boolean
}

/** `anonymous` is who a request without any credentials is; refused (401) when there is nobody. */
export const make = (anonymous: ClusterUser | undefined): Authorizer => {
  const users = new Map<string, ClusterUser>()
  const find = (name: string) =>
    [...users.values(), ...(anonymous === undefined ? [] : [anonymous])].find((it) => it.name === name)
  return {
    find,
    add: (token, user) => void users.set(Redacteds.value(token), user),
    remove: (token) => void users.delete(Redacteds.value(token)),
    authenticate: (authorization) => {
      const [scheme = "", token = ""] = (authorization ?? "").split(" ")
      const user = authorization === undefined
        ? anonymous
        : scheme.toLowerCase() === "bearer"
        ? users.get(token)
        : undefined
      return user === undefined
        ? Effect.fail(unauthorized())
        : Effect.succeed({ name: user.name, groups: [...user.groups ?? [], "system:authenticated"] })
    },
    allows: (user, attributes) => {
      const found = find(user.name)
      return found !== undefined && (found.rules === undefined || found.rules.some((it) => covers(it, attributes)))
    }
  }
}

/** The 403 of a right that is missing. */
export const forbidden = (user: User, resource: Resource, it: Attributes): ApiError => {
  const where = resource.namespaced && it.namespace !== ""
    ? ` in the namespace "${it.namespace}"`
    : " at the cluster scope"
  return new ApiError({
    code: 403,
    reason: "Forbidden",
    text: `${Resources.qualifiedName(resource)}${it.name === "" ? "" : ` "${it.name}"`} is forbidden: ` +
      `User "${user.name}" cannot ${it.verb} resource "${it.resource}" in API group "${it.group}"${where}`,
    details: {
      ...(it.name === "" ? {} : { name: it.name }),
      ...(resource.group === "" ? {} : { group: resource.group }),
      kind: resource.plural
    }
  })
}
