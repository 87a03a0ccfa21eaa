// WentBack: whether somebody went back to a release of before, and which release came before this one. Only a Deployment tells:
// its controller writes into a ReplicaSet that becomes the newest again which revisions it was (deployment util,
// SetNewReplicaSetAnnotations). Pure. Edge: whether it was ourselves, or a fight, is Contests' to say.
import { Result } from "effect"
import type { Backup } from "../image/BackupName.ts"
import { format, parse } from "../image/ImageReference.ts"
import { verifiedOriginals } from "./Originals.ts"
import { isObserved, livePods, sameImages } from "./Rollout.ts"
import type { Pod, Workload } from "./Workload.ts"

/** For how long the pods of what somebody went back to have to be ready until it is rewritten: fifteen minutes, in milliseconds. */
export const calm = 15 * 60 * 1000

/**
 * Whether the newest ReplicaSet of a Deployment was the newest before: somebody rolled it back, by whatever tool.
 * @param controlled the objects that it controls
 */
export const isRolledBack = (workload: Workload, controlled: ReadonlyArray<Workload>): boolean =>
  workload.kind === "Deployment" && isObserved(workload) &&
  controlled.some((it) => it.revision === workload.revision && it.returned && sameImages(it, workload))

/**
 * When what was rolled back may be rewritten, milliseconds since the epoch; undefined while a pod is missing or not ready, which
 * another look will tell. Where no pod is wanted nobody is disturbed.
 */
export const calmAt = (workload: Workload, pods: ReadonlyArray<Pod>): number | undefined => {
  const desired = workload.rollout?.desired ?? 0
  const live = livePods(pods)
  if (live.length < desired) return undefined
  const since = live.map((it) => it.ready ? it.readySince ?? it.createdAt : undefined)
  return since.every((it) => it !== undefined) ? Math.max(0, ...since) + (live.length === 0 ? 0 : calm) : undefined
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

/** How a person goes to the release before; empty where there is none. */
export const wayBack = (workload: Workload, controlled: ReadonlyArray<Workload>, backup: Backup): string => {
  const revision = releaseBefore(workload, controlled, backup)
  if (workload.kind !== "Deployment" || revision === undefined) return ""
  const { name, namespace } = workload
  return `; the release before is revision ${revision}: ` +
    `kubectl -n ${namespace} rollout undo deployment/${name} --to-revision=${revision}`
}
