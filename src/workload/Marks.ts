// Marks: what people and tools wrote on an object that decides whether and how it is handled.
// Opt-outs are ours; GitOps marks are a closed list, because a guess that is wrong starts a fight with the template's owner.
import type { Marks, RewriteMark } from "./Workload.ts"

type Texts = Readonly<Record<string, string>>

const rewriteMarks: Readonly<Record<string, RewriteMark>> = { never: "never", admission: "admission", patch: "patch" }

/** Reads our own marks; an annotation counts before a label, a value that is not known counts as none. */
export const marksOf = (labels: Texts, annotations: Texts): Marks => {
  const ignore = annotations["image-cloner.io/ignore"] ?? labels["image-cloner.io/ignore"]
  const rewrite = annotations["image-cloner.io/rewrite"] ?? labels["image-cloner.io/rewrite"]
  return {
    ignore: ignore === "true" ? true : ignore === "false" ? false : undefined,
    rewrite: rewrite === undefined ? undefined : rewriteMarks[rewrite]
  }
}

interface ManagedField {
  readonly manager?: string | null
  readonly operation?: string | null
  readonly fieldsV1?: unknown
}

const applyManagers: Readonly<Record<string, string>> = {
  "argocd-controller": "Argo CD",
  "kustomize-controller": "Flux",
  "helm-controller": "Flux",
  helm: "Helm",
  Helm: "Helm"
}

/**
 * Whether a set of managed fields (KEP-555: `f:` a field, `k:` an item of a list) holds an image of a container or volume.
 * Only directly in an item: a label may be called image, too, and an RBD volume has a field of that name.
 */
const holdsImage = (fields: unknown, inItem = false): boolean => {
  if (typeof fields !== "object" || fields === null) return false
  return Object.entries(fields).some(([key, below]) =>
    key === "f:image" ? inItem : holdsImage(below, key.startsWith("k:"))
  )
}

/**
 * The GitOps tool or Helm that owns the template, with the mark that says so; undefined when there is none.
 * `kubectl` in either form and `app.kubernetes.io/instance` are not marks.
 */
export const managerOf = (
  labels: Texts,
  annotations: Texts,
  managedFields: ReadonlyArray<ManagedField>
): string | undefined => {
  if (annotations["argocd.argoproj.io/tracking-id"] !== undefined) {
    return "Argo CD (annotation argocd.argoproj.io/tracking-id)"
  }
  if (labels["argocd.argoproj.io/instance"] !== undefined) return "Argo CD (label argocd.argoproj.io/instance)"
  if (labels["kustomize.toolkit.fluxcd.io/name"] !== undefined) return "Flux (label kustomize.toolkit.fluxcd.io/name)"
  if (labels["helm.toolkit.fluxcd.io/name"] !== undefined) return "Flux (label helm.toolkit.fluxcd.io/name)"
  if (annotations["meta.helm.sh/release-name"] !== undefined) return "Helm (annotation meta.helm.sh/release-name)"
  if (labels["app.kubernetes.io/managed-by"] === "Helm") return "Helm (label app.kubernetes.io/managed-by)"
  for (const field of managedFields) {
    const tool = field.operation === "Apply" ? applyManagers[field.manager ?? ""] : undefined
    if (tool !== undefined && holdsImage(field.fieldsV1)) return `${tool} (field manager ${field.manager})`
  }
  return undefined
}

/** Name under which our own changes stand in `managedFields`. */
export const fieldManager = "image-cloner"

/** When our field manager last changed the object, in milliseconds since the epoch. */
export const patchedAtOf = (
  managedFields: ReadonlyArray<ManagedField & { readonly time?: string | null }>
): number | undefined => {
  const times = managedFields.filter((it) => it.manager === fieldManager && holdsImage(it.fieldsV1))
    .map((it) => Date.parse(it.time ?? "")).filter((it) => !Number.isNaN(it))
  return times.length === 0 ? undefined : Math.max(...times)
}
