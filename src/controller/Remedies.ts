// Remedies: what stands in the way of pods, and the command that helps, for a person who is on call.
import type { Backup } from "../image/BackupName.ts"
import type { Pod, Workload } from "../workload/Workload.ts"

/** A StatefulSet waits for a pod that never becomes ready, even when its template is mended (kubernetes#67250). */
export const stuckPod = (workload: Workload, pod: Pod): string =>
  workload.kind === "StatefulSet"
    ? `, but a StatefulSet does not replace a pod that is not ready: kubectl -n ${workload.namespace} delete pod ${pod.workload.name}`
    : ""

/** What stands in the way of pulling, and what to do about it. */
export const pullProblem = (workload: Workload, pod: Pod, message: string | undefined, target: Backup): string => {
  const secrets = pod.workload.pullSecrets
  const account = pod.workload.serviceAccount ?? "default"
  const remedy = secrets.length === 0
    ? `its pods name no pull secret: make one of type kubernetes.io/dockerconfigjson for ${target.registry} in namespace `
      + `${workload.namespace} and add it to the imagePullSecrets of ServiceAccount ${account}`
    : `its pods name the pull secret ${secrets.join(", ")}: see that it exists in namespace ${workload.namespace} and `
      + `holds a login for ${target.registry}`
  return `pods of ${workload.key} cannot pull from the backup (${message ?? "no message"}): ${remedy}`
}
