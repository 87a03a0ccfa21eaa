// The world of the model: workloads, nodes and registries, and the API server through which the program changes them. It checks
// each patch of ours as it comes: what it names was whole ten minutes before at most, has the bytes that run, and takes no
// ready pod beyond what a rolling update of its own would.
import { Duration, Effect, Result } from "effect"
import * as J from "../../sandbox/Json.ts"
import type { JsonObject } from "../../sandbox/Json.ts"
import { decode } from "../../sandbox/cluster/Patch.ts"
import { KubeError } from "../../src/kube/KubeError.ts"
import type { KubeRequest } from "../../src/kube/KubeClient.ts"
import type { Command, Run } from "./Commands.ts"
import { ModelWorkload } from "./ModelWorkload.ts"
import { present } from "./Present.ts"
import { advance, type ModelPod, Nodes } from "./Pods.ts"
import { backupPrefix, Registries, sourceHost } from "./Registries.ts"

/** A workload as it was when a patch of it was sent. */
interface Sent {
  readonly runs: ReadonlySet<string>
  readonly ready: number
  /** Whether it may be short of pods: some cannot pull, or none has started. */
  readonly excused: boolean
  readonly desired: number
}

const minutes = 60_000
/** How long the program sees nothing of what has happened, at most. */
const tick = 5000
/** Releases and restarts are steps of a run, and a handful an hour; who is rewritten more often is fought with. */
const mostInAnHour = 12

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

export const isCopy = (image: string): boolean => image.startsWith(`${backupPrefix}/`)

const repository = (which: number): string => `${sourceHost}/app-${which}`

export class World {
  readonly registries = new Registries()
  readonly nodes = new Nodes(4)
  readonly workloads: ReadonlyArray<ModelWorkload>
  readonly limit: number
  /** What was done wrong, for people. */
  readonly wrongs: Array<string> = []
  readonly counts = { patches: 0, putBacks: 0, restarts: 0, marks: 0 }
  now = 0
  /** When somebody wrote the mark of a workload last. */
  readonly #marked = new Map<string, number>()
  /** Those whose originals somebody puts back all the time. */
  readonly #fought = new Set<ModelWorkload>()
  readonly #times = new Map<string, ReadonlyArray<number>>()
  #next: Extract<Command, { readonly do: "webhook" }>["next"] | undefined

  constructor({ limit, workloads }: Run) {
    this.limit = limit
    for (let which = 0; which < 6; which++) {
      for (const tag of ["1", "2", "3"]) this.registries.push(`${repository(which)}:${tag}`)
    }
    this.workloads = workloads.map(({ image, ...it }, index) =>
      new ModelWorkload({
        ...it,
        recreate: it.recreate && it.kind === "Deployment",
        name: `w${index}`,
        image: `${repository(image)}:1`
      }, 0)
    )
    for (let step = 0; step < 12; step++) this.step()
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
      // later the tag may mean something else; while it is rolled all its pods get the same, unless the backup has lost it and a
      // program that has just started cannot know what it was
      const runs = new Set(workload.current.flatMap((pod) => isCopy(pod.image) && pod.pulled ? pod.digest ?? [] : []))
      if (workload.ours && !this.registries.hasLost && workload.reached !== workload.newest.number && runs.size > 1) {
        this.#wrong(workload, `was rolled to ${[...runs].join(" and ")}`)
      }
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
        break
      }
      case "push":
        registries.push(`${repository(command.which)}:${command.tag}`)
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
      case "undo":
        this.#workload(command.which).undo(this.now)
        break
      case "scale": {
        const it = this.#workload(command.which)
        if (it.shape.kind === "Deployment" || it.shape.kind === "StatefulSet") {
          it.replicas = command.replicas
          it.change("author", this.now, (object) => void (J.ensure(object, "spec")["replicas"] = command.replicas))
        }
        break
      }
      case "mark":
        this.#marked.set(this.#workload(command.which).key, this.now)
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

  #patch(it: ModelWorkload, { body }: KubeRequest, shown: () => JsonObject): Effect.Effect<unknown, KubeError> {
    const operations: J.Json = JSON.parse(JSON.stringify(body))
    const next = this.#next
    this.#next = undefined
    const rewrites = Array.isArray(operations) &&
      operations.some((op) => J.text(op, "op") === "replace" && (J.text(op, "path") ?? "").endsWith("image"))
    // as they are when it is sent, whatever takes long; nobody can tell whether a pod of another revision ran what this means
    const states = it.pods.map((pod) => pod.state)
    const sent: Sent = {
      runs: new Set(it.current.flatMap((pod) => pod.digest ?? [])),
      ready: states.filter((state) => state === "running").length,
      excused: states.includes("failing") || states.every((state) => state === "new"),
      desired: it.desired(this.nodes)
    }
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
            this.#judge(it, J.text(after.success, "spec", "template", "spec", "containers", 0, "image") ?? "", sent)
          } else this.counts.marks++
          it.replace(after.success, "image-cloner", this.now)
          return next === "loses"
            ? Effect.fail(refusal({ reason: "Timeout", status: undefined, retryable: true, outcomeUnknown: true }))
            : Effect.succeed(shown())
        })
      )
    )
    return next === "slow" ? Effect.delay(apply, Duration.seconds(29)) : apply
  }

  #wrong(it: ModelWorkload, what: string): void {
    this.wrongs.push(`at ${this.now / 1000} s: ${it.key}: ${what}`)
  }

  /** Whether a patch of an image is one that may be made. */
  #judge(it: ModelWorkload, to: string, { desired, excused, ready, runs }: Sent): void {
    if (!isCopy(to)) return this.#judgePutBack(it, to)
    this.counts.patches++
    const times = [...this.#times.get(it.key) ?? [], this.now].filter((at) => at > this.now - 60 * minutes)
    this.#times.set(it.key, times)
    if (times.length > mostInAnHour) this.#wrong(it, `was rewritten ${times.length} times in an hour`)
    const never = J.text(it.object, "metadata", "annotations", "image-cloner.io/rewrite") === "never"
    // what was written a moment ago no watch has brought yet
    if (never && (this.#marked.get(it.key) ?? 0) < this.now - tick) {
      this.#wrong(it, "was rewritten against its owner's word")
    }
    const seen = this.registries.seen(to)
    if (seen === undefined) return this.#wrong(it, `pointed to ${to}, which was never whole`)
    if (this.now - seen.at > 10 * minutes + 30_000) {
      this.#wrong(it, `pointed to ${to}, which was whole ${(this.now - seen.at) / 1000} s ago`)
    }
    for (const digest of runs) {
      if (digest !== seen.digest) this.#wrong(it, `runs ${digest}, and ${to} is ${seen.digest}`)
    }
    if (!excused && it.shape.kind !== "DaemonSet" && ready < desired) {
      this.#wrong(it, `was begun with ${ready} of ${desired} pods ready`)
    }
  }

  #judgePutBack(it: ModelWorkload, to: string): void {
    this.counts.putBacks++
    // what came up a moment ago no watch has brought yet
    const served = it.current.filter((pod) => pod.state !== "running" || (pod.readyAt ?? 0) < this.now - 6 * tick)
    const states = new Set(served.map((pod) => pod.state))
    // what others of its revision could pull is an outage; what crashes does not come up, whoever else serves
    if (states.has("running") && !states.has("crashed")) {
      this.#wrong(it, `was put back to ${to} while a pod of its copies served`)
    }
    if (this.registries.atSource(to) === undefined) this.#wrong(it, `was put back to ${to}, which is not at its source`)
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
