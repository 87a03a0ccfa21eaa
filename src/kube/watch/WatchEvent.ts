// One line of a watch, told apart. Source: apimachinery pkg/watch, API concepts "Watch bookmarks", "Streaming lists".
export interface Meta {
  readonly name: string
  /** Empty for what lives in no namespace. */
  readonly namespace: string
  readonly resourceVersion: string
}

export type WatchEvent =
  | { readonly _tag: "Applied"; readonly object: unknown; readonly meta: Meta }
  | { readonly _tag: "Deleted"; readonly object: unknown; readonly meta: Meta }
  /** `initialEnd`: everything that exists has been sent. */
  | { readonly _tag: "Bookmark"; readonly resourceVersion: string; readonly initialEnd: boolean }
  | { readonly _tag: "Error"; readonly status: unknown }

type Fields = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Fields => typeof value === "object" && value !== null

const fieldsOf = (value: unknown): Fields => isObject(value) ? value : {}

/** The part of an object's metadata that watching needs; undefined if it is no object of the API. */
export const metaOf = (object: unknown): Meta | undefined => {
  const { name, namespace, resourceVersion } = fieldsOf(fieldsOf(object)["metadata"])
  if (typeof name !== "string" || typeof resourceVersion !== "string") return undefined
  return { name, namespace: typeof namespace === "string" ? namespace : "", resourceVersion }
}

const parse = (line: string): Fields => {
  try {
    return fieldsOf(JSON.parse(line))
  } catch {
    return {} // which is no event, and that is what the caller is told
  }
}

/**
 * The event of a type and an object; undefined for what is none.
 * @param fields of the object
 * @param object as whoever keeps it is given it
 */
export const eventOf = (type: unknown, fields: unknown, object: unknown = fields): WatchEvent | undefined => {
  if (type === "ERROR") return { _tag: "Error", status: fields }
  if (type === "BOOKMARK") {
    const metadata = fieldsOf(fieldsOf(fields)["metadata"])
    const { resourceVersion } = metadata
    if (typeof resourceVersion !== "string") return undefined
    const initialEnd = fieldsOf(metadata["annotations"])["k8s.io/initial-events-end"] === "true"
    return { _tag: "Bookmark", resourceVersion, initialEnd }
  }
  const meta = metaOf(fields)
  if (meta === undefined) return undefined
  if (type === "ADDED" || type === "MODIFIED") return { _tag: "Applied", object, meta }
  return type === "DELETED" ? { _tag: "Deleted", object, meta } : undefined
}

/** The event of a line; undefined for what is none: the stream is corrupt. */
export const parseEvent = (line: string): WatchEvent | undefined => {
  const { object, type } = parse(line)
  return eventOf(type, object)
}
