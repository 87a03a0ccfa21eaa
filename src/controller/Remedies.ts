// Remedies: what stands in the way of pods, and the command that helps, for a person who is on call.
import type { Backup } from "../image/BackupName.ts"
import type { Pod, Workload } from "../workload/Workload.ts"

/**
 * A StatefulSet waits for a pod that never becomes ready, even when its template is mended (kubernetes#67250), and a CronJob that
 * forbids concurrent runs for a Job that never ends: we delete nothing, so the command that frees it is named.
 */
export const stuckPod = (workload: Workload, pod: Pod | undefined): string => {
  if (!workload.ordered || pod === undefined) return ""
  const command = `kubectl -n ${workload.namespace} delete`
  if (workload.kind === "StatefulSet") {
    return `, but a StatefulSet does not replace a pod that is not ready: ${command} pod ${pod.workload.name}`
  }
  // concurrencyPolicy Forbid
  return pod.workload.owner === undefined
    ? ""
    : `, but its next run waits for the Job that is stuck: ${command} job ${pod.workload.owner.name}`
}

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
