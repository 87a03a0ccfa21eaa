// Pods of the model and the nodes they are on: pulled, failing, running, as a kubelet says it. Nodes keep what they have pulled.
import type { JsonObject } from "../../sandbox/Json.ts"
import type { Registries } from "./Registries.ts"

export interface ModelPod {
  readonly name: string
  readonly uid: string
  readonly namespace: string
  /** Labels, and what controls it, as the API has them. */
  readonly metadata: JsonObject
  readonly revision: number
  readonly image: string
  readonly node: string
  readonly createdAt: number
  state: "new" | "failing" | "running" | "crashed"
  /** How often it could not pull. */
  tries: number
  message: string
  digest: string | undefined
  /** Whether its image was pulled for it, and not there already. */
  pulled: boolean
  readyAt: number | undefined
}

export class Nodes {
  /** By node, what is on it, by the name it was pulled by. */
  readonly all = new Map<string, Map<string, string>>()
  #made = 0
  #turn = 0

  constructor(count: number) {
    for (let node = 0; node < count; node++) this.add()
  }

  add(): void {
    this.all.set(`node-${this.#made++}`, new Map())
  }

  /** The oldest goes, with all that is on it. */
  lose(): string | undefined {
    const [oldest] = this.all.keys()
    if (oldest !== undefined) this.all.delete(oldest)
    return oldest
  }

  /** Where the next pod goes. */
  next(): string {
    const names = [...this.all.keys()]
    return names[this.#turn++ % names.length] ?? ""
  }

  objects(): ReadonlyArray<{ readonly name: string; readonly ready: boolean }> {
    return [...this.all.keys()].map((name) => ({ name, ready: true }))
  }
}

/** How long a pod takes at least until its image is there, in milliseconds. */
const pulling = 10_000

/** What the kubelet does about a pod at one moment. */
export const advance = (pod: ModelPod, nodes: Nodes, registries: Registries, now: number): void => {
  if (pod.state === "running" || pod.state === "crashed") return
  // pulling takes a while, and things happen meanwhile
  if (now - pod.createdAt < pulling) return
  const here = nodes.all.get(pod.node)
  const found = here?.get(pod.image) ?? registries.pull(pod.image)
  if (!found.startsWith("sha256:")) {
    pod.state = "failing"
    pod.tries++
    pod.message = `failed to pull ${pod.image}: ${found}`
    return
  }
  pod.pulled = here?.get(pod.image) === undefined
  here?.set(pod.image, found)
  pod.digest = found
  pod.state = registries.broken.has(found) ? "crashed" : "running"
  pod.readyAt = pod.state === "running" ? now : undefined
}

const stateOf = (pod: ModelPod): JsonObject => {
  switch (pod.state) {
    case "new":
      return { waiting: { reason: "ContainerCreating" } }
    case "failing":
      return { waiting: { reason: pod.tries > 1 ? "ImagePullBackOff" : "ErrImagePull", message: pod.message } }
    case "crashed":
      return { waiting: { reason: "CrashLoopBackOff" } }
    case "running":
      return { running: { startedAt: new Date(pod.readyAt ?? 0).toISOString() } }
  }
}

/** A pod as the API has it. */
export const podObject = (pod: ModelPod): JsonObject => ({
  metadata: {
    ...pod.metadata,
    name: pod.name,
    namespace: pod.namespace,
    uid: pod.uid,
    creationTimestamp: new Date(pod.createdAt).toISOString()
  },
  spec: { nodeName: pod.node, containers: [{ name: "app", image: pod.image }] },
  status: {
    phase: pod.state === "running" ? "Running" : "Pending",
    conditions: [{
      type: "Ready",
      status: pod.state === "running" ? "True" : "False",
      lastTransitionTime: new Date(pod.readyAt ?? pod.createdAt).toISOString()
    }],
    containerStatuses: [{
      name: "app",
      restartCount: pod.state === "crashed" ? 3 : 0,
      imageID: pod.digest === undefined ? "" : `${sourceless(pod.image)}@${pod.digest}`,
      state: stateOf(pod)
    }]
  }
})

const sourceless = (image: string): string => image.replace(/@.*/, "").replace(/:[^:/]*$/, "")
