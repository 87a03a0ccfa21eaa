// WentBack: whether somebody went back to a release of before, and which release came before this one. A Deployment tells by
// whatever tool: its controller writes into a ReplicaSet that becomes the newest again which revisions it was (deployment util,
// SetNewReplicaSetAnnotations). Of StatefulSets and DaemonSets, whose ControllerRevisions are not read, `kubectl rollout undo`
// tells by the name under which it writes. Pure. Edge: whether it was ourselves, or a fight, is Contests' to say.
import { Result } from "effect"
import type { Backup } from "../image/BackupName.ts"
import { format, parse } from "../image/ImageReference.ts"
import { rollingBack } from "./Marks.ts"
import { verifiedOriginals } from "./Originals.ts"
import { isObserved, livePods, sameImages } from "./Rollout.ts"
import type { Pod, Workload } from "./Workload.ts"

/** For how long the pods of what somebody went back to have to be ready until it is rewritten: fifteen minutes, in milliseconds. */
export const calm = 15 * 60 * 1000

/** Whether its images are as `kubectl rollout undo` wrote them; old versions made and changed objects under the same name. */
const isUndone = ({ generation = 1, imagesSetBy }: Workload): boolean => generation > 1 && imagesSetBy === rollingBack

/**
 * Whether somebody rolled it back: the newest ReplicaSet of a Deployment was the newest before.
 * @param controlled the objects that it controls
 */
export const isRolledBack = (workload: Workload, controlled: ReadonlyArray<Workload>): boolean => {
  switch (workload.kind) {
    case "Deployment":
      return isObserved(workload) &&
        controlled.some((it) => it.revision === workload.revision && it.returned && sameImages(it, workload))
    case "StatefulSet":
    case "DaemonSet":
      return isUndone(workload)
    default:
      return false
  }
}

/**
 * Whether images that were restored are the work of `kubectl rollout undo`, which writes the template of a revision that was there
 * before. Its name alone does not tell where more can be known: whoever restores an image brings such a template back, too.
 * @param before what it controlled when we first wrote
 */
export const isUndo = (workload: Workload, before: ReadonlyArray<Workload>): boolean =>
  isUndone(workload) &&
  (workload.kind !== "Deployment" ||
    before.some((it) => it.originals === workload.originals && sameImages(it, workload)))

/**
 * When what was rolled back may be rewritten, milliseconds since the epoch; undefined while a pod is missing or not ready, which
 * another look will tell. Where no pod is wanted nobody is disturbed. Pods that were there before may stay, with OnDelete or behind a
 * partition; those that are made once it could be calm, on new nodes say, tell nothing of it.
 */
export const calmAt = (workload: Workload, pods: ReadonlyArray<Pod>): number | undefined => {
  const desired = workload.rollout?.desired ?? 0
  const live = livePods(pods)
  if (live.length < desired) return undefined
  const { templateChangedAt: changed = 0 } = workload
  const since = live.filter((it) => changed === 0 || (it.createdAt ?? 0) < changed + calm)
    .map((it) => it.ready ? it.readySince ?? it.createdAt : undefined)
  return since.every((it) => it !== undefined)
    ? Math.max(changed, ...since) + (live.length === 0 ? 0 : calm)
    : undefined
}

const isWire = ({ shape }: Workload): boolean => shape?.startsWith("wire:") ?? false

/** What a template releases: everything but whether its images are copies; without its shape, its images alone. */
const releaseOf = (workload: Workload, backup: Backup, shaped: boolean): string => {
  const originals = verifiedOriginals(workload, backup)
  const images = workload.images.map(({ container, image }) => {
    const written = originals.get(container) ?? image
    return `${container}=${Result.match(parse(written), { onFailure: () => written, onSuccess: format })}`
  })
  return [shaped ? workload.shape ?? "" : "", ...images.toSorted()].join(" ")
}

/**
 * The revision that holds the release before this one. The revision before is mostly the same release, with its originals:
 * `kubectl rollout undo` without a number only goes to and fro between the two.
 */
export const releaseBefore = (
  workload: Workload,
  controlled: ReadonlyArray<Workload>,
  backup: Backup
): number | undefined => {
  const isOther = (it: Workload) => {
    // a list in JSON and a watch in Protocol Buffers may have brought the two
    const shaped = isWire(it) === isWire(workload)
    return releaseOf(it, backup, shaped) !== releaseOf(workload, backup, shaped)
  }
  const revisions = controlled.filter(isOther).map((it) => Number(it.revision))
  const known = revisions.filter((it) => Number.isSafeInteger(it) && it > 0)
  return known.length === 0 ? undefined : Math.max(...known)
}

/** How a person goes to the release before; empty where there is none, or nobody knows its revision. */
export const wayBack = (workload: Workload, controlled: ReadonlyArray<Workload>, backup: Backup): string => {
  const revision = releaseBefore(workload, controlled, backup)
  if (workload.kind !== "Deployment" || revision === undefined) return ""
  const { name, namespace } = workload
  return `; the release before is revision ${revision}: ` +
    `kubectl -n ${namespace} rollout undo deployment/${name} --to-revision=${revision}`
}

/** The same of what was just rolled back, which may have been to the originals of the same release: its revisions, where none is known. */
export const waysOn = (workload: Workload, controlled: ReadonlyArray<Workload>, backup: Backup): string => {
  const { kind, name, namespace } = workload
  if (kind === "Deployment") return wayBack(workload, controlled, backup)
  return `; kubectl -n ${namespace} rollout history ${kind.toLowerCase()}/${name} has its revisions, of which a rewrite is one`
}
