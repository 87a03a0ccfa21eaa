// How long a new workload waits for its copy in a large cluster: from the answer to its creation until the patch is seen by a watch, on a
// real kube-apiserver without controllers, the HEAD of its tag included. First while five hundred images cannot be copied, then while
// two thousand more wait behind a registry that accepts connections and never answers. Needs KUBEBUILDER_ASSETS.
// node bench/latency.ts [--workloads N] [--times N]
import { Effect, Stream } from "effect"
import { mkdirSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { fill } from "../sandbox/LargeCluster.ts"
import * as J from "../sandbox/Json.ts"
import * as EmbeddedRegistry from "../sandbox/registry/EmbeddedRegistry.ts"
import * as SampleImage from "../sandbox/registry/SampleImage.ts"
import { KubeClient } from "../src/kube/KubeClient.ts"
import { type BarePlane, onBarePlane } from "./BarePlane.ts"
import { cpuOf, flags, median, memoryOf, node, program, start, type Started, write } from "./Measure.ts"

const { values } = parseArgs({
  options: {
    workloads: { type: "string", default: "10000" },
    times: { type: "string", default: "200" }
  }
})
const workloads = Number(values.workloads)
const times = Number(values.times)

// fewer workloads have fewer images
const uncopied = Math.min(500, workloads)
const waiting = 2000
const containers = 10
/** Seconds over which being idle is measured. */
const idle = 20
const fresh = "fresh"

/** A host that accepts connections and never answers. */
const silentHost = Effect.map(
  Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const server = createServer(() => {}).listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => void server.close())
  ),
  (server) => {
    const address = server.address()
    return `127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
  }
)

const pod = (name: string, images: ReadonlyArray<string>) => ({
  metadata: { labels: { app: name } },
  spec: { restartPolicy: "Always", containers: images.map((image, at) => ({ name: `c-${at}`, image })) }
})

/** Milliseconds until each new workload had its copy. */
const latencies = Effect.fnUntraced(function*(prefix: string, image: string, copy: string) {
  const client = yield* KubeClient
  const created = new Map<string, number>()
  const seen: Array<number> = []
  const path = `/apis/apps/v1/namespaces/${fresh}/deployments`
  const watching = client.frames({ method: "GET", path, query: { watch: "true", timeoutSeconds: "600" } }).pipe(
    Stream.flattenIterable,
    Stream.runForEach((line) =>
      Effect.sync(() => {
        const event = J.parse(String(line))
        if (!J.isObject(event)) return
        const name = J.text(event, "object", "metadata", "name") ?? ""
        const at = created.get(name)
        if (at === undefined || !JSON.stringify(event).includes(copy)) return
        created.delete(name)
        seen.push(performance.now() - at)
      })
    )
  )
  yield* Effect.forkScoped(watching)
  yield* Effect.sleep("1 second")
  for (let at = 0; at < times; at++) {
    const name = `${prefix}-${at}`
    const spec = { replicas: 1, selector: { matchLabels: { app: name } }, template: pod(name, [image]) }
    created.set(name, performance.now())
    yield* client.request({ method: "POST", path, body: { metadata: { name }, spec } })
    yield* Effect.sleep("100 millis")
  }
  yield* Effect.sleep("3 seconds")
  return { seen: seen.toSorted((a, b) => a - b), missing: created.size }
}, Effect.scoped)

const share = Effect.fnUntraced(function*(pid: number) {
  const before = cpuOf(pid)
  yield* Effect.sleep(`${idle} seconds`)
  return (cpuOf(pid) - before) / 10 / idle
})

const show = (what: string, { missing, seen }: { readonly seen: ReadonlyArray<number>; readonly missing: number }) => {
  const at = (part: number) => seen[Math.min(seen.length - 1, Math.floor(seen.length * part))]?.toFixed(0) ?? "-"
  console.log(
    `${what}: patched after ${median(seen).toFixed(0)} ms, p99 ${at(0.99)} ms, at most ${at(1)} ms` +
      (missing === 0 ? "" : `; ${missing} of ${times} not at all`)
  )
}

/** Lines of the log so far that fit. */
const counting = ({ child }: Started, pattern: RegExp) => {
  const found = new Map<string, number>()
  child.stdout?.on("data", (text: string) => {
    for (const line of text.split("\n")) {
      const key = pattern.exec(line)?.[1]
      if (key !== undefined) found.set(key, (found.get(key) ?? 0) + 1)
    }
  })
  return found
}

const metric = (port: number, series: string) =>
  Effect.promise(async () => {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    return Number(text.split("\n").find((it) => it.startsWith(`${series} `))?.split(" ").at(-1) ?? 0)
  })

const until = (wanted: Effect.Effect<boolean>) =>
  Effect.gen(function*() {
    while (!(yield* wanted)) yield* Effect.sleep("500 millis")
  })

const measured = Effect.fnUntraced(function*({ folder, kubeconfig }: BarePlane) {
  const client = yield* KubeClient
  const upstream = yield* EmbeddedRegistry.make()
  const backup = yield* EmbeddedRegistry.make()
  const silent = yield* silentHost
  yield* upstream.load("team/app", SampleImage.image("app"), "1")
  yield* fill({ workloads, old: 0, pods: 1, images: uncopied, from: `${upstream.host}/gone` })
  for (const name of [fresh, "waiting"]) {
    yield* client.request({ method: "POST", path: "/api/v1/namespaces", body: { metadata: { name } } })
  }
  const settings = join(folder, "settings")
  mkdirSync(settings)
  const chosen = {
    BACKUP_REGISTRY: `${backup.host}/copies`,
    PLAIN_HTTP_REGISTRIES: `${upstream.host},${backup.host},${silent}`,
    BACKUP_PULL_BY: "nodes"
  }
  for (const [name, value] of Object.entries(chosen)) write(settings, name, value)
  const daemon = yield* Effect.acquireRelease(
    Effect.sync(() =>
      start([node, ...flags, program, "run", "--config", settings, "--kubeconfig", kubeconfig], {
        HTTP_PORT: "0",
        DOCKER_CONFIG: folder,
        MALLOC_ARENA_MAX: "1",
        HOME: folder,
        LOG_FORMAT: "logfmt"
      })
    ),
    ({ child, ended }) => Effect.andThen(Effect.sync(() => child.kill("SIGTERM")), Effect.promise(() => ended))
  )
  const failures = counting(daemon, /level=WARN.* image=(\S+\/gone\/\S+)/)
  const { line } = yield* Effect.promise(() => daemon.after(/metrics and health are at/))
  const port = Number(/:(\d+)"?$/.exec(line.trim())?.[1])
  const pid = daemon.child.pid ?? 0
  yield* until(Effect.map(metric(port, "image_cloner_images{state=\"not-found\"}"), (it) => it >= uncopied))
  const copy = `${backup.host}/copies`
  show(`while ${uncopied} cannot be copied`, yield* latencies("a", `${upstream.host}/team/app:1`, copy))
  console.log(
    `idle: ${(yield* share(pid)).toFixed(2)} % of a core; ${failures.size} failures logged, ${
      [...failures.values()].filter((it) => it > 1).length
    } of them more than once`
  )
  yield* Effect.forEach(Array.from({ length: waiting / containers }, (_, at) => at), (at) => {
    const name = `late-${at}`
    const images = Array.from({ length: containers }, (_, index) => `${silent}/late/app-${at * containers + index}:1`)
    const spec = { replicas: 1, selector: { matchLabels: { app: name } }, template: pod(name, images) }
    return client.request({
      method: "POST",
      path: "/apis/apps/v1/namespaces/waiting/deployments",
      body: { metadata: { name }, spec }
    })
  }, { concurrency: 8, discard: true })
  yield* Effect.sleep("5 seconds")
  show("and while 2,000 wait", yield* latencies("b", `${upstream.host}/team/app:1`, copy))
  console.log(`idle: ${(yield* share(pid)).toFixed(2)} % of a core; ${memoryOf(pid).peak.toFixed(0)} MiB at the peak`)
})

await onBarePlane(measured)
