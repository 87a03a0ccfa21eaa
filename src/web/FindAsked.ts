// FindAsked: the workload or the image that is asked about, among those that are known; else what may have been meant. Edge: reads, and
// makes no guess that somebody would take for an answer.
import { Option, Result } from "effect"
import { type Backup, backupOf, convertedBackupOf, isUnder, sourceOf } from "../image/BackupName.ts"
import { format, formatName, type ImageReference, isSame, parse } from "../image/ImageReference.ts"
import type { Images, InventoryEntry } from "../store/Inventory.ts"
import type { Workloads } from "../store/WorkloadStore.ts"
import { keyKindNamed } from "../workload/Kinds.ts"
import { type Workload, workloadKey } from "../workload/Workload.ts"
import { bounded, mostListed, type Unknown } from "./Explanation.ts"

const unknown = (message: string, candidates: Iterable<string> = []): Unknown => ({
  _tag: "Unknown",
  message: bounded(message),
  candidates: [...new Set(candidates)].toSorted().slice(0, mostListed).map(bounded)
})

/** What has this name elsewhere, else what has it in its own, in the same namespace. */
const alike = (store: Workloads, namespace: string, name: string): ReadonlyArray<string> => {
  const same = store.all.filter((it) => it.name === name).map((it) => it.key)
  if (same.length > 0) return same
  return store.all.filter((it) => it.namespace === namespace && it.owner === undefined && it.name.includes(name)).map((
    it
  ) => it.key)
}

const ofName = (store: Workloads, namespace: string, name: string): Workload | Unknown => {
  const found = store.all.filter((it) => it.namespace === namespace && it.name === name)
  const [first, second] = found
  if (first !== undefined && second === undefined) return first
  return first === undefined
    ? unknown(`nothing in namespace ${namespace} that runs pods is called ${name}`, alike(store, namespace, name))
    : unknown(
      `${found.length} objects in namespace ${namespace} are called ${name}: name one`,
      found.map((it) => it.key)
    )
}

/** @param text `Kind/namespace/name`, or `namespace/name` */
export const findWorkload = (store: Workloads, text: string): Workload | Unknown => {
  const [first = "", second = "", third, ...rest] = text.split("/")
  if (rest.length > 0 || first === "" || second === "") {
    return unknown(`${JSON.stringify(text)} names no workload; wanted is Kind/namespace/name`)
  }
  if (third === undefined) return ofName(store, first, second)
  const kind = keyKindNamed(first)
  if (kind === undefined) return unknown(`there is no kind ${JSON.stringify(first)} that runs pods`)
  return store.get(workloadKey(kind, second, third)) ??
    unknown(`there is no ${kind} ${third} in namespace ${second}`, alike(store, second, third))
}

export interface FoundImage {
  readonly entry: InventoryEntry
  readonly reference: ImageReference
}

const referenceOf = (entry: InventoryEntry): FoundImage | undefined => {
  const reference = parse(entry.source)
  return Result.isSuccess(reference) ? { entry, reference: reference.success } : undefined
}

/** The source whose copy has this name: flat and hashed names tell it only by the sources that are known. */
const byCopy = (all: ReadonlyArray<InventoryEntry>, backup: Backup, copy: ImageReference): FoundImage | undefined => {
  const wanted = format(copy)
  for (const entry of all) {
    const found = referenceOf(entry)
    if (found === undefined) continue
    const names = [backupOf(backup, found.reference), convertedBackupOf(backup, found.reference)]
    if (names.some((it) => format(it) === wanted)) return found
  }
  return undefined
}

/** Whose templates name an image; of ten thousand workloads most name the same ones, and each name is read once. */
const usersOf = (store: Workloads, text: string): ReadonlyArray<string> => {
  const known = new Map<string, boolean>()
  const isIt = (image: string): boolean => {
    const same = known.get(image) ?? isSame(image, text)
    known.set(image, same)
    return same
  }
  return store.all.filter((it) => it.images.some(({ image }) => isIt(image))).map((it) => it.key)
}

/** @param text a reference of a source or of a copy */
export const findImage = (images: Images, store: Workloads, backup: Backup, text: string): FoundImage | Unknown => {
  const parsed = parse(text)
  if (Result.isFailure(parsed)) return unknown(parsed.failure.message)
  const reference = parsed.success
  const { all } = images
  const copy = isUnder(backup, reference)
  const source = copy ? Option.getOrUndefined(sourceOf(backup, reference)) : reference
  const entry = source === undefined ? undefined : images.get(format(source))
  const found = entry === undefined ? copy ? byCopy(all, backup, reference) : undefined : referenceOf(entry)
  if (found !== undefined) return found
  const users = usersOf(store, text)
  if (users.length > 0) return unknown(`${text} is in use and is not copied; these say why`, topsOf(store, users))
  const repository = formatName(source ?? reference)
  const others = all.filter(({ source: it }) => it.startsWith(`${repository}:`) || it.startsWith(`${repository}@`))
  const message = `nothing in the cluster uses ${format(reference)}`
  if (others.length > 0) return unknown(`${message}; of its repository these are in use`, others.map((it) => it.source))
  const named = text.includes("/") ? [] : store.all.filter((it) => it.name === text).map((it) => it.key)
  return named.length === 0 ? unknown(message) : unknown(`${message}; these workloads are called so`, named)
}

/** What people call the users of an image: what controls them, each once. */
export const topsOf = (store: Workloads, users: Iterable<string>): ReadonlyArray<string> => {
  const tops = Array.from(users, (key) => {
    const workload = store.get(key)
    return workload === undefined ? key : store.ownersOf(workload).at(-1)?.key ?? key
  })
  return [...new Set(tops)]
}
