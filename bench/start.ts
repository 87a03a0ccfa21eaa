// How long the daemon takes from its start until it is ready, and what it holds of memory when idle, with the credentials of a
// pod, as it is deployed. The peer in the same run is Node.js with an empty script: what no program of it can go below.
// A mount namespace of its own stands in for the pod's mounted ServiceAccount; where there are none, a kubeconfig does.
import { NodeServices } from "@effect/platform-node"
import { Effect, Redacted } from "effect"
import { spawnSync } from "node:child_process"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import * as EmbeddedCluster from "../sandbox/cluster/EmbeddedCluster.ts"
import { makeCertificates } from "../test/kube/Certificates.ts"
import { type Command, flags, inFolder, median, memoryOf, node, program, start, write } from "./Measure.ts"

const rounds = 7
const settling = 5000 // milliseconds until memory is read: long after the first garbage collections

const mounted = "/run/secrets/kubernetes.io/serviceaccount"
const inPod = (folder: string): Command => [
  "unshare",
  "--map-root-user",
  "--mount",
  "sh",
  "-c",
  `mount -t tmpfs tmpfs /run && mkdir -p ${mounted} && cp ${folder}/token ${folder}/ca.crt ${mounted} && exec "$0" "$@"`
]
const namespaces = spawnSync("unshare", ["--map-root-user", "--mount", "true"]).status === 0

interface Round {
  readonly listening: number
  readonly ready: number
  readonly idle: number
}

const round = (cluster: EmbeddedCluster.EmbeddedCluster, ca: string, cache: string): Promise<Round> =>
  inFolder(async (folder) => {
    write(folder, "token", Redacted.value(cluster.adminToken))
    write(folder, "ca.crt", ca)
    const { after, child, ended } = start(
      namespaces
        ? [...inPod(folder), node, ...flags, program, "run"]
        : [node, ...flags, program, "run", "--kubeconfig", write(folder, "kubeconfig", cluster.kubeconfig())],
      {
        HTTP_PORT: "0",
        BACKUP_REGISTRY: "registry.example/backup",
        DOCKER_CONFIG: folder,
        NODE_COMPILE_CACHE: cache,
        MALLOC_ARENA_MAX: "1",
        KUBERNETES_SERVICE_HOST: "127.0.0.1",
        KUBERNETES_SERVICE_PORT: String(cluster.port)
      }
    )
    const listening = await after(/metrics and health are at/)
    const ready = await after(/the cluster is known/)
    await setTimeout(settling)
    const idle = memoryOf(child.pid ?? 0).now
    child.kill("SIGTERM")
    await ended
    return { listening: listening.milliseconds, ready: ready.milliseconds, idle }
  })

const empty = (): Promise<number> =>
  inFolder(async (folder) => {
    const from = performance.now()
    await start([node, write(folder, "empty.mjs", "")], {}).ended
    return performance.now() - from
  })

const main = Effect.gen(function*() {
  const certificates = yield* Effect.promise(makeCertificates)
  const cluster = yield* EmbeddedCluster.make({ tls: certificates.server })
  yield* Effect.promise(() =>
    inFolder(async (cacheFolder) => {
      const cache = join(cacheFolder, "compiled")
      mkdirSync(cache)
      const all: Array<Round> = []
      const bare: Array<number> = []
      for (let index = 0; index < rounds; index++) {
        bare.push(await empty())
        all.push(await round(cluster, certificates.ca, cache))
      }
      const peer = median(bare)
      const ready = median(all.map((it) => it.ready))
      const listening = median(all.map((it) => it.listening))
      const how = namespaces ? "in a pod's place" : "by a kubeconfig, for lack of mount namespaces"
      console.log(
        `start ${how}, median of ${rounds}: listening ${listening.toFixed(0)} ms, ready ${ready.toFixed(0)} ms, `
          + `${(ready / peer).toFixed(1)} × an empty script's ${peer.toFixed(0)} ms (goal 250 ms)`
      )
      console.log(`start without a compile cache: ready ${all[0]?.ready.toFixed(0)} ms`)
      console.log(`idle: ${median(all.map((it) => it.idle)).toFixed(0)} MiB resident (goal 100 MiB)`)
    })
  )
}).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

await Effect.runPromise(main)
