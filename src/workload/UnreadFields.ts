// UnreadFields: why an object is of none of the shapes that projections are made of: the fields that are other than the API has
// them, in words. For manifests, whose authors can mend them; a cluster has no such objects.
import { Result, Schema, SchemaIssue } from "effect"
import { NamespaceObject, PodObject, Templated } from "./ApiObjects.ts"
import type { WorkloadKind } from "./Kinds.ts"

export interface UnreadField {
  readonly path: ReadonlyArray<PropertyKey>
  readonly problem: string
}

const format = SchemaIssue.makeFormatterStandardSchemaV1()
const options = { errors: "all" } as const
const decodeNamespace = Schema.decodeUnknownResult(NamespaceObject, options)
const decodePod = Schema.decodeUnknownResult(PodObject, options)
const decodeTemplated = Schema.decodeUnknownResult(Templated, options)

const decoded = (kind: WorkloadKind | "Namespace", object: unknown) =>
  kind === "Namespace" ? decodeNamespace(object) : kind === "Pod" ? decodePod(object) : decodeTemplated(object)

const longest = 60

/** What stands at a path, for one line. */
const shownAt = (object: unknown, path: ReadonlyArray<PropertyKey>): string => {
  let value = object
  for (const key of path) value = typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined
  if (Array.isArray(value)) return "a list"
  if (typeof value === "object" && value !== null) return "a map"
  const text = JSON.stringify(value) ?? "nothing"
  return text.length > longest ? `${text.slice(0, longest)}…` : text
}

/** The library says `Expected string | null`. */
const wordOf: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  boolean: "true or false",
  array: "a list",
  object: "a map"
}

const expected = (message: string): string =>
  message.replace(/^Expected /, "").split(" | ").flatMap((it) => it === "null" ? [] : wordOf[it] ?? it).join(" or ")

/** The fields of an object that cannot be read as those of its kind; none where all can. */
export const unreadFields = (kind: WorkloadKind | "Namespace", object: unknown): ReadonlyArray<UnreadField> => {
  const result = decoded(kind, object)
  if (Result.isSuccess(result)) return []
  return format(result.failure.issue).issues.map(({ message, path = [] }) => {
    const keys = path.map((it) => typeof it === "object" ? it.key : it)
    return {
      path: keys,
      problem: message === "Missing key"
        ? "it is missing"
        : `it is ${shownAt(object, keys)} and has to be ${expected(message)}`
    }
  })
}

/** A path as people write it: `spec.template.spec.containers[0].image`. */
export const fieldPath = (path: ReadonlyArray<PropertyKey>): string =>
  path.reduce<string>((text, key) =>
    typeof key === "number"
      ? `${text}[${key}]`
      : /^[\w-]+$/.test(String(key))
      ? `${text}${text === "" ? "" : "."}${String(key)}`
      : `${text}[${JSON.stringify(String(key))}]`, "")
