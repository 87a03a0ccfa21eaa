// The cluster of the model: workloads, nodes and registries, and the API server through which the program changes them.
// Edge: whether a patch is one that may be made is Judge's.
import { Duration, Effect, Result } from "effect"
import * as J from "../../sandbox/Json.ts"
import type { JsonObject } from "../../sandbox/Json.ts"
import { decode } from "../../sandbox/cluster/Patch.ts"
import { KubeError } from "../../src/kube/KubeError.ts"
import type { KubeRequest } from "../../src/kube/KubeClient.ts"
import type { Command, Run } from "./Commands.ts"
import { Judge, type Sent, tick } from "./Judge.ts"
import { ModelWorkload } from "./ModelWorkload.ts"
import { present } from "./Present.ts"
import { advance, type ModelPod, Nodes } from "./Pods.ts"
import { backupPrefix, isCopy, Registries, sourceHost } from "./Registries.ts"

const refusal = (given: Partial<KubeError>) =>
  new KubeError({
    operation: "PATCH /model",
    reason: "Denied",
    status: 403,
    detail: "a policy says no",
    causes: [],
    retryAfter: undefined,
    retryable: false,
    outcomeUnknown: false,
    ...given
  })

const repository = (which: number): string => `${sourceHost}/app-${which}`

export class ModelCluster {
  readonly registries = new Registries()
  readonly nodes = new Nodes(4)
  readonly workloads: ReadonlyArray<ModelWorkload>
  readonly limit: number
  readonly judge = new Judge(this.registries)
  now = 0
  readonly #reverted = new Set<ModelWorkload>()
  /** Those whose originals somebody puts back all the time. */
  readonly #fought = new Set<ModelWorkload>()
  #next: Extract<Command, { readonly do: "webhook" }>["next"] | undefined

  constructor({ limit, workloads }: Run) {
    this.limit = limit
    for (let which = 0; which < 6; which++) {
      for (const tag of ["1", "2", "3"]) this.registries.push(`${repository(which)}:${tag}`, -60_000)
    }
    this.workloads = workloads.map(({ image, ...it }, index) =>
      new ModelWorkload({
        ...it,
        recreate: it.recreate && it.kind === "Deployment",
        name: `w${index}`,
        image: `${repository(image)}:1`
      }, -200_000)
    )
    // everybody runs when the program comes
    for (this.now = -200_000; this.now < 0; this.now += 10_000) this.step()
  }

  get pods(): ReadonlyArray<ModelPod> {
    return this.workloads.flatMap((it) => it.pods)
  }

  /** Controllers and kubelets do what they do in a moment. */
  step(): void {
    this.registries.note(this.now)
    for (const workload of this.#fought) this.#revert(workload)
    for (const workload of this.workloads) {
      workload.control(this.nodes, this.now)
      for (const pod of workload.pods) advance(pod, this.nodes, this.registries, this.now)
      this.judge.look(workload, this.now)
    }
  }

  /** All that can be seen of it in one text. */
  summary(): string {
    return this.workloads.map((it) => [it.image, ...it.pods.map((pod) => [pod.name, pod.state].join())].join(" ")).join(
      "; "
    )
  }

  /** One command; time and restarts are the run's. */
  take(command: Command): void {
    const { registries } = this
    switch (command.do) {
      case "release": {
        const it = this.#workload(command.which)
        it.setImage(`${repository(this.#imageOf(it))}:${command.tag}`, "author", this.now)
        this.judge.wentBack.delete(it.key)
        break
      }
      case "push":
        registries.push(`${repository(command.which)}:${command.tag}`, this.now)
        break
      case "vanish":
        registries.vanish(`${repository(command.which)}:1`)
        break
      case "source":
        registries.sourceUp = command.up
        break
      case "backup":
        registries.backupUp = command.up
        break
      case "secrets":
        registries.backupRefuses = command.refused
        break
      case "lose":
        registries.lose(`${backupPrefix}/${repository(command.which)}:1`)
        break
      case "break": {
        const digest = registries.atSource(`${repository(command.which)}:${command.tag}`)
        if (digest !== undefined) registries.broken.add(digest)
        break
      }
      case "node":
        this.nodes.lose()
        this.nodes.add()
        break
      case "revert":
        this.#revert(this.#workload(command.which))
        break
      case "fight": {
        const it = this.#workload(command.which)
        if (!this.#fought.delete(it)) this.#fought.add(it)
        break
      }
      case "undo": {
        const it = this.#workload(command.which)
        const before = it.image
        const back = it.undo(this.now) && it.image !== before && !isCopy(it.image)
        if (back && !this.#reverted.has(it)) this.judge.wentBack.set(it.key, this.now)
        break
      }
      case "scale": {
        const it = this.#workload(command.which)
        if (it.shape.kind === "Deployment" || it.shape.kind === "StatefulSet") {
          it.replicas = command.replicas
          it.change("author", this.now, (object) => void (J.ensure(object, "spec")["replicas"] = command.replicas))
        }
        break
      }
      case "mark":
        this.judge.marked.set(this.#workload(command.which).key, this.now)
        this.#workload(command.which).change("author", this.now, (object) => {
          const annotations = J.ensure(object, "metadata", "annotations")
          if (command.as === "none") delete annotations["image-cloner.io/rewrite"]
          else annotations["image-cloner.io/rewrite"] = command.as
        })
        break
      case "webhook":
        this.#next = command.next
        break
      case "pass":
      case "restart":
        break
    }
  }

  #workload(which: number): ModelWorkload {
    return this.workloads[which % this.workloads.length] ?? this.workloads[0] as ModelWorkload // there is at least one
  }

  #revert(it: ModelWorkload): void {
    // whoever fights has explained where its originals come from
    this.#reverted.add(it)
    this.judge.wentBack.delete(it.key)
    const original = this.original(it)
    if (isCopy(it.image) && original !== undefined) it.setImage(original, "restorer", this.now)
  }

  #imageOf(workload: ModelWorkload): number {
    return Number(/app-(\d)/.exec(workload.image)?.[1] ?? 0)
  }

  /** What a workload's image was before we rewrote it, as its annotation says. */
  original(workload: ModelWorkload): string | undefined {
    const annotation = J.text(
      workload.object,
      "spec",
      "template",
      "metadata",
      "annotations",
      "image-cloner.io/original-images"
    )
    return annotation === undefined ? undefined : J.text(J.parse(annotation), "app")
  }

  /** The API server, as far as the program asks it to change something. */
  request(request: KubeRequest): Effect.Effect<unknown, KubeError> {
    const it = this.workloads.find(({ shape }) =>
      request.path.endsWith(`/namespaces/${shape.namespace}/${plurals[shape.kind]}/${shape.name}`)
    )
    // events and such
    if (it === undefined) return Effect.succeed({ items: [] })
    const shown = () => present(it, this.nodes).own
    return request.method === "GET" ? Effect.sync(shown) : Effect.suspend(() => this.#patch(it, request, shown))
  }

  #sent(it: ModelWorkload): Sent {
    const { image } = it
    const states = it.pods.map((pod) => pod.state)
    // it is asked for every ten seconds, and a look takes as long as it takes
    const settled = this.registries.pushedAt(image) < this.now - 15_000 - tick
    return {
      image,
      // nobody can tell whether a pod of another revision ran what this means
      runs: new Set(it.current.flatMap((pod) => pod.digest ?? [])),
      ready: states.filter((state) => state === "running").length,
      readySince: Math.max(...it.pods.map((pod) => pod.readyAt ?? -Infinity)),
      failing: states.includes("failing"),
      idle: states.every((state) => state === "new" || state === "failing"),
      desired: it.desired(this.nodes),
      never: J.text(it.object, "metadata", "annotations", "image-cloner.io/rewrite") === "never" &&
        (this.judge.marked.get(it.key) ?? 0) < this.now - tick,
      means: this.registries.sourceUp && settled ? this.registries.atSource(image) : undefined
    }
  }

  #patch(it: ModelWorkload, { body }: KubeRequest, shown: () => JsonObject): Effect.Effect<unknown, KubeError> {
    const operations: J.Json = JSON.parse(JSON.stringify(body))
    const next = this.#next
    this.#next = undefined
    const rewrites = Array.isArray(operations) &&
      operations.some((op) => J.text(op, "op") === "replace" && (J.text(op, "path") ?? "").endsWith("image"))
    const sent = this.#sent(it)
    if (next === "refuses") return Effect.fail(refusal({}))
    const apply = Effect.suspend(() =>
      decode("application/json-patch+json", it.shape.kind === "CronJob" ? inTemplate(operations) : operations).pipe(
        Effect.flatMap((change) => change(structuredClone(it.object))),
        Effect.result,
        Effect.flatMap((after) => {
          if (Result.isFailure(after)) return Effect.fail(refusal({ reason: "Invalid", status: 422 }))
          const before = it.image
          if (next === "changes" && rewrites) {
            const [container] = J.list(after.success, "spec", "template", "spec", "containers")
            if (J.isObject(container)) container["image"] = before
          } else if (rewrites) {
            const to = J.text(after.success, "spec", "template", "spec", "containers", 0, "image") ?? ""
            this.judge.patch(it, to, sent, this.now)
          } else this.judge.counts.marks++
          it.replace(after.success, "image-cloner", this.now)
          return next === "loses"
            ? Effect.fail(refusal({ reason: "Timeout", status: undefined, retryable: true, outcomeUnknown: true }))
            : Effect.succeed(shown())
        })
      )
    )
    return next === "slow" ? Effect.delay(apply, Duration.seconds(29)) : apply
  }
}

const plurals = {
  Deployment: "deployments",
  StatefulSet: "statefulsets",
  DaemonSet: "daemonsets",
  CronJob: "cronjobs"
} as const

/** The model keeps a CronJob's template where others have it. */
const inTemplate = (operations: J.Json): J.Json =>
  JSON.parse(JSON.stringify(operations).replaceAll("/spec/jobTemplate/spec/template", "/spec/template"))
