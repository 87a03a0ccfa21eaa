// ProjectExtra: objects of the kinds of EXTRA_KINDS in, projections out, as Project.ts makes them of built-in kinds. Their originals
// are recorded on the object itself: a CustomResourceDefinition may prune the metadata of a template, and some pod specs have no
// template around them. Edge: nothing is read of a status; how they are rolled is their own controllers' matter.
import { Option, Schema } from "effect"
import { type ExtraKind, extraName } from "../settings/Settings.ts"
import { ObjectMeta, PodSpec } from "./ApiObjects.ts"
import { type BuiltInKind, type Kind } from "./Kinds.ts"
import { originalsAnnotation } from "./Originals.ts"
import { ofNoKind, projectBase, projectTemplated } from "./Project.ts"
import { type Workload, workloadKey } from "./Workload.ts"

/**
 * The kind of a setting, as the API server has it.
 * @param resource its plural name there
 */
export const extraKindOf = (of: ExtraKind, resource: string): Kind => ({
  kind: "Extra",
  resource,
  apiVersion: `${of.group}/${of.version}`,
  template: "",
  mutable: true,
  rolls: false,
  extra: { name: extraName(of), podSpec: of.path.split(".") }
})

/** The kind among those of the settings that an object is of by its group and kind, as they stand in a manifest. */
export const extraKindNamed = (
  extras: ReadonlyArray<ExtraKind>,
  apiVersion: string,
  kind: string
): Kind | undefined => {
  const of = extras.find((it) => it.kind === kind && apiVersion.startsWith(`${it.group}/`))
  // its plural is the API server's alone
  return of && extraKindOf(of, "")
}

const decodeMetadata = Schema.decodeUnknownOption(Schema.Struct({ metadata: ObjectMeta }))
const decodePodSpec = Schema.decodeUnknownOption(PodSpec)

/** What stands at a path of own fields; undefined: nothing, or no map is on the way. */
export const fieldAt = (object: unknown, path: ReadonlyArray<string>): unknown => {
  let value = object
  for (const key of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined
    value = Reflect.get(value, key)
  }
  return value
}

const replicasOf = (object: unknown): number | undefined => {
  const replicas = fieldAt(object, ["spec", "replicas"])
  return typeof replicas === "number" ? replicas : undefined
}

/** Projects an object of such a kind; undefined when its pod spec or its metadata are of another shape than Kubernetes'. */
export const projectExtra = (kind: Kind) => (object: unknown): Workload | undefined => {
  const path = kind.extra?.podSpec ?? []
  const metadata = Option.getOrUndefined(decodeMetadata(object))?.metadata
  // what has none has no images, as a Deployment without a template
  const spec = Option.getOrUndefined(decodePodSpec(fieldAt(object, path) ?? {}))
  if (metadata === undefined || spec === undefined) return undefined
  const places = { at: `/${path.join("/")}`, originalsOn: metadata.annotations ?? undefined }
  const base = projectBase("Extra", metadata, spec, places, { ...ofNoKind, replicas: replicasOf(object) })
  return {
    ...base,
    key: workloadKey(kind.extra?.name ?? "", base.namespace, base.name),
    extra: kind,
    // tested before it is changed: a change of annotations makes no new generation
    written: base.originals === undefined
      ? base.written
      : { ...base.written, [originalsAnnotation]: base.originals }
  }
}

/** Projects an object of any kind but Pod. */
export const projectObject = (kind: Kind): (object: unknown) => Workload | undefined =>
  isBuiltInKind(kind) ? projectTemplated(kind) : projectExtra(kind)

const isBuiltInKind = (kind: Kind): kind is BuiltInKind => kind.kind !== "Extra"
