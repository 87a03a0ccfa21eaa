// PullWords: why a pull failed, in the words of the registry or runtime, for as long as it fails. Kubelets before Kubernetes 1.32
// say them only just after a try, as ErrImagePull; while they wait for the next, up to five minutes, they say "Back-off pulling
// image" and nothing else (kubernetes#127918). Pure. Edge: WorkloadStore has what was said before, because every change of a pod
// comes by it: a look every few seconds, and the queue, which has a key once however often its pod changed, can miss the words.
import { cannotPull } from "./Rollout.ts"
import type { ContainerState, Pod } from "./Workload.ts"

/** The line without a reason behind it. */
const bare = /^Back-off pulling image \S+$/

const tells = ({ message = "" }: ContainerState): boolean => message !== "" && !bare.test(message)

const isMute = (it: ContainerState): boolean => cannotPull(it) && !tells(it)

/**
 * The pod with what was last said of each image that it still cannot pull, where the kubelet has only the bare line for it now.
 * By image: containers of one share their back-off, so that only one of them has the words.
 * @param before the pod as it was until now, if it was there
 */
export const withPullWords = (pod: Pod, before: Pod | undefined): Pod => {
  if (!pod.containers.some(isMute)) return pod
  // a pod that was made anew has its name only
  const earlier = before?.workload.uid === pod.workload.uid ? before.containers : []
  const said = [...pod.containers, ...earlier].filter((it) => cannotPull(it) && tells(it))
  if (said.length === 0) return pod
  const containers = pod.containers.map((it) => {
    const message = isMute(it) ? said.find(({ image }) => image === it.image)?.message : undefined
    return message === undefined ? it : { ...it, message }
  })
  return { ...pod, containers }
}
