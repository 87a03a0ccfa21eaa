// JSON as the sandbox handles it: a closed type, and readers that never trust a shape.
// For the embedded servers, controllers and the kubelet, whose objects are whatever a client sent.

export type Json = null | boolean | number | string | Array<Json> | JsonObject
export interface JsonObject {
  [key: string]: Json
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** What is at the path; undefined where there is nothing. Numbers index arrays. */
export const at = (value: Json | undefined, ...path: ReadonlyArray<string | number>): Json | undefined => {
  let here: Json | undefined = value
  for (const step of path) {
    if (Array.isArray(here) && typeof step === "number") here = here[step]
    else if (isObject(here) && typeof step === "string" && Object.hasOwn(here, step)) here = here[step]
    else return undefined
  }
  return here
}

export const text = (value: Json | undefined, ...path: ReadonlyArray<string | number>): string | undefined => {
  const found = at(value, ...path)
  return typeof found === "string" ? found : undefined
}

export const number = (value: Json | undefined, ...path: ReadonlyArray<string | number>): number | undefined => {
  const found = at(value, ...path)
  return typeof found === "number" ? found : undefined
}

/** The array at the path; empty where there is none. The array itself, not a copy. */
export const list = (value: Json | undefined, ...path: ReadonlyArray<string | number>): Array<Json> => {
  const found = at(value, ...path)
  return Array.isArray(found) ? found : []
}

/** The object at the path; empty where there is none. The object itself, not a copy. */
export const object = (value: Json | undefined, ...path: ReadonlyArray<string | number>): JsonObject => {
  const found = at(value, ...path)
  return isObject(found) ? found : {}
}

/** The entries of the object at the path whose values are text. */
export const texts = (value: Json | undefined, ...path: ReadonlyArray<string | number>): Record<string, string> => {
  const found: Record<string, string> = {}
  for (const [key, entry] of Object.entries(object(value, ...path))) if (typeof entry === "string") found[key] = entry
  return found
}

/** The object at the path, created (with what leads to it) where there is none. */
export const ensure = (root: JsonObject, ...path: ReadonlyArray<string>): JsonObject => {
  let here = root
  for (const step of path) {
    const next = here[step]
    if (isObject(next)) here = next
    else here = here[step] = {}
  }
  return here
}

export const clone = <A extends Json>(value: A): A => structuredClone(value)

/** Equal as JSON: the order of an object's keys does not count. */
export const equal = (one: Json | undefined, other: Json | undefined): boolean => {
  if (one === other) return true
  if (Array.isArray(one)) {
    return Array.isArray(other) && one.length === other.length && one.every((it, index) => equal(it, other[index]))
  }
  if (!isObject(one) || !isObject(other)) return false
  const keys = Object.keys(one)
  return keys.length === Object.keys(other).length &&
    keys.every((key) => Object.hasOwn(other, key) && equal(one[key], other[key]))
}

/** The text as JSON; undefined when it is none. */
export const parse = (source: string): Json | undefined => {
  try {
    const value: Json = JSON.parse(source)
    return value
  } catch {
    // Only syntax errors come from JSON.parse, and "no JSON" is the answer to those.
    return undefined
  }
}
