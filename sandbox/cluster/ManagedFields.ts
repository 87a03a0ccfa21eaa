// Who set which field: metadata.managedFields of Update and Apply writes, with f: and k: paths.
// Lists whose elements have keys are looked into; what else is a list is one value.
// Source: structured-merge-diff; the format: k8s.io/api meta/v1 FieldsV1.
import type { Json, JsonObject } from "../Json.ts"
import * as J from "../Json.ts"

/** Keys by which list elements are told apart; other lists are one value. */
const listKeys: Readonly<Record<string, string>> = {
  containers: "name",
  initContainers: "name",
  ephemeralContainers: "name",
  volumes: "name",
  env: "name",
  volumeMounts: "mountPath",
  conditions: "type",
  ownerReferences: "uid",
  imagePullSecrets: "name"
}
/** Set by the server, or the object's name: nobody's. */
const unmanaged = new Set([
  "name",
  "namespace",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "managedFields",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "selfLink"
])

type Leaves = Map<string, Json>
const separator = "\u0000"

const collect = (field: string, value: Json, path: string, into: Leaves): void => {
  const key = listKeys[field]
  if (Array.isArray(value) && key !== undefined) {
    for (const item of value) {
      const id = J.at(item, key)
      const step = `${path}${separator}k:${JSON.stringify({ [key]: id ?? null })}`
      into.set(`${step}${separator}.`, {})
      for (const [name, inner] of Object.entries(J.object(item))) {
        collect(name, inner, `${step}${separator}f:${name}`, into)
      }
    }
    return
  }
  if (J.isObject(value) && Object.keys(value).length > 0) {
    for (const [name, inner] of Object.entries(value)) collect(name, inner, `${path}${separator}f:${name}`, into)
    return
  }
  into.set(path, value)
}

const leavesOf = (object: JsonObject): Leaves => {
  const found: Leaves = new Map()
  for (const [name, value] of Object.entries(object)) {
    if (name === "apiVersion" || name === "kind") continue
    if (name !== "metadata") collect(name, value, `f:${name}`, found)
    else {
      for (const [field, inner] of Object.entries(J.object(value))) {
        if (!unmanaged.has(field)) collect(field, inner, `f:metadata${separator}f:${field}`, found)
      }
    }
  }
  return found
}

const toTree = (paths: Iterable<string>): JsonObject => {
  const tree: JsonObject = {}
  for (const path of paths) J.ensure(tree, ...path.split(separator))
  return tree
}

const fromTree = (tree: Json | undefined, path: string, into: Set<string>): Set<string> => {
  for (const [step, below] of Object.entries(J.object(tree))) {
    const here = path === "" ? step : `${path}${separator}${step}`
    if (Object.keys(J.object(below)).length === 0) into.add(here)
    else fromTree(below, here, into)
  }
  return into
}

export interface Writer {
  readonly manager: string
  readonly subresource: string
  readonly apiVersion: string
  /** RFC 3339. */
  readonly time: string
}

const isReadable = (entry: Json): boolean =>
  ["Update", "Apply"].includes(J.text(entry, "operation") ?? "") && J.text(entry, "fieldsType") === "FieldsV1" &&
  (J.text(entry, "apiVersion") ?? "") !== ""

/**
 * What a write says of managedFields itself counts, so that managers can give fields up; an empty list, or one empty
 * entry, ends all tracking. What cannot be read is as if nothing had been said.
 */
const said = (before: JsonObject | undefined, after: JsonObject): ReadonlyArray<Json> => {
  const list = J.list(after, "metadata", "managedFields")
  const [first] = list
  const reset = first === undefined
    ? Array.isArray(J.at(after, "metadata", "managedFields"))
    : list.length === 1 && J.isObject(first) && Object.keys(first).length === 0
  if (reset) return []
  return first !== undefined && list.every(isReadable) ? list : J.list(before, "metadata", "managedFields")
}

/**
 * The entries after `writer` turned `before` into `after`: what it changed is its own, and no longer anybody else's.
 * An entry left without a field goes. Of an object that is there and has no entry nothing is tracked.
 */
export const update = (before: JsonObject | undefined, after: JsonObject, writer: Writer): Array<Json> => {
  const present = said(before, after)
  if (before !== undefined && present.length === 0) return []
  const old: Leaves = before === undefined ? new Map<string, Json>() : leavesOf(before)
  const now = leavesOf(after)
  const changed = new Set([...now].filter(([path, value]) => !J.equal(old.get(path), value)).map(([path]) => path))
  const entries: Array<Json> = []
  let mine = false
  for (const entry of present) {
    const own = J.text(entry, "manager") === writer.manager && J.text(entry, "operation") === "Update" &&
      (J.text(entry, "subresource") ?? "") === writer.subresource
    const held = fromTree(J.at(entry, "fieldsV1"), "", new Set<string>())
    // Gone from the object, or changed by this write.
    const kept = [...held].filter((path) => now.has(path) && (own || !changed.has(path)))
    const paths = own ? new Set([...kept, ...changed]) : new Set(kept)
    if (own) mine = true
    if (paths.size === 0) continue
    entries.push({
      ...J.object(entry),
      ...(own && changed.size > 0 ? { time: writer.time, apiVersion: writer.apiVersion } : {}),
      fieldsV1: toTree(paths)
    })
  }
  if (!mine && changed.size > 0) {
    entries.push({
      manager: writer.manager,
      operation: "Update",
      apiVersion: writer.apiVersion,
      time: writer.time,
      fieldsType: "FieldsV1",
      fieldsV1: toTree(changed),
      ...(writer.subresource === "" ? {} : { subresource: writer.subresource })
    })
  }
  return entries
}

const holds = (entry: Json): Set<string> => fromTree(J.at(entry, "fieldsV1"), "", new Set<string>())
const isApplier = (entry: Json, writer: Writer): boolean =>
  J.text(entry, "manager") === writer.manager && J.text(entry, "operation") === "Apply" &&
  (J.text(entry, "subresource") ?? "") === writer.subresource

export interface Conflict {
  readonly manager: string
  /** Undefined for one who applied it as well. */
  readonly apiVersion: string | undefined
  /** ".spec.containers[name=\"app\"].image" */
  readonly field: string
}

export interface Application {
  /** Fields with another value that somebody else holds. */
  readonly conflicts: ReadonlyArray<Conflict>
  /** The object without what this manager applied before, and nobody else holds. */
  readonly pruned: JsonObject
  /** managedFields after the write of `next`. */
  readonly entries: (next: JsonObject) => Array<Json>
}

const shownPath = (path: string): string =>
  path.split(separator).map((step) => {
    if (step.startsWith("f:")) return `.${step.slice(2)}`
    const [[key = "", value = ""] = []] = Object.entries(J.texts(J.parse(step.slice(2))))
    return step === "." ? "" : `[${key}=${JSON.stringify(value)}]`
  }).join("")

/** Takes away what is at the path; of a list element's own mark (".") the element. */
const take = (object: JsonObject, steps: ReadonlyArray<string>): void => {
  const [step = "", next, ...rest] = steps
  const name = step.slice(2)
  if (next === undefined) return void delete object[name]
  const value = object[name]
  if (J.isObject(value)) return take(value, [next, ...rest])
  if (!Array.isArray(value) || !next.startsWith("k:")) return
  const keys = J.object(J.parse(next.slice(2)))
  const index = value.findIndex((it) => Object.entries(keys).every(([key, is]) => J.equal(J.at(it, key), is)))
  const item = value[index]
  if (rest.length === 1 && rest[0] === ".") {
    if (index >= 0) value.splice(index, 1)
  } else if (J.isObject(item)) take(item, rest)
}

/** Of an object that has no entry, everything is somebody's before the first apply. */
const tracked = (current: JsonObject | undefined, writer: Writer): ReadonlyArray<Json> => {
  const entries = J.list(current, "metadata", "managedFields")
  return current === undefined || entries.length > 0
    ? entries
    : update(undefined, current, { ...writer, manager: "before-first-apply" })
}

/** What it means that `writer` applies `applied` to `current`, which may not be there yet. */
export const application = (
  current: JsonObject | undefined,
  applied: JsonObject,
  writer: Writer
): Application => {
  const wanted = leavesOf(applied)
  const now: Leaves = current === undefined ? new Map<string, Json>() : leavesOf(current)
  const entries = tracked(current, writer)
  const mine = entries.find((it) => isApplier(it, writer))
  const others = entries.filter((it) => it !== mine)
  const changes = [...wanted].filter(([path, value]) => now.has(path) && !J.equal(now.get(path), value))
    .map(([path]) => path)
  const conflicts = others.flatMap((it) => {
    const held = holds(it)
    const apiVersion = J.text(it, "operation") === "Apply" ? undefined : J.text(it, "apiVersion")
    return changes.filter((path) => held.has(path))
      .map((path) => ({ manager: J.text(it, "manager") ?? "", apiVersion, field: shownPath(path) }))
  })
  const heldByOthers = new Set(others.flatMap((it) => [...holds(it)]))
  const pruned = J.clone(current ?? {})
  const gone = [...mine === undefined ? [] : holds(mine)].filter((it) => !wanted.has(it) && !heldByOthers.has(it))
  // Elements before the fields in them: among those is the key by which an element is found.
  for (const path of gone.toSorted((one, other) => one.length - other.length)) take(pruned, path.split(separator))
  return {
    conflicts,
    pruned,
    entries: (next) => {
      const left = leavesOf(next)
      const kept = others.flatMap((it) => {
        const paths = [...holds(it)].filter((path) => left.has(path) && !changes.includes(path))
        return paths.length === 0 ? [] : [{ ...J.object(it), fieldsV1: toTree(paths) }]
      })
      const own = {
        manager: writer.manager,
        operation: "Apply",
        apiVersion: writer.apiVersion,
        time: writer.time,
        fieldsType: "FieldsV1",
        fieldsV1: toTree(wanted.keys()),
        ...(writer.subresource === "" ? {} : { subresource: writer.subresource })
      }
      return [own, ...kept]
    }
  }
}
