// UnreadFields: why an object is of none of the shapes that projections are made of: the fields that are other than the API has
// them, in words. For manifests, whose authors can mend them; a cluster has no such objects.
import { Result, Schema, SchemaIssue } from "effect"
import { NamespaceObject, ObjectMeta, PodObject, PodSpec, Templated } from "./ApiObjects.ts"
import type { Kind } from "./Kinds.ts"
import { fieldAt } from "./ProjectExtra.ts"

export interface UnreadField {
  readonly path: ReadonlyArray<PropertyKey>
  readonly problem: string
}

const format = SchemaIssue.makeFormatterStandardSchemaV1()
const options = { errors: "all" } as const
const decodeNamespace = Schema.decodeUnknownResult(NamespaceObject, options)
const decodePod = Schema.decodeUnknownResult(PodObject, options)
const decodeTemplated = Schema.decodeUnknownResult(Templated, options)
const decodeMetadata = Schema.decodeUnknownResult(Schema.Struct({ metadata: ObjectMeta }), options)
const decodePodSpec = Schema.decodeUnknownResult(PodSpec, options)

/** What is wrong with an object, each with the path that its own paths begin at. */
const failuresOf = (kind: Kind | "Namespace", object: unknown) => {
  const wrong: Array<{ readonly from: ReadonlyArray<PropertyKey>; readonly issue: SchemaIssue.Issue }> = []
  const note = <A>(result: Result.Result<A, Schema.SchemaError>, from: ReadonlyArray<PropertyKey> = []) => {
    if (Result.isFailure(result)) wrong.push({ from, issue: result.failure.issue })
  }
  if (kind === "Namespace") note(decodeNamespace(object))
  else if (kind.kind === "Pod") note(decodePod(object))
  else if (kind.extra === undefined) note(decodeTemplated(object))
  else {
    note(decodeMetadata(object))
    note(decodePodSpec(fieldAt(object, kind.extra.podSpec) ?? {}), kind.extra.podSpec)
  }
  return wrong
}

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
export const unreadFields = (kind: Kind | "Namespace", object: unknown): ReadonlyArray<UnreadField> =>
  failuresOf(kind, object).flatMap(({ from, issue }) =>
    format(issue).issues.map(({ message, path = [] }) => {
      const keys = [...from, ...path.map((it) => typeof it === "object" ? it.key : it)]
      return {
        path: keys,
        problem: message === "Missing key"
          ? "it is missing"
          : `it is ${shownAt(object, keys)} and has to be ${expected(message)}`
      }
    })
  )

/** A path as people write it: `spec.template.spec.containers[0].image`. */
export const fieldPath = (path: ReadonlyArray<PropertyKey>): string =>
  path.reduce<string>((text, key) =>
    typeof key === "number"
      ? `${text}[${key}]`
      : /^[\w-]+$/.test(String(key))
      ? `${text}${text === "" ? "" : "."}${String(key)}`
      : `${text}[${JSON.stringify(String(key))}]`, "")
