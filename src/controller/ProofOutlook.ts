// ProofOutlook: which workloads would wait for ever, as the cluster is now, because nothing of their set of pull secrets could show
// that pods can pull. For `plan`, which knows no turns: where something could show it, the others only wait for that.
import type { Backup } from "../image/BackupName.ts"
import { Proofs } from "../rewrite/Proofs.ts"
import type { Workloads } from "../store/WorkloadStore.ts"
import type { Plan } from "../workload/Plan.ts"
import { canShow, unshown } from "../workload/PullSet.ts"
import { Duration } from "effect"
import { nextPullSet, pullSetOfSeen } from "./PullSets.ts"

/** Whether a plan would patch its workload, and not as a cure, which waits for no proof. */
const wouldRewrite = ({ verdict }: Plan): boolean =>
  verdict._tag === "Rewrite" ? verdict.as !== "cure" : verdict._tag === "Held" && verdict.reason === "dry-run"

/** By workload, why nothing could show it and what would help; none where pods cannot be seen, as of manifests. */
export const unshowable = (
  store: Workloads,
  plans: ReadonlyArray<Plan>,
  backup: Backup
): ReadonlyMap<string, string> => {
  if (!store.isSynced("pods")) return new Map()
  const proofs = new Proofs({ first: Duration.zero, most: Duration.zero })
  const pods = [...store.pods].flatMap((pod) => {
    const set = pullSetOfSeen(store, pod)
    return set === undefined ? [] : [{ pod, set }]
  })
  for (const { pod, set } of pods) proofs.note(pod, set, backup)
  for (const { pod, set } of pods) proofs.observe(pod, set, backup)
  const waiting = plans.filter(wouldRewrite).flatMap(({ workload }) => {
    const set = nextPullSet(store, workload)
    return set !== undefined && proofs.isProven(set) ? [] : [{ workload, set }]
  })
  const showable = new Set(
    waiting.flatMap(({ set, workload }) =>
      set !== undefined && (canShow(workload) || workload.marks.rewrite === "patch") ? [set.key] : []
    )
  )
  return new Map(
    waiting.flatMap(({ set, workload }) =>
      (set !== undefined && showable.has(set.key)) || (set === undefined && workload.marks.rewrite === "patch")
        ? []
        : [[workload.key, unshown(set)] as const]
    )
  )
}
