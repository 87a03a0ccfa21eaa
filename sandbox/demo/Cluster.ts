// Cluster: what the demo does to a cluster, as a person would with kubectl: makes things, looks, waits.
import { Data, type Duration, Effect, Schedule } from "effect"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import { table } from "../../src/cli/Table.ts"
import * as Objects from "../client/Objects.ts"
import type { JsonObject } from "../Json.ts"
import * as J from "../Json.ts"
import { type Manifest, namespaces, workloads } from "./Scene.ts"

const manager = "demo"

/** Something that the demo waits for did not come. */
export class DemoFailed extends Data.TaggedError("DemoFailed")<{ readonly what: string }> {
  override get message() {
    return `the demo failed: ${this.what}`
  }
}

export const place = (kind: string, namespace: string, name: string): Objects.Place => ({
  resource: Objects.resource(kind),
  namespace,
  name
})

/** Repeats a look until it says yes. */
export const waitFor = <E, R>(what: string, look: Effect.Effect<boolean, E, R>, patience: Duration.Input) =>
  look.pipe(
    Effect.repeat({ schedule: Schedule.spaced("100 millis"), until: (it) => it }),
    Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.fail(new DemoFailed({ what })) }),
    Effect.asVoid
  )

const exists = (it: Objects.Place) =>
  Objects.get(it).pipe(
    Effect.as(true),
    Effect.catchIf((error) => error.reason === "NotFound", () => Effect.succeed(false))
  )

/** Puts the settings where commands look for them. */
export const configure = Effect.fnUntraced(function*(settings: Readonly<Record<string, string>>) {
  yield* Objects.create(manager, Objects.resource("Namespace"), "", { metadata: { name: "image-cloner" } })
  yield* Objects.create(manager, Objects.resource("ConfigMap"), "image-cloner", {
    metadata: { name: "image-cloner-configuration" },
    data: settings
  })
})

/** Changes one of these settings, for the commands; the program has them in a folder. */
export const reconfigure = (key: string, value: string) =>
  Objects.patch(manager, place("ConfigMap", "image-cloner", "image-cloner-configuration"), { data: { [key]: value } })

export interface PullSecret {
  readonly host: string
  readonly username: string
  readonly password: string
}

/** Makes the namespaces, and lets their pods pull from the backup, as the README tells people to. */
export const prepare = Effect.fnUntraced(function*(login: PullSecret) {
  const { host, password, username } = login
  const auths = { [host]: { username, password } }
  for (const namespace of namespaces) {
    yield* Objects.create(manager, Objects.resource("Namespace"), "", { metadata: { name: namespace } })
    yield* Objects.create(manager, Objects.resource("Secret"), namespace, {
      metadata: { name: "backup" },
      type: "kubernetes.io/dockerconfigjson",
      data: { ".dockerconfigjson": Buffer.from(JSON.stringify({ auths })).toString("base64") }
    })
    const account = place("ServiceAccount", namespace, "default")
    yield* waitFor(`ServiceAccount default in ${namespace}`, exists(account), "20 seconds")
    yield* Objects.patch(manager, account, { imagePullSecrets: [{ name: "backup" }] })
  }
})

export const apply = (host: string) =>
  Effect.forEach(
    workloads(host),
    (it) => Objects.create(manager, Objects.resource(it.kind), it.namespace, it.body),
    { discard: true }
  )

const templateOf = (object: JsonObject): JsonObject =>
  J.object(
    object,
    ...(J.at(object, "spec", "jobTemplate") === undefined ? [] : ["spec", "jobTemplate"]),
    "spec",
    "template"
  )

const imagesOf = (object: JsonObject): ReadonlyArray<string> =>
  ["initContainers", "containers"].flatMap((field) =>
    J.list(templateOf(object), "spec", field).map((it) => J.text(it, "image") ?? "")
  )

/** Kind, namespace and name of a workload. */
export type Named = Pick<Manifest, "kind" | "namespace" | "name">

export const nameOf = (it: Named): string => `${it.kind}/${it.namespace}/${it.name}`

/** What its template names now. */
export const imagesNow = (it: Named) => Effect.map(Objects.get(place(it.kind, it.namespace, it.name)), imagesOf)

export const podsOf = Effect.fnUntraced(function*(it: Named) {
  const client = yield* KubeClient
  const answer = yield* client.request({ method: "GET", path: `/api/v1/namespaces/${it.namespace}/pods` })
  return J.list(J.isObject(answer) ? answer : {}, "items").filter(J.isObject).filter((pod) =>
    J.text(pod, "metadata", "labels", "app") === it.name
  )
})

export const isReady = (pod: JsonObject): boolean =>
  J.text(pod, "metadata", "deletionTimestamp") === undefined &&
  J.list(pod, "status", "conditions").some((it) => J.text(it, "type") === "Ready" && J.text(it, "status") === "True")

const problemOf = (pod: JsonObject): string =>
  ["initContainerStatuses", "containerStatuses"].flatMap((field) =>
    J.list(pod, "status", field).flatMap((it) => J.text(it, "state", "waiting", "reason") ?? [])
  )[0] ?? J.text(pod, "status", "phase") ?? ""

export interface Look {
  readonly manifest: Manifest
  readonly images: ReadonlyArray<string>
  /** Pods that are ready, and those that should be. */
  readonly ready: number
  readonly wanted: number
  readonly problem: string
}

const wantedOf = (it: Manifest): number => it.kind === "CronJob" ? 0 : J.number(it.body, "spec", "replicas") ?? 1

/** What every workload names now, and how its pods do. */
export const look = (host: string) =>
  Effect.forEach(
    workloads(host),
    Effect.fnUntraced(function*(manifest) {
      const object = yield* Objects.get(place(manifest.kind, manifest.namespace, manifest.name))
      const pods = yield* podsOf(manifest)
      const unready = pods.find((it) => !isReady(it))
      const it: Look = {
        manifest,
        images: imagesOf(object),
        ready: pods.filter(isReady).length,
        wanted: wantedOf(manifest),
        problem: unready === undefined ? "" : problemOf(unready)
      }
      return it
    })
  )

/** All pods that run, by the images they run. */
export const settled = (looks: ReadonlyArray<Look>): boolean =>
  looks.every((it) => it.ready === it.wanted && it.problem === "")

/** Tables of at most 80 columns need the names of the images to be short: `short` makes them so. */
export const print = (looks: ReadonlyArray<Look>, short: (text: string) => string): string =>
  table(
    ["WORKLOAD", "READY", "IMAGE"],
    looks.flatMap(({ images, manifest, problem, ready, wanted }) =>
      images.map((image, index) => [
        index === 0 ? nameOf(manifest) : "",
        index === 0 ? wanted === 0 ? "-" : problem === "" ? `${ready}/${wanted}` : problem : "",
        short(image)
      ])
    )
  )

/** Deletes every pod of the demo's workloads at once. */
export const deletePods = Effect.fnUntraced(function*(host: string) {
  for (const manifest of workloads(host)) {
    for (const pod of yield* podsOf(manifest)) {
      const it = place("Pod", manifest.namespace, J.text(pod, "metadata", "name") ?? "")
      yield* Objects.ignoreGone(Objects.remove(it, J.text(pod, "metadata", "uid") ?? "", 0))
    }
  }
})
