// Marks: what people and tools wrote on an object that decides whether and how it is handled.
// Opt-outs are ours; the traces of tools that own templates are tables of KnownOwners.
import { remembered, sharedTexts } from "../collections/Remembered.ts"
import { fieldManagers, isBuiltIn, type Mark, marks } from "./KnownOwners.ts"
import { originalsAnnotation } from "./Originals.ts"
import type { Marks, RewriteMark } from "./Workload.ts"

type Texts = Readonly<Record<string, string>>

/** What most of a cluster's objects have in common: a few tools and how they write. */
const traces = sharedTexts(1024)

/** The mark that says whether a workload is rewritten, as an annotation or a label. */
export const rewriteAnnotation = "image-cloner.io/rewrite"

const rewriteMarks: ReadonlyMap<string, RewriteMark> = new Map([
  ["never", "never"],
  ["admission", "admission"],
  ["patch", "patch"]
])

/** What most objects have: shared, because there are many. */
const unmarked: Marks = { ignore: undefined, rewrite: undefined }

/** Reads our own marks; an annotation counts before a label, a value that is not known counts as none. */
export const marksOf = (labels: Texts, annotations: Texts): Marks => {
  const ignore = annotations["image-cloner.io/ignore"] ?? labels["image-cloner.io/ignore"]
  const rewrite = annotations[rewriteAnnotation] ?? labels[rewriteAnnotation]
  if (ignore === undefined && rewrite === undefined) return unmarked
  return {
    ignore: ignore === "true" ? true : ignore === "false" ? false : undefined,
    rewrite: rewrite === undefined ? undefined : rewriteMarks.get(rewrite)
  }
}

/** An entry of `metadata.managedFields`: what one manager holds by one kind of write. */
export interface ManagedField {
  readonly manager?: string | null
  readonly operation?: string | null
  readonly subresource?: string | null
  readonly fieldsV1?: unknown
}

interface OwnerReference {
  readonly apiVersion?: string | null
  readonly kind?: string | null
  readonly name?: string | null
  readonly controller?: boolean | null
}

/** The same question of the same set of fields, which a thousand objects may share (WireParts.ts), is answered once. */
const judgedOnce = (judge: (fields: object) => boolean) => {
  const answers = new WeakMap<object, boolean>()
  return (fields: unknown): boolean => {
    if (typeof fields !== "object" || fields === null) return false
    const known = answers.get(fields)
    if (known !== undefined) return known
    const answer = judge(fields)
    answers.set(fields, answer)
    return answer
  }
}

/**
 * Whether a set of managed fields (KEP-555: `f:` a field, `k:` an item of a list) holds an image of a container or volume.
 * Only directly in an item: a label may be called image, too, and an RBD volume has a field of that name.
 */
export const holdsImage = judgedOnce((fields) => findImage(fields, false))

const findImage = (fields: unknown, inItem: boolean): boolean =>
  typeof fields === "object" && fields !== null &&
  Object.entries(fields).some(([key, below]) => key === "f:image" ? inItem : findImage(below, key.startsWith("k:")))

/** Where a key is that may be on these, the first of them; every object is asked for every mark. */
const placeOf = (on: Mark["on"], key: string, labels: Texts, annotations: Texts) => {
  for (const place of on) if ((place === "label" ? labels : annotations)[key] !== undefined) return place
  return undefined
}

const byMark = (labels: Texts, annotations: Texts): string | undefined => {
  for (const mark of marks) {
    const place = placeOf(mark.on, mark.key, labels, annotations)
    if (place === undefined) continue
    const text = (place === "label" ? labels : annotations)[mark.key] ?? ""
    if (mark.when?.(text) === false) continue
    if (mark.unless !== undefined && labels[mark.unless[0]] === mark.unless[1]) continue
    return `${mark.tool} (${place} ${mark.key})`
  }
  return undefined
}

/** What a field manager is known as, by its name; no tool: its fields are nobody's. */
const knownManager = remembered(512, (manager) => {
  const known = fieldManagers.find((it) => it.begins === true ? manager.startsWith(it.name) : manager === it.name)
  return { known, trace: known && `${known.tool} (field manager ${manager})` }
})

const byField = (managedFields: ReadonlyArray<ManagedField>): string | undefined => {
  for (const it of managedFields) {
    const { manager, subresource } = it
    // what is written through status or scale changes no template
    if (typeof manager !== "string" || (subresource ?? "") !== "") continue
    const { known, trace } = knownManager(manager)
    // fields are parsed as they are asked for (WireParts.ts), so they are the last
    if (known === undefined || (known.fields === "images" && !holdsImage(it.fieldsV1))) continue
    return trace
  }
  return undefined
}

/** A custom resource that lists itself as an owner but does not control: its operator sets the template all the same. */
const byOwner = (ownerReferences: ReadonlyArray<OwnerReference>): string | undefined => {
  const owner = ownerReferences.find((it) => it.controller !== true && !isBuiltIn(it.apiVersion ?? ""))
  return owner && `${owner.kind ?? ""} ${owner.name ?? ""} (owner reference to ${owner.apiVersion ?? ""})`
}

/**
 * The tool or operator that owns the template and would undo a change, with the trace that says so; undefined when there is
 * none. A controlling owner is none: that is told by `Workload.owner`. Neither are `kubectl` in either form, ourselves, and
 * `app.kubernetes.io/instance`.
 */
export const managerOf = (
  labels: Texts,
  annotations: Texts,
  managedFields: ReadonlyArray<ManagedField>,
  ownerReferences: ReadonlyArray<OwnerReference>
): string | undefined => {
  const trace = byMark(labels, annotations) ?? byField(managedFields) ?? byOwner(ownerReferences)
  return trace && traces(trace)
}

const find = (fields: unknown, field: string): boolean =>
  typeof fields === "object" && fields !== null &&
  Object.entries(fields).some(([key, below]) => key === field || find(below, field))

const holdsTemplate = judgedOnce((fields) => find(fields, "f:template"))
const holdsOriginals = judgedOnce((fields) => find(fields, `f:${originalsAnnotation}`))

/** Name under which our own changes stand in `managedFields`. */
export const fieldManager = "image-cloner"

type Timed = ManagedField & { readonly time?: string | null }

/** The newest time of the entries that count; every object is asked, so it takes no memory. */
const latest = (entries: ReadonlyArray<Timed>, counts: (entry: Timed) => boolean): number | undefined => {
  let newest: number | undefined
  for (const it of entries) {
    if (!counts(it)) continue
    const time = Date.parse(it.time ?? "")
    if (!Number.isNaN(time) && time > (newest ?? -Infinity)) newest = time
  }
  return newest
}

const isOurs = (it: Timed): boolean =>
  it.manager === fieldManager && (holdsOriginals(it.fieldsV1) || holdsImage(it.fieldsV1))

/** What is written through status or scale changes no template. */
const isOfSpec = (it: Timed): boolean => (it.subresource ?? "") === ""
const isOfImage = (it: Timed): boolean => isOfSpec(it) && holdsImage(it.fieldsV1)

/** Whether fields are more than metadata: of custom resources a list of containers is mostly one field, and names no image. */
export const holdsSpec = judgedOnce((fields) => Object.keys(fields).some((it) => it !== "f:metadata"))
const isOfExtraSpec = (it: Timed): boolean => isOfSpec(it) && holdsSpec(it.fieldsV1)
const isOthers = (it: Timed): boolean => it.manager !== fieldManager && isOfSpec(it) && holdsTemplate(it.fieldsV1)

/**
 * When our field manager last changed the object, in milliseconds since the epoch. Its entry is the one that holds the
 * originals annotation: images are given up after each rewrite (Ownership.ts), but not by version 0.1.
 */
export const patchedAtOf = (managedFields: ReadonlyArray<Timed>): number | undefined => latest(managedFields, isOurs)

/** How `kubectl rollout undo` stands in `managedFields`: it names no manager of its own, as kubectl's other commands do. */
export const rollingBack = "kubectl (Update)"

/** How we stand there ourselves. */
export const ourselves = `${fieldManager} (Update)`

/**
 * Who set an image last: the field manager that holds one now, the newest where several do, and how it writes. Undefined where
 * nobody holds any: ours are given up, and some tools clear the list.
 * @param isExtra of a custom resource, whose images are in no field of their own
 */
export const imagesSetByOf = (managedFields: ReadonlyArray<Timed>, isExtra = false): string | undefined => {
  const counts = isExtra ? isOfExtraSpec : isOfImage
  const newest = latest(managedFields, counts)
  const found = managedFields.findLast((it) =>
    counts(it) && (newest === undefined || Date.parse(it.time ?? "") === newest)
  )
  return found && traces(`${found.manager ?? "unknown"} (${found.operation ?? "unknown"})`)
}

/**
 * When another manager than ours last changed the pod template, in milliseconds since the epoch.
 */
export const templateChangedAtOf = (managedFields: ReadonlyArray<Timed>): number | undefined =>
  latest(managedFields, isOthers)

/** The list is atomic (k8s.io/api core/v1, ServiceAccount): whoever holds it holds all of it. */
const holdsPullSecrets = judgedOnce((fields) => Object.hasOwn(fields, "f:imagePullSecrets"))

/** The field manager other than ours that holds a ServiceAccount's `imagePullSecrets`; undefined where nobody does. */
export const pullSecretsHeldBy = (managedFields: ReadonlyArray<ManagedField>): string | undefined => {
  const holder = managedFields.find((it) => it.manager !== fieldManager && holdsPullSecrets(it.fieldsV1))
  return holder && (holder.manager ?? "unknown")
}
