// NotHandled: the images that manifests name in objects which the controller does not rewrite, as people and scripts read them:
// where each is, what its copy would be called, and what can be done.
import { backupOf } from "../image/BackupName.ts"
import { format } from "../image/ImageReference.ts"
import { backup, type Settings } from "../settings/Settings.ts"
import { sourceOfSlot } from "../workload/SourceOrSkip.ts"
import type { ManifestElsewhere } from "./manifests/ManifestReading.ts"

export interface NotHandled extends ManifestElsewhere {
  /** What its copy is or would be called; null where the text is no reference. */
  readonly to: string | null
}

/** Those that would want a copy: not what is one already, nor what IMAGES_TO_IGNORE names. */
export const notHandled = (
  elsewhere: ReadonlyArray<ManifestElsewhere>,
  settings: Settings
): ReadonlyArray<NotHandled> => {
  const to = backup(settings)
  return elsewhere.flatMap((it): ReadonlyArray<NotHandled> => {
    const slot = { container: it.container, path: "", namePath: "", image: it.image, pullPolicy: undefined }
    const source = sourceOfSlot(slot, undefined, to, settings)
    if (source._tag === "Source") return [{ ...it, to: format(backupOf(to, source.reference)) }]
    return source._tag === "Skip" && source.reason === "unparsable" ? [{ ...it, to: null }] : []
  })
}

/** What helps: pods are handled whoever makes them, once they are there. */
const remedyOf = ({ kind, to }: NotHandled): string => {
  if (to === null) return "it is filled in by somebody else; its pods are seen when they run"
  const byHand = `name its copy there yourself: ${to}`
  return kind === "PodTemplate"
    ? byHand
    : `only its pods are seen, when they run: copied then, and pointed to the copies with MUTATING_WEBHOOK on. Or ${byHand}`
}

/** One of them on a line. */
export const notHandledLine = (it: NotHandled): string =>
  `not handled: ${it.image} in ${it.file}:${it.line}: ${it.kind}/${it.namespace}/${it.name} (${it.apiVersion}), ${it.path}: `
  + remedyOf(it)
