// The cluster that admission is measured in: the embedded API server with Deployments, two registries, and the bundled daemon as a
// process that rewrites at admission alone. Edge: nothing calls the webhook by itself here, since the embedded API server has none;
// the reviews are ReviewLoad.ts's.
import { Effect, Schedule } from "effect"
import { mkdirSync, readdirSync, readlinkSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import * as Objects from "../sandbox/client/Objects.ts"
import * as ControlPlane from "../sandbox/ControlPlane.ts"
import * as J from "../sandbox/Json.ts"
import type { JsonObject } from "../sandbox/Json.ts"
import * as EmbeddedRegistry from "../sandbox/registry/EmbeddedRegistry.ts"
import * as SampleImage from "../sandbox/registry/SampleImage.ts"
import { withToken } from "../src/admission/PathTokens.ts"
import { mutatingPath } from "../src/admission/registration/Webhooks.ts"
import { templateOf } from "./AdmissionReviews.ts"
import { type Command, flags, node, program, start, write } from "./Measure.ts"

const namespace = "shop"
/** The own namespace of the daemon, where its certificates are kept. */
const ownNamespace = "cloner"
const replicas = 3

/** Looks every tenth of a second until it is so, or tells after two minutes what is not. */
const until = <A, E, R>(what: string, look: Effect.Effect<A, E, R>, wanted: (it: A) => boolean) =>
  Effect.repeat(look, { schedule: Schedule.spaced("100 millis"), until: wanted }).pipe(
    Effect.timeoutOrElse({ duration: "2 minutes", orElse: () => Effect.die(new Error(`${what} is not so yet`)) })
  )

/** Two ports that were free a moment ago. */
const freePorts = Effect.forEach([0, 1], () =>
  Effect.callback<number>((resume) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      server.close(() => resume(Effect.succeed(port)))
    })
  }))

/** Sockets that a process has open, those that listen included. */
export const socketsOf = (pid: number): number =>
  readdirSync(`/proc/${pid}/fd`).filter((it) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${it}`).startsWith("socket:")
    } catch {
      return false // it has just been closed
    }
  }).length

/** Puts so many images there, each with a layer of this size. Nothing is asked for it, and nothing of it is measured. */
const publish = Effect.fnUntraced(
  function*(upstream: EmbeddedRegistry.EmbeddedRegistry, prefix: string, count: number, layerBytes: number) {
    for (let at = 0; at < count; at++) {
      const name = `${prefix}-${at}`
      const layers = [SampleImage.layer(name, layerBytes)]
      yield* upstream.load(`team/${name}`, SampleImage.image(name, { layers }), "1")
    }
  }
)

/** A Deployment for each of so many images, whose app has that one and whose setup has its neighbour's. */
const deploy = (upstream: EmbeddedRegistry.EmbeddedRegistry, prefix: string, count: number) => {
  const imageAt = (at: number) => `${upstream.host}/team/${prefix}-${at % count}:1`
  return Effect.forEach(Array.from({ length: count }, (_, at) => at), (at) => {
    const name = `${prefix}-${at}`
    return Objects.create("helm", Objects.resource("Deployment"), namespace, {
      metadata: { name },
      spec: {
        replicas,
        selector: { matchLabels: { app: name } },
        template: templateOf(name, [imageAt(at), imageAt(at + 1)])
      }
    })
  }, { concurrency: 8, discard: true })
}

const replicaSets = (count: number) =>
  until(
    `pods of ${count} Deployments`,
    Effect.all({
      sets: Objects.list(Objects.resource("ReplicaSet"), namespace),
      pods: Objects.list(Objects.resource("Pod"), namespace)
    }),
    ({ pods, sets }) => sets.length === count && pods.length === count * replicas
  ).pipe(Effect.map(({ sets }) => sets))

/** The authorities, as the daemon has published them. */
const bundle = until(
  "an authority",
  Effect.map(
    Objects.list(Objects.resource("Secret"), ownNamespace),
    (all) => all.flatMap((it) => J.text(it, "data", "ca.crt") ?? [])[0]
  ),
  (it) => it !== undefined
).pipe(Effect.map((it) => Buffer.from(it ?? "", "base64").toString()))

/** @param profile a folder for `--cpu-prof` */
const daemonCommand = (folder: string, profile: string | undefined): Command => [
  node,
  ...flags,
  ...(profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`]),
  program,
  "run",
  "--config",
  join(folder, "settings"),
  "--kubeconfig",
  join(folder, "kubeconfig")
]

/** Everything, until the scope ends; so many images are known whole in the backup. */
export const make = Effect.fnUntraced(
  function*(options: { readonly folder: string; readonly images: number; readonly profile: string | undefined }) {
    const { folder, images, profile } = options
    const controlPlane = yield* ControlPlane.embedded()
    const upstream = yield* EmbeddedRegistry.make()
    const backup = yield* EmbeddedRegistry.make()
    const inCluster = Effect.provide(controlPlane.client)
    for (const name of [namespace, ownNamespace]) {
      yield* inCluster(Objects.create("kubectl", Objects.resource("Namespace"), "", { metadata: { name } }))
    }
    yield* publish(upstream, "web", images, 16 * 1024)
    yield* inCluster(deploy(upstream, "web", images))
    const sets: ReadonlyArray<JsonObject> = yield* inCluster(replicaSets(images))
    const [httpPort = 0, port = 0] = yield* freePorts
    const url = `https://127.0.0.1:${port}`
    write(folder, "kubeconfig", controlPlane.kubeconfig)
    const settings = {
      BACKUP_REGISTRY: `${backup.host}/copies`,
      PLAIN_HTTP_REGISTRIES: `${upstream.host},${backup.host}`,
      NAMESPACES_TO_INCLUDE: namespace,
      REWRITE_MODE: "admission",
      MUTATING_WEBHOOK: "on",
      BACKUP_PULL_BY: "nodes"
    }
    mkdirSync(join(folder, "settings"))
    for (const [name, value] of Object.entries(settings)) write(join(folder, "settings"), name, value)
    const daemon = yield* Effect.acquireRelease(
      Effect.sync(() =>
        start(daemonCommand(folder, profile), {
          HTTP_PORT: String(httpPort),
          DOCKER_CONFIG: folder,
          LOG_FORMAT: "logfmt",
          MALLOC_ARENA_MAX: "1",
          POD_NAMESPACE: ownNamespace,
          WEBHOOK_PORT: String(port),
          WEBHOOK_URL: url
        })
      ),
      ({ child, ended }) => Effect.andThen(Effect.sync(() => child.kill("SIGINT")), Effect.promise(() => ended))
    )
    yield* Effect.promise(() => daemon.after(/the webhooks are served on port/))

    const copied = Effect.promise(async () => {
      const text = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text()
      return Number(/^image_cloner_images\{state="backed-up"\} (\d+)/m.exec(text)?.[1] ?? 0)
    })
    yield* until(`${images} copies`, copied, (it) => it === images)
    return {
      pid: daemon.child.pid ?? 0,
      backup,
      sets,
      url: `${url}${withToken(mutatingPath, yield* inCluster(bundle))}`,
      /** Puts so many new images there. */
      publish: (prefix: string, count: number, layerBytes: number) => publish(upstream, prefix, count, layerBytes),
      /** Makes their Deployments. */
      deploy: (prefix: string, count: number) => inCluster(deploy(upstream, prefix, count)),
      /** Waits for so many copies. */
      untilCopied: (count: number) => until(`${count} copies`, copied, (it) => it >= count)
    }
  }
)
