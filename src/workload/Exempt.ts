// Exempt: what is left alone whichever way its pods would come to use the copies, by a patch of their template or at admission:
// ignored namespaces, opt-outs, what the backup and the cluster need to start, and what people or fights have put back. Pure.
import type { Facts } from "./Facts.ts"
import { isHeld } from "./HeldMark.ts"
import type { PlannedImage } from "./PlanImages.ts"
import { servesBackup } from "./ServesBackup.ts"
import { type Held, held, type Skipped, skipped } from "./Verdict.ts"
import type { RewriteMark, Workload } from "./Workload.ts"

/** Namespaces of the cluster itself, whatever the settings say. */
export const alwaysIgnored: ReadonlySet<string> = new Set(["kube-system", "kube-proxy"])

type NamespaceFacts = Pick<Facts, "settings" | "ownNamespace">

/** Why the settings leave a whole namespace out; undefined when they do not. */
export const ignoredNamespace = (
  namespace: string,
  { ownNamespace, settings }: NamespaceFacts
): Skipped | undefined => {
  if (alwaysIgnored.has(namespace)) return skipped("namespace-ignored", `${namespace} is always ignored`)
  if (namespace === ownNamespace) return skipped("namespace-ignored", "it is the controller's own namespace")
  if (settings.NAMESPACES_TO_IGNORE.includes(namespace)) {
    return skipped("namespace-ignored", `${namespace} is in NAMESPACES_TO_IGNORE`)
  }
  return settings.NAMESPACES_TO_INCLUDE.length > 0 && !settings.NAMESPACES_TO_INCLUDE.includes(namespace)
    ? skipped("namespace-ignored", `${namespace} is not in NAMESPACES_TO_INCLUDE`)
    : undefined
}

/** Why nothing of an object is handled, not even cloned; undefined when it is. */
export const leftAlone = (
  workload: Workload,
  facts: NamespaceFacts & Pick<Facts, "owners" | "namespace">
): Skipped | undefined => {
  const { namespace } = workload
  const ignored = ignoredNamespace(namespace, facts)
  if (ignored !== undefined) return ignored
  if (workload.mirror) return skipped("mirror-pod", "it is a static pod of a node")
  // the most specific mark counts: the object's own, then its owners', then the namespace's
  const chain = [workload, ...facts.owners]
  const marked = chain.find((it) => it.marks.ignore !== undefined)
  if (marked?.marks.ignore === true) return skipped("opted-out", `image-cloner.io/ignore is set on ${marked.key}`)
  if (marked === undefined && facts.namespace?.marks.ignore === true) {
    return skipped("opted-out", `image-cloner.io/ignore is set on namespace ${namespace}`)
  }
  return undefined
}

/**
 * What is written about rewriting: on the object itself, else on its namespace. That one of EXTRA_KINDS is patched is its owner's
 * word alone.
 */
export const rewriteMark = (
  { kind, marks }: Pick<Workload, "kind" | "marks">,
  { namespace }: Pick<Facts, "namespace">
): RewriteMark | undefined => {
  const ofNamespace = namespace?.marks.rewrite
  return marks.rewrite ?? (kind === "Extra" && ofNamespace === "patch" ? undefined : ofNamespace)
}

/** Why something has to start without the backup; undefined when it has not. */
export const startsWithout = (
  { namespace, priorityClass }: Workload,
  { settings }: Pick<Facts, "settings">
): Held | undefined => {
  const serves = servesBackup(namespace, settings)
  if (serves !== undefined) return held("serves-backup", serves)
  return /^system-.*-critical$/.test(priorityClass ?? "")
    ? held("critical", `its priority class is ${priorityClass}`)
    : undefined
}

/** Whether what it names now was put back, by us or in a fight: by the mark on it, or by what is remembered. */
export const heldByMark = (
  images: ReadonlyArray<PlannedImage>,
  marks: ReadonlyArray<Workload["held"]>,
  now: number
): Held | undefined => {
  const mark = marks.find((it) =>
    it !== undefined &&
    images.some(({ skip, slot, to }) => skip === undefined && isHeld(it, slot.container, slot.image, to, now))
  )
  return mark && held(mark.reason, `${mark.detail}; ${mark.until ?? "until another image or no mark is there"}`)
}
