// One workload of the model: its object as the API server keeps it, its revisions, and what its controller does about its pods in
// one step. Deployments roll or recreate, StatefulSets go from the last pod to the first, DaemonSets have one on each node.
import * as J from "../../sandbox/Json.ts"
import type { JsonObject } from "../../sandbox/Json.ts"
import type { Kind } from "./Commands.ts"
import type { ModelPod, Nodes } from "./Pods.ts"

interface Revision {
  number: number
  readonly uid: string
  readonly template: string
  readonly image: string
  readonly object: J.Json
  history: string
}

export interface Shape {
  readonly kind: Kind
  readonly recreate: boolean
  readonly name: string
  readonly namespace: string
  readonly image: string
  readonly replicas: number
}

const stamp = (now: number): string => new Date(now).toISOString()

export class ModelWorkload {
  readonly shape: Shape
  readonly key: string
  readonly uid: string
  object: JsonObject
  pods: Array<ModelPod> = []
  /** The generation that its controller has seen. */
  observed = 0
  replicas: number
  /** Whether it was us who changed its template last. */
  ours = false
  readonly revisions: Array<Revision> = []
  #made = 0
  /** The revision whose pods were all ready once. */
  reached = 0

  constructor(shape: Shape, now: number) {
    this.shape = shape
    this.replicas = shape.replicas
    this.key = `${shape.kind}/${shape.namespace}/${shape.name}`
    this.uid = `uid-${shape.name}`
    const labels = { app: shape.name }
    const template = { metadata: { labels }, spec: { containers: [{ name: "app", image: shape.image }] } }
    const strategy = shape.recreate ? { strategy: { type: "Recreate" } } : {}
    this.object = {
      metadata: {
        name: shape.name,
        namespace: shape.namespace,
        uid: this.uid,
        generation: 1,
        resourceVersion: "1",
        // their controllers write there
        ...(shape.kind === "Deployment" || shape.kind === "DaemonSet" ? { annotations: {} } : {}),
        managedFields: [{
          manager: "author",
          operation: "Update",
          time: stamp(now),
          fieldsV1: { "f:spec": { "f:template": {} } }
        }]
      },
      spec: { ...(shape.kind === "DaemonSet" ? {} : { replicas: shape.replicas }), ...strategy, template }
    }
  }

  get image(): string {
    return J.text(this.object, "spec", "template", "spec", "containers", 0, "image") ?? ""
  }

  get generation(): number {
    return J.number(this.object, "metadata", "generation") ?? 1
  }

  #template(): string {
    return JSON.stringify(J.at(this.object, "spec", "template") ?? null)
  }

  /** Puts a changed object in the place of this one, as the API server does: generations, and who changed what. */
  replace(next: JsonObject, manager: string, now: number): void {
    const before = {
      template: this.#template(),
      annotations: JSON.stringify(J.at(this.object, "metadata", "annotations") ?? {})
    }
    const spec = JSON.stringify(J.object(this.object, "spec"))
    const image = this.image
    this.object = next
    const metadata = J.object(next, "metadata")
    const noticed = JSON.stringify(J.object(next, "spec")) !== spec ||
      (this.shape.kind === "Deployment" && JSON.stringify(metadata["annotations"] ?? {}) !== before.annotations)
    metadata["resourceVersion"] = String(Number(metadata["resourceVersion"]) + 1)
    if (noticed) metadata["generation"] = this.generation + 1
    if (this.#template() === before.template) return
    this.ours = manager === "image-cloner"
    const images = this.image === image
      ? {}
      : { "f:spec": { "f:containers": { "k:{\"name\":\"app\"}": { "f:image": {} } } } }
    const annotations = manager === "image-cloner"
      ? { "f:metadata": { "f:annotations": { "f:image-cloner.io/original-images": {} } } }
      : {}
    const others = J.list(metadata, "managedFields").filter((it) => J.text(it, "manager") !== manager)
    metadata["managedFields"] = [
      ...others.map((it): J.Json => ({ ...(J.isObject(it) ? it : {}), fieldsV1: { "f:spec": { "f:template": {} } } })),
      {
        manager,
        operation: "Update",
        time: stamp(now),
        fieldsV1: { "f:spec": { "f:template": { ...images, ...annotations } } }
      }
    ]
  }

  /** Changes the object as a person or a tool does. */
  change(manager: string, now: number, how: (object: JsonObject) => void): void {
    const next = structuredClone(this.object)
    how(next)
    this.replace(next, manager, now)
  }

  setImage(image: string, manager: string, now: number): void {
    this.change(manager, now, (it) => {
      const [container] = J.list(it, "spec", "template", "spec", "containers")
      if (J.isObject(container)) container["image"] = image
    })
  }

  /** `kubectl rollout undo`: to the revision before. */
  undo(now: number): boolean {
    const [before] = this.revisions.toSorted((a, b) => b.number - a.number).slice(1)
    if (this.shape.kind !== "Deployment" || before === undefined) return false
    this.change("kubectl", now, (it) => {
      J.ensure(it, "spec")["template"] = structuredClone(before.object)
    })
    return true
  }

  get newest(): Revision {
    return this.revisions.reduce((most, it) => it.number > most.number ? it : most)
  }

  /** The pods of the newest revision. */
  get current(): ReadonlyArray<ModelPod> {
    return this.pods.filter((it) => it.revision === this.newest.number)
  }

  get settled(): boolean {
    return this.pods.every((it) => it.state === "running" && it.image === this.image) &&
      (this.shape.kind === "DaemonSet" || this.pods.length === this.replicas)
  }

  #revise(): void {
    const template = this.#template()
    const found = this.revisions.find((it) => it.template === template)
    const most = Math.max(0, ...this.revisions.map((it) => it.number))
    if (found !== undefined && found.number === most) return
    if (found === undefined) {
      const object = structuredClone(J.at(this.object, "spec", "template") ?? null)
      this.revisions.push({
        number: most + 1,
        uid: `${this.uid}-${most + 1}`,
        template,
        image: this.image,
        object,
        history: ""
      })
      return
    }
    for (const pod of this.pods) if (pod.revision === found.number) Object.assign(pod, { revision: most + 1 })
    found.history = found.history === "" ? String(found.number) : `${found.history},${found.number}`
    found.number = most + 1
  }

  #create(nodes: Nodes, now: number, node = nodes.next()): void {
    const { kind, name, namespace } = this.shape
    const { number, uid } = this.newest
    const owner = kind === "Deployment"
      ? { apiVersion: "apps/v1", kind: "ReplicaSet", name: `${name}-${uid}`, uid, controller: true }
      : { apiVersion: "apps/v1", kind, name, uid: this.uid, controller: true }
    const labels = kind === "StatefulSet"
      ? { "controller-revision-hash": String(number) }
      : { "pod-template-generation": String(number) }
    const made = ++this.#made
    this.pods.push({
      name: `${name}-${made}`,
      uid: `${this.uid}-pod-${made}`,
      namespace,
      metadata: { labels, ownerReferences: [owner] },
      revision: number,
      image: this.image,
      node,
      createdAt: now,
      state: "new",
      tries: 0,
      message: "",
      digest: undefined,
      pulled: false,
      readyAt: undefined
    })
  }

  #remove(pod: ModelPod): void {
    this.pods = this.pods.filter((it) => it !== pod)
  }

  /** What its controller does in one step. */
  control(nodes: Nodes, now: number): void {
    this.pods = this.pods.filter((it) => nodes.all.has(it.node))
    this.#revise()
    this.observed = this.generation
    if (this.shape.kind === "Deployment") this.#deploy(nodes, now)
    else if (this.shape.kind === "StatefulSet") this.#order(nodes, now)
    else if (this.shape.kind === "DaemonSet") this.#spread(nodes, now)
    if (this.settled) this.reached = this.newest.number
  }

  #deploy(nodes: Nodes, now: number): void {
    const { number } = this.newest
    const olds = this.pods.filter((it) => it.revision !== number)
    const excess = this.pods.length - olds.length - this.replicas
    for (const pod of excess > 0 ? this.current.slice(0, excess) : []) this.#remove(pod)
    if (this.shape.recreate) {
      for (const old of olds) this.#remove(old)
      while (olds.length === 0 && this.pods.length < this.replicas) this.#create(nodes, now)
      return
    }
    const most = this.replicas + Math.ceil(this.replicas / 4)
    while (this.pods.length < most && this.current.length < this.replicas) this.#create(nodes, now)
    const least = this.replicas - Math.floor(this.replicas / 4)
    for (const old of olds.toSorted((a, b) => Number(a.state === "running") - Number(b.state === "running"))) {
      const ready = this.pods.filter((it) => it.state === "running").length
      if (old.state !== "running" || ready > least) this.#remove(old)
    }
  }

  #order(nodes: Nodes, now: number): void {
    while (this.pods.length > this.replicas) this.pods.pop()
    if (this.pods.some((it) => it.state !== "running")) return
    if (this.pods.length < this.replicas) return this.#create(nodes, now)
    const old = this.pods.findLast((it) => it.revision !== this.newest.number)
    if (old !== undefined) this.#remove(old)
  }

  #spread(nodes: Nodes, now: number): void {
    const bare = [...nodes.all.keys()].filter((node) => !this.pods.some((it) => it.node === node))
    for (const node of bare) this.#create(nodes, now, node)
    const missing = nodes.all.size - this.pods.filter((it) => it.state === "running").length
    const old = this.pods.find((it) => it.revision !== this.newest.number && (it.state !== "running" || missing === 0))
    if (old !== undefined) this.#remove(old)
  }

  /** How many pods it wants. */
  desired(nodes: Nodes): number {
    return this.shape.kind === "DaemonSet" ? nodes.all.size : this.shape.kind === "CronJob" ? 0 : this.replicas
  }
}
