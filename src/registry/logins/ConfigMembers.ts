// Members of docker's config.json, read one by one: programs in Go write null for what they do not have, those in PHP and Lua a
// list for an empty map, and one odd member must not take the others along. Source: Go's encoding/json, by which docker, podman and
// kubelet read the file: null is as good as missing, and names are matched without regard to case.
// Edge: what the members mean is DockerConfig.ts.
import { Option, Result, Schema } from "effect"

/** An object of the file; no value of it is known to be anything yet. */
export type Members = Readonly<Record<string, unknown>>

const isMembers = (value: unknown): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const decodeJson = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Unknown))

/**
 * The whole file. What is empty is no logins, as docker has it (it writes such files); what is no JSON, or no object, is none:
 * the problem does not quote it, since it may be a secret.
 */
export const documentOf = (text: string): Result.Result<Members, string> => {
  // Windows' editors begin a file with a byte order mark, which is no JSON
  const json = text.replace(/^\ufeff/, "").trim()
  if (json === "") return Result.succeed({})
  const value = decodeJson(json)
  if (Option.isNone(value)) return Result.fail("it is not docker's JSON, nor any other")
  if (value.value === null) return Result.succeed({})
  return isMembers(value.value)
    ? Result.succeed(value.value)
    : Result.fail("it is not docker's JSON: an object with auths, credHelpers and credsStore")
}

/** A member by its name, exactly or but for case; undefined where it is missing or null. */
export const memberOf = (members: Members, name: string): unknown => {
  const exact = Object.hasOwn(members, name) ? members[name] : undefined
  if (exact !== undefined && exact !== null) return exact
  const other = Object.keys(members).find((it) => it.toLowerCase() === name.toLowerCase() && members[it] !== null)
  return other === undefined ? undefined : members[other]
}

/** A member that is a text, empty where it is missing; fails with what is wrong with another. */
export const textOf = (members: Members, name: string): Result.Result<string, string> => {
  const value = memberOf(members, name) ?? ""
  return typeof value === "string" ? Result.succeed(value) : Result.fail(`its ${name} is no text`)
}

/** A member that is an object, empty where it is missing or an empty list; fails with what is wrong with another. */
export const mapOf = (members: Members, name: string): Result.Result<Members, string> => {
  const value = memberOf(members, name) ?? {}
  if (Array.isArray(value) && value.length === 0) return Result.succeed({})
  return isMembers(value) ? Result.succeed(value) : Result.fail(`${name} is no object`)
}

/** The entry of a map as an object, empty where it is null. */
export const entryOf = (value: unknown): Result.Result<Members, string> =>
  value === null || value === undefined
    ? Result.succeed({})
    : isMembers(value)
    ? Result.succeed(value)
    : Result.fail("it is no object")
