// Owners: what controls a pod that is about to be made, as far as its opt-outs and holds are concerned. Its controller has just
// made it, so what is nearest may not have reached the cache yet; a Deployment is found by name there, all else is unknown.
import type { ExtraKind } from "../settings/Settings.ts"
import { isOf, kinds, watchName } from "../workload/Kinds.ts"
import { extraKindNamed } from "../workload/ProjectExtra.ts"
import { type Owner, type Workload, workloadKey } from "../workload/Workload.ts"
import type { Workloads } from "../store/WorkloadStore.ts"

export type Owners =
  /** Nearest first, up to where kinds end that are known here. */
  | { readonly _tag: "Known"; readonly owners: ReadonlyArray<Workload> }
  /** One that must be there cannot be seen, yet. */
  | { readonly _tag: "Unknown"; readonly detail: string }

/** The name of the watch that shows an owner; undefined: its kind is not watched, and no mark of it is read. */
export const watchOf = (owner: Owner, extras: ReadonlyArray<ExtraKind>): string | undefined => {
  const { apiVersion = "", kind } = owner
  const builtIn = kinds.find((it) => isOf(it, owner))
  if (builtIn !== undefined) return watchName(builtIn)
  const extra = extraKindNamed(extras, apiVersion, kind)
  return extra && watchName(extra)
}

/** The Deployment of a ReplicaSet by its name, `<deployment>-<pod-template-hash>` (deployment controller, sync.go). */
const deploymentOf = (store: Workloads, namespace: string, name: string, hash: string | undefined) =>
  hash === undefined || hash === "" || !name.endsWith(`-${hash}`)
    ? undefined
    : store.get(workloadKey("Deployment", namespace, name.slice(0, -hash.length - 1)))

/**
 * What will control a pod.
 * @param templateHash its label `pod-template-hash`
 * @param extras EXTRA_KINDS
 */
export const ownersOf = (
  store: Workloads,
  pod: Workload,
  templateHash: string | undefined,
  extras: ReadonlyArray<ExtraKind>
): Owners => {
  const { namespace, owner } = pod
  if (owner === undefined) return { _tag: "Known", owners: [] }
  const seen = store.ownersOf(pod)
  const last = seen.at(-1)
  const next = last === undefined ? owner : last.owner
  if (next === undefined || watchOf(next, extras) === undefined) return { _tag: "Known", owners: seen }
  const deployment = last === undefined && next.kind === "ReplicaSet"
    ? deploymentOf(store, namespace, next.name, templateHash)
    : undefined
  return deployment === undefined
    ? { _tag: "Unknown", detail: `${next.kind} ${namespace}/${next.name}, which controls it, cannot be seen yet` }
    : { _tag: "Known", owners: [deployment, ...store.ownersOf(deployment)] }
}
