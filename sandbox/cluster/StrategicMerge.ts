// Patches on JSON: RFC 7396 merge patch, and strategic merge patch with the merge keys of the built-in kinds.
// Source of the second: apimachinery pkg/util/strategicpatch; keys from the patchMergeKey tags of k8s.io/api.
import type { Json, JsonObject } from "../Json.ts"
import * as J from "../Json.ts"

/** RFC 7396. Gives back a new value; the target stays as it is. */
export const mergePatch = (target: Json | undefined, patch: Json): Json => {
  if (!J.isObject(patch)) return patch
  const result: JsonObject = J.isObject(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else result[key] = mergePatch(result[key], value)
  }
  return result
}

/** Lists merged by a key, by the name of their field; what is not here is replaced as a whole. */
const mergeKeys: Readonly<Record<string, ReadonlyArray<string>>> = {
  containers: ["name"],
  initContainers: ["name"],
  ephemeralContainers: ["name"],
  volumes: ["name"],
  env: ["name"],
  volumeMounts: ["mountPath"],
  volumeDevices: ["devicePath"],
  // Of a container the first, of a Service the second.
  ports: ["containerPort", "port"],
  imagePullSecrets: ["name"],
  secrets: ["name"],
  conditions: ["type"],
  addresses: ["type"],
  taints: ["key"],
  ownerReferences: ["uid"],
  hostAliases: ["ip"],
  podIPs: ["ip"],
  hostIPs: ["ip"],
  topologySpreadConstraints: ["topologyKey"],
  resourceClaims: ["name"],
  volumeClaimTemplates: ["name"]
}
/** Lists of plain values that are merged as sets. */
const sets = new Set(["finalizers", "podCIDRs"])

const keyFor = (field: string, items: ReadonlyArray<Json>): string | undefined => {
  const candidates = mergeKeys[field] ?? []
  return candidates.find((key) => items.some((it) => J.at(it, key) !== undefined)) ?? candidates[0]
}

/** Puts elements that an order names into that order; the others keep their place behind what they followed. */
const reorder = (items: ReadonlyArray<Json>, identity: (item: Json) => Json, order: ReadonlyArray<Json>) => {
  const rank = (item: Json) => order.findIndex((it) => J.equal(it, identity(item)))
  const ordered = items.filter((it) => rank(it) >= 0).toSorted((one, other) => rank(one) - rank(other))
  const result: Array<Json> = []
  for (const item of items) {
    const next = rank(item) >= 0 ? ordered.shift() : item
    if (next !== undefined) result.push(next)
  }
  return result
}

const mergeList = (
  field: string,
  target: ReadonlyArray<Json>,
  patch: ReadonlyArray<Json>,
  order: Json | undefined
): Array<Json> => {
  const replaces = patch.some((it) => J.text(it, "$patch") === "replace")
  if (replaces) return patch.filter((it) => J.at(it, "$patch") === undefined)
  if (sets.has(field)) {
    const merged = [...target, ...patch.filter((it) => !target.some((has) => J.equal(has, it)))]
    return Array.isArray(order) ? reorder(merged, (it) => it, order) : merged
  }
  const key = keyFor(field, [...patch, ...target])
  if (key === undefined) return [...patch]
  let merged = [...target]
  for (const item of patch) {
    const index = merged.findIndex((it) => J.equal(J.at(it, key), J.at(item, key)))
    if (J.text(item, "$patch") === "delete") {
      if (index >= 0) merged.splice(index, 1)
    } else if (index >= 0) merged[index] = strategicMerge(merged[index], item)
    else merged.push(strategicMerge(undefined, item))
  }
  if (Array.isArray(order)) {
    const identity = (item: Json): Json => J.at(item, key) ?? null
    merged = reorder(merged, identity, order.map((it) => J.isObject(it) ? identity(it) : it))
  }
  return merged
}

const directive = /^\$(patch|retainKeys|setElementOrder\/.+|deleteFromPrimitiveList\/.+)$/

/** Gives back a new value; the target stays as it is. */
export const strategicMerge = (target: Json | undefined, patch: Json): Json => {
  if (!J.isObject(patch)) return patch
  const mode = J.text(patch, "$patch")
  if (mode === "delete") return {}
  const result: JsonObject = J.isObject(target) && mode !== "replace" ? { ...target } : {}
  const retained = patch["$retainKeys"]
  if (Array.isArray(retained)) {
    for (const key of Object.keys(result)) if (!retained.includes(key)) delete result[key]
  }
  for (const [key, value] of Object.entries(patch)) {
    const [, from] = /^\$deleteFromPrimitiveList\/(.+)$/.exec(key) ?? []
    if (from === undefined || !Array.isArray(value)) continue
    result[from] = J.list(result, from).filter((it) => !value.some((gone) => J.equal(gone, it)))
  }
  for (const [key, value] of Object.entries(patch)) {
    if (directive.test(key)) continue
    const order = patch[`$setElementOrder/${key}`]
    if (value === null) delete result[key]
    else if (Array.isArray(value)) result[key] = mergeList(key, J.list(result, key), value, order)
    else result[key] = strategicMerge(result[key], value)
  }
  // An order alone, without elements to merge, still orders what is there.
  for (const [key, order] of Object.entries(patch)) {
    const [, field] = /^\$setElementOrder\/(.+)$/.exec(key) ?? []
    if (field === undefined || Object.hasOwn(patch, field) || !Array.isArray(result[field])) continue
    result[field] = mergeList(field, J.list(result, field), [], order)
  }
  return result
}
