// Patch: the JSON Patch (RFC 6902) that rewrites a workload, and the one that puts the originals back. `test` operations
// say what the object must still be; the server refuses the whole patch where it is not, so nothing is ever clobbered.
import type { Backup } from "../image/BackupName.ts"
import { kindOfObject } from "./Kinds.ts"
import { originalsAnnotation, verifiedOriginals, writeOriginals } from "./Originals.ts"
import type { Replacement } from "./PlanImages.ts"
import type { Texts } from "./RestoredMark.ts"
import { type ImageSlot, volumePrefix, type Workload } from "./Workload.ts"

export type Operation =
  | { readonly op: "test" | "add" | "replace"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string }

const escape = (token: string): string => token.replaceAll("~", "~0").replaceAll("/", "~1")

const preconditions = (workload: Workload, slots: ReadonlyArray<ImageSlot>): ReadonlyArray<Operation> => [
  { op: "test", path: "/metadata/uid", value: workload.uid },
  ...(workload.generation === undefined
    ? []
    : [{ op: "test" as const, path: "/metadata/generation", value: workload.generation }]),
  ...slots.flatMap((slot): ReadonlyArray<Operation> => [
    { op: "test", path: slot.namePath, value: slot.container.replace(volumePrefix, "") },
    { op: "test", path: slot.path, value: slot.image }
  ])
]

/** Makes annotations of the object itself what `texts` say. */
const mark = ({ annotated, written }: Workload, texts: Texts): ReadonlyArray<Operation> => {
  const changes = Object.entries(texts).filter(([name, text]) => written[name] !== text)
  if (changes.length === 0) return []
  return [
    // a change of annotations makes no new generation, so a map that has come since would be lost
    ...(annotated
      ? []
      : [
        { op: "test" as const, path: "/metadata/annotations", value: null },
        { op: "add" as const, path: "/metadata/annotations", value: {} }
      ]),
    ...changes.flatMap(([name, text]): ReadonlyArray<Operation> => {
      const path = `/metadata/annotations/${escape(name)}`
      return [
        // null also stands for a name that is not there (evanphx/json-patch 4, the API server's)
        { op: "test", path, value: written[name] ?? null },
        text === undefined ? { op: "remove", path } : { op: "add", path, value: text }
      ]
    })
  ]
}

const metadataPath = (workload: Workload): string => `${kindOfObject(workload).template}/metadata`
const annotationPath = (workload: Workload): string =>
  `${metadataPath(workload)}/annotations/${escape(originalsAnnotation)}`

/** Makes the annotation what `entries` say; `add` replaces what is there (RFC 6902, section 4.1). */
const annotate = (workload: Workload, entries: ReadonlyMap<string, string>): ReadonlyArray<Operation> => {
  // on the object itself others write beside us, and nothing counts their changes
  if (workload.extra !== undefined) {
    return mark(workload, { [originalsAnnotation]: entries.size === 0 ? undefined : writeOriginals(entries) })
  }
  if (entries.size === 0) {
    return workload.originals === undefined ? [] : [{ op: "remove", path: annotationPath(workload) }]
  }
  const path = metadataPath(workload)
  return [
    ...(workload.templateMetadata === "none" ? [{ op: "add" as const, path, value: {} }] : []),
    ...(workload.templateMetadata === "annotations"
      ? []
      : [{ op: "add" as const, path: `${path}/annotations`, value: {} }]),
    { op: "add", path: annotationPath(workload), value: writeOriginals(entries) }
  ]
}

const replace = (replacements: ReadonlyArray<Replacement>): ReadonlyArray<Operation> =>
  replacements.map(({ slot, to }): Operation => ({ op: "replace", path: slot.path, value: to }))

/** Records what is replaced, beside what was before. */
const record = (
  workload: Workload,
  replacements: ReadonlyArray<Replacement>,
  backup: Backup
): ReadonlyArray<Operation> => {
  const originals = new Map(verifiedOriginals(workload, backup))
  for (const { slot } of replacements) originals.set(slot.container, slot.image)
  return annotate(workload, originals)
}

/** The patch that points a workload to its copies and records the originals. */
export const rewritePatch = (
  workload: Workload,
  replacements: ReadonlyArray<Replacement>,
  backup: Backup
): ReadonlyArray<Operation> => {
  return [
    ...preconditions(workload, replacements.map((it) => it.slot)),
    ...replace(replacements),
    ...record(workload, replacements, backup)
  ]
}

/**
 * The patch of a pod that is about to be made, for the very object that was received: a patch that does not apply is an error
 * of the whole request, whatever the webhook's failure policy (apiserver, mutating/dispatcher.go).
 * @param recorded whether the annotation may be changed: an ephemeral container comes without
 */
export const admissionPatch = (
  pod: Workload,
  replacements: ReadonlyArray<Replacement>,
  backup: Backup,
  recorded: boolean
): ReadonlyArray<Operation> => [
  ...replace(replacements),
  ...(recorded && replacements.length > 0 ? record(pod, replacements, backup) : [])
]

/** The patch that changes annotations of the object itself and nothing else. No pod is replaced by it, though a Deployment counts it as a new generation. */
export const markPatch = (workload: Workload, texts: Texts): ReadonlyArray<Operation> => {
  const operations = mark(workload, texts)
  return operations.length === 0
    ? []
    : [{ op: "test", path: "/metadata/uid", value: workload.uid }, ...operations]
}

/**
 * The patch that puts every recorded original back; no operations when nothing is recorded.
 * @param targets by container, where it goes instead of to the original as it was written
 * @param marks what is written on the object itself from now on
 */
export const restorePatch = (
  workload: Workload,
  backup: Backup,
  targets: ReadonlyMap<string, string> = verifiedOriginals(workload, backup),
  marks: Texts = {}
): ReadonlyArray<Operation> => {
  const originals = verifiedOriginals(workload, backup)
  const slots = workload.images.filter((it) => originals.has(it.container))
  if (slots.length === 0) return []
  return [
    ...preconditions(workload, slots),
    ...slots.map((slot): Operation => ({
      op: "replace",
      path: slot.path,
      value: targets.get(slot.container) ?? originals.get(slot.container)
    })),
    ...annotate(workload, new Map()),
    ...mark(workload, marks)
  ]
}
