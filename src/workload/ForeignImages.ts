// ForeignImages: which images of a pod are not from the backup, and what whoever makes it can do about each. Pure. What is exempt
// depends on whether it is a warning or a refusal: what tenants can write must not open a door.
import { Result } from "effect"
import { isUnder } from "../image/BackupName.ts"
import { parse } from "../image/ImageReference.ts"
import { ignoredNamespace, leftAlone, startsWithout } from "./Exempt.ts"
import type { Facts } from "./Facts.ts"
import { planImages, type PlannedImage } from "./PlanImages.ts"
import { admissible } from "./Freshness.ts"
import { validationLabel } from "./ProjectSurroundings.ts"
import { servesBackup } from "./ServesBackup.ts"
import type { Workload } from "./Workload.ts"

export interface ForeignImage {
  readonly container: string
  readonly image: string
  /** What is known of its copy, for people. */
  readonly advice: string
  /** Sources whose copies would help and are not there. */
  readonly missing: ReadonlyArray<string>
}

/** Whether a namespace as a whole is not validated. */
const isExemptNamespace = (name: string, facts: Facts): boolean =>
  ignoredNamespace(name, facts) !== undefined || servesBackup(name, facts.settings) !== undefined ||
  facts.namespace?.unvalidated === true || facts.namespace?.marks.ignore === true

/** What only a warning passes over: its maker, or whoever may label it, has said so. */
const isExemptPod = (pod: Workload, facts: Facts): boolean =>
  leftAlone(pod, facts) !== undefined || startsWithout(pod, facts) !== undefined

const adviceOf = ({ detail, hold, skip, to }: PlannedImage): string => {
  if (skip !== undefined) return detail
  return hold === undefined && to !== undefined ? `its copy is ${to}` : detail
}

/**
 * The images of `pod.images` that are not from the backup.
 * @param enforced whether a pod that has some is refused: then exemptions of whole namespaces count alone
 */
export const foreignImages = (pod: Workload, facts: Facts, enforced: boolean): ReadonlyArray<ForeignImage> => {
  if (isExemptNamespace(pod.namespace, facts) || pod.mirror || (!enforced && isExemptPod(pod, facts))) return []
  return planImages(pod, facts, admissible).flatMap((it) => {
    const reference = parse(it.slot.image)
    if (Result.isSuccess(reference) && isUnder(facts.backup, reference.success)) return []
    if (!enforced && it.skip !== undefined) return []
    return [{
      container: it.slot.container,
      image: it.slot.image,
      advice: adviceOf(it),
      missing: it.hold === "pending" ? it.wants : []
    }]
  })
}

const shown = (text: string, most: number): string => text.length <= most ? text : `${text.slice(0, most - 1)}…`

/** One image in a sentence. */
export const describeForeign = ({ advice, container, image }: ForeignImage): string =>
  shown(`${container} runs ${JSON.stringify(shown(image, 300))}, which is not from the backup registry: ${advice}`, 700)

const mostNamed = 20

/** Why a pod is refused, and the ways on. */
export const refusal = (images: ReadonlyArray<ForeignImage>, registry: string): string => {
  const more = images.length > mostNamed ? [`and ${images.length - mostNamed} more`] : []
  return [
    `every image must be from ${registry}`,
    ...images.slice(0, mostNamed).map(describeForeign),
    ...more,
    `name the copy, try again when it is there, or have the namespace labelled ${validationLabel}=disable`
  ].join("; ")
}
