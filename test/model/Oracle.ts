// Oracle: who has to be rewritten when all is quiet, and what must not be left behind, by a few rules of its own on the model's
// truth. Written apart from the program: it imports none of it.
import * as J from "../../sandbox/Json.ts"
import type { ModelWorkload } from "./ModelWorkload.ts"
import { isCopy } from "./Registries.ts"
import type { ModelCluster } from "./ModelCluster.ts"

const annotation = (it: ModelWorkload, name: string): string | undefined =>
  J.text(it.object, "metadata", "annotations", `image-cloner.io/${name}`)

/** Why a workload need not run its copy; undefined where it has to. */
const excuse = (cluster: ModelCluster, it: ModelWorkload, byNodes: boolean): string | undefined => {
  const { registries } = cluster
  if (!byNodes) return "nothing may have shown that it can pull"
  if (annotation(it, "rewrite") === "never") return "it is not to be rewritten"
  if (annotation(it, "held") !== undefined) return "somebody fought over it, or its pods did not come up"
  // what crashes stops others of its namespace, and rightly
  if (registries.broken.size > 0) return "an image crashes"
  // of what nobody recorded, nobody knows the source: the copy of a pin is such a template's own matter
  if (isCopy(it.image)) return "it is one already"
  if (registries.atSource(it.image) === undefined) return "its tag is gone"
  // a pod of an older template that does not come up stops what comes after it, until a person deletes it
  const stuck = it.pods.some((pod) => pod.state !== "running" && pod.image !== it.image)
  if (it.shape.kind === "StatefulSet" && stuck) return "its controller waits for a pod"
  // what is stuck stops its namespace
  const neighbours = cluster.workloads.filter((other) => other !== it && other.shape.namespace === it.shape.namespace)
  if (neighbours.some((other) => other.shape.kind !== "CronJob" && !other.settled)) {
    return "its namespace may be stopped"
  }
  const running = new Set(it.pods.flatMap((pod) => pod.digest ?? []))
  if (running.size > 1) return "its pods run several images"
  for (const digest of running) {
    if (registries.atSource(`${it.image}@${digest}`) === undefined) return "what runs is gone at its source"
  }
  return undefined
}

/** What is wrong with the cluster although it was left in peace for hours; empty: nothing. */
export const judge = (cluster: ModelCluster, byNodes: boolean, said: (key: string) => string): ReadonlyArray<string> =>
  cluster.workloads.flatMap((it) => {
    const wrongs: Array<string> = []
    if (!isCopy(it.image) && excuse(cluster, it, byNodes) === undefined) wrongs.push(`still runs ${it.image}`)
    const original = cluster.original(it)
    for (const pod of it.pods) {
      if (pod.state !== "failing") continue
      // a copy that we brought there, whose original could be pulled
      if (
        isCopy(pod.image) && pod.image === it.image && original !== undefined &&
        cluster.registries.atSource(original) !== undefined
      ) {
        wrongs.push(`pod ${pod.name} cannot pull ${pod.image}`)
      }
    }
    return wrongs.map((wrong) => `${it.key} ${wrong} (${said(it.key)})`)
  })
