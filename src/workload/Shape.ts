// Shape: what a pod template is apart from its images, as a short text that is the same for the same template. It tells a
// release from the same release with copies. Every Deployment and ReplicaSet that a watch brings is asked for it, so nothing is
// put in order but labels and annotations: a server writes the fields of a template in one order.
// Edge: left out is what we and the Deployment's controller add to templates.
import { Hash } from "effect"
import { originalsAnnotation } from "./Originals.ts"

type Fields = Readonly<Record<string, unknown>>

/** Labels and annotations that we and the Deployment's controller add to templates. */
export const addedToTemplates: ReadonlySet<string> = new Set([originalsAnnotation, "pod-template-hash"])

const fields = (value: unknown): Fields | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined

/** Labels or annotations without what is added; undefined where nothing is left. */
const given = (value: unknown): ReadonlyArray<readonly [string, unknown]> | undefined => {
  const entries = Object.entries(fields(value) ?? {}).filter(([name]) => !addedToTemplates.has(name))
  return entries.length === 0 ? undefined : entries.toSorted(([a], [b]) => a < b ? -1 : 1)
}

/** Containers or volumes without what names their images; whatever else stands there, as it is. */
const imageless = (value: unknown): unknown => {
  if (!Array.isArray(value)) return value ?? undefined
  const items: ReadonlyArray<unknown> = value
  return items.map((it) => {
    const item = fields(it)
    const image = fields(item?.["image"])
    return item === undefined ? it : { ...item, image: image && { ...image, reference: undefined } }
  })
}

/** The shape of the pod template of an object, `spec.template`. A hash of 32 bits: compared are a Deployment's few revisions. */
export const shapeOf = (object: unknown): string => {
  const template = fields(fields(fields(object)?.["spec"])?.["template"])
  const metadata = fields(template?.["metadata"])
  const spec = fields(template?.["spec"])
  const shape = [
    given(metadata?.["labels"]),
    given(metadata?.["annotations"]),
    spec && {
      ...spec,
      containers: imageless(spec["containers"]),
      initContainers: imageless(spec["initContainers"]),
      volumes: imageless(spec["volumes"])
    }
  ]
  return Hash.string(JSON.stringify(shape)).toString(36)
}
