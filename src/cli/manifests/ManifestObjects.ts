// ManifestObjects: the objects in a document of a manifest: what kubectl would send to the API server one by one. Lists are taken
// apart; what the API server reads as empty is made so. Pure.
import type { ManifestDocument } from "./ManifestDocuments.ts"

type Fields = Readonly<Record<string, unknown>>
type Path = ReadonlyArray<PropertyKey>

/** An object, and what is read of it to say which one it is. */
export interface ManifestObject {
  readonly apiVersion: string
  readonly kind: string
  /** Undefined: it has none of its own. */
  readonly namespace: string | undefined
  /** `prefix*` where the API server makes up the rest of it. */
  readonly name: string
  readonly object: Fields
  /** Line its document begins in: known without a look, which `lineOf` may need. */
  readonly from: number
  readonly lineOf: (path: Path) => number
}

/** Something that is no object. */
export interface NoObject {
  readonly problem: string
  readonly line: number
  /** It may have been given its kind by somebody. */
  readonly fields: Fields | undefined
}

export const fieldsOf = (value: unknown): Fields | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined

const textOf = (value: unknown): string => typeof value === "string" ? value : ""

/** The items of a list of any kind, and what those have that have no kind of their own: `DeploymentList` has Deployments. */
const itemsOf = (of: Fields): { readonly given: Fields; readonly items: ReadonlyArray<unknown> } | undefined => {
  const [kind, items] = [textOf(of["kind"]), of["items"]]
  if (!kind.endsWith("List") || !Array.isArray(items)) return undefined
  return { given: kind === "List" ? {} : { apiVersion: of["apiVersion"], kind: kind.slice(0, -"List".length) }, items }
}

/** Labels and annotations that are null are empty texts to the API server (encoding/json, a map of strings). */
const emptied = (texts: unknown): unknown => {
  const fields = fieldsOf(texts)
  if (fields === undefined || !Object.values(fields).includes(null)) return texts
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, value ?? ""]))
}

const withTexts = (metadata: unknown): unknown => {
  const fields = fieldsOf(metadata)
  if (fields === undefined) return metadata
  const entries = Object.entries(fields)
  return Object.fromEntries(
    entries.map(([key, value]) => [key, key === "labels" || key === "annotations" ? emptied(value) : value])
  )
}

/** The object with the metadata at a path mended, and all else as it is. */
const mendedAt = (of: Fields, [step, ...rest]: ReadonlyArray<string>): Fields => {
  if (step === undefined) return "metadata" in of ? { ...of, metadata: withTexts(of["metadata"]) } : of
  const below = fieldsOf(of[step])
  return below === undefined ? of : { ...of, [step]: mendedAt(below, rest) }
}

const templates = [[], ["spec", "template"], ["spec", "jobTemplate", "spec", "template"]]

const objectOf = (fields: Fields, from: number, lineOf: (path: Path) => number): ManifestObject | NoObject => {
  const [apiVersion, kind] = [textOf(fields["apiVersion"]), textOf(fields["kind"])]
  const lacking = kind === "" ? "kind" : apiVersion === "" ? "apiVersion" : undefined
  if (lacking !== undefined) return { problem: `${lacking} is missing`, line: lineOf([]), fields }
  const object = templates.reduce(mendedAt, fields)
  const metadata = fieldsOf(object["metadata"]) ?? {}
  const prefix = textOf(metadata["generateName"])
  return {
    apiVersion,
    kind,
    namespace: textOf(metadata["namespace"]) || undefined,
    name: textOf(metadata["name"]) || (prefix === "" ? "" : `${prefix}*`),
    object,
    from,
    lineOf
  }
}

/**
 * Hands over the objects of a document in their order, and what is none. One by one: a list may be a whole cluster.
 * @param take called for each
 */
export const eachObject = (
  { lineOf, value }: ManifestDocument,
  take: (it: ManifestObject | NoObject) => void
): void => {
  const from = lineOf([])
  const visit = (it: unknown, given: Fields, path: Path): void => {
    const fields = fieldsOf(it)
    if (fields === undefined) {
      const what = Array.isArray(it) ? "a list" : `the text ${JSON.stringify(String(it)).slice(0, 60)}`
      return take({ problem: `${what} is no object`, line: lineOf(path), fields })
    }
    const list = itemsOf(fields)
    if (list === undefined) {
      return take(objectOf({ ...given, ...fields }, from, (below) => lineOf([...path, ...below])))
    }
    list.items.forEach((item, index) => visit(item, list.given, [...path, "items", index]))
  }
  visit(value, {}, [])
}
