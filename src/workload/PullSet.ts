// PullSet: with which pull secrets the pods of a workload pull, and what shows that they can. A set is a namespace, by its uid,
// and the names of its secrets; pods without any are one set wherever they are: the nodes' own logins are all they have.
// Pure. Edge: which sets are proven is kept by Proofs; secrets themselves are never read.
import { Result } from "effect"
import { type Backup, isUnder } from "../image/BackupName.ts"
import { parse } from "../image/ImageReference.ts"
import { resolvedMaxUnavailable } from "./Rollout.ts"
import type { Account, ContainerState, Namespace, Pod, Workload } from "./Workload.ts"

export interface PullSet {
  readonly key: string
  /** For people. */
  readonly words: string
}

/** The set of pods without pull secrets: what is shown of it anywhere holds everywhere. */
export const withoutSecrets: PullSet = { key: "", words: "pods without pull secrets" }

const setOf = (namespace: Namespace | undefined, secrets: ReadonlyArray<string>): PullSet | undefined => {
  if (secrets.length === 0) return withoutSecrets
  if (namespace === undefined || namespace.uid === "") return undefined
  const names = [...secrets].toSorted()
  return {
    key: `${namespace.uid}/${names.join(",")}`,
    words: `pods of namespace ${namespace.name} with pull secret ${names.join(", ")}`
  }
}

/** The set that a pod has: the API server wrote its account's secrets into it where it had none. */
export const pullSetOfPod = (pod: Pod, namespace: Namespace | undefined): PullSet | undefined =>
  setOf(namespace, pod.workload.pullSecrets)

export interface Given {
  readonly namespace: Namespace | undefined
  /** Undefined: there is none of that name, or accounts cannot be seen. */
  readonly account: Account | undefined
  /** The pods of the namespace, for where accounts cannot be seen. */
  readonly pods: Iterable<Pod>
}

const accountOf = (workload: Workload): string => workload.serviceAccount ?? "default"

/** The secrets of the youngest pod that was made for an account, without secrets of its own to its template. */
const youngestOf = (workload: Workload, pods: Iterable<Pod>): ReadonlyArray<string> | undefined => {
  let youngest: Pod | undefined
  for (const pod of pods) {
    if (accountOf(pod.workload) !== accountOf(workload)) continue
    if (youngest === undefined || (pod.createdAt ?? 0) > (youngest.createdAt ?? 0)) youngest = pod
  }
  return youngest?.workload.pullSecrets
}

/**
 * The set that a pod of the workload would have if it were made now: the template's secrets, else its ServiceAccount's
 * (kubernetes plugin/pkg/admission/serviceaccount), else those of the youngest pod of that account; undefined: nobody can tell.
 */
export const pullSetOf = (workload: Workload, { account, namespace, pods }: Given): PullSet | undefined => {
  if (workload.pullSecrets.length > 0) return setOf(namespace, workload.pullSecrets)
  const secrets = account?.pullSecrets ?? youngestOf(workload, pods)
  return secrets === undefined ? undefined : setOf(namespace, secrets)
}

/** Whether a rewrite of it can show that pods can pull without any pod being missed: its new ones come before the old ones go. */
export const canShow = (workload: Workload): boolean =>
  workload.kind === "Deployment" && (workload.strategy ?? "RollingUpdate") === "RollingUpdate" &&
  resolvedMaxUnavailable(workload) < (workload.rollout?.desired ?? 0)

const ways =
  "to go on, let any pod of them run a copy, set image-cloner.io/rewrite: patch on one workload that may try "
  + "it, or BACKUP_PULL_BY to nodes if every node can pull"

/** Why a workload of a set waits for its proof, with the ways on; undefined: nobody can tell its set. */
export const unshown = (set: PullSet | undefined): string =>
  set === undefined
    ? `nobody can tell with which pull secrets its pods would pull: ${ways}`
    : `whether ${set.words} can pull from the backup is shown first by a Deployment that is rolled without missing a pod; ${ways}`

const isCopy = (image: string, backup: Backup): boolean => {
  const reference = parse(image)
  return Result.isSuccess(reference) && isUnder(backup, reference.success)
}

/** The containers of a pod that run a copy of the backup: they show that it can be pulled, if it had to be. */
export const runningCopies = (pod: Pod, backup: Backup): ReadonlyArray<ContainerState> =>
  pod.finished ? [] : pod.containers.filter((it) => it.running && isCopy(it.image, backup))

/** Whether a container's image is pulled with the pod's own secrets at every start, even if the node has it. */
export const isPulledAlways = (pod: Pod, container: string): boolean =>
  pod.workload.images.find((it) => it.container === container)?.pullPolicy === "Always"

// the names of images stand in a runtime's words as well, and are their makers' to choose: each phrase below has a space where no
// name can, or the status that belongs to it

/** What registries and runtimes say where a login is missing or wrong; all else is an outage. */
const refusal =
  /\b(?:401 unauthorized|403 forbidden)\b|\b(?:status(?: ?code)?(?: from registry)?|http):? 40[13]\b|(?:^|\s)(?:denied|unauthorized)(?:[:,] |$)|access denied|no basic auth|authentication required|authorization failed/i

/** Whether a pull failed because the backup refuses these secrets. */
export const isRefusal = (message: string | undefined): boolean => refusal.test(message ?? "")

/** What runtimes say where a registry is not reached or not trusted. What they say of a full disk, say, tells nothing of it. */
const noWay =
  /(?:^|\s)(?:x509|tls): |dial tcp|no such host|no route to host|network is unreachable|connection (?:refused|reset)|i\/o timeout|handshake timeout|https?:\/\/\S+: context deadline exceeded|proxyconnect tcp|server gave HTTP response/i

/** Whether a pull failed on the way to the backup: for want of a route, a name, or trust in its certificate. */
export const isOutOfReach = (message: string | undefined): boolean => !isRefusal(message) && noWay.test(message ?? "")
