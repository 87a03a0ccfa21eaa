// A large cluster: what the daemon costs until it is ready, at its highest and when idle, beside client-go's informers over the same
// kinds (informers/main.go), on a real kube-apiserver without controllers. Every Deployment has a ReplicaSet and a pod, with the
// managedFields that real ones have. Needs KUBEBUILDER_ASSETS and Go.
// node bench/controller.ts [--workloads N] [--old N] [--pods N] [--images N] [--limit MIB] [--profile FOLDER]; `old` are scaled-down
// ReplicaSets a Deployment, `pods` are pods of its newest; `limit` is a real one on the daemon's memory, from which Node.js tells its heap.
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { parseArgs } from "node:util"
import { fill } from "../sandbox/LargeCluster.ts"
import { onBarePlane } from "./BarePlane.ts"
import { confine } from "./Confine.ts"
import { type Command, cpuOf, flags, memoryOf, node, ofImage, program, start, type Started, write } from "./Measure.ts"

const { values } = parseArgs({
  options: {
    workloads: { type: "string", default: "10000" },
    old: { type: "string", default: "0" },
    pods: { type: "string", default: "1" },
    images: { type: "string", default: "500" },
    limit: { type: "string" },
    profile: { type: "string" }
  }
})
const workloads = Number(values.workloads)
const old = Number(values.old)
const pods = Number(values.pods)
const images = Number(values.images)
/** Seconds over which being idle is measured, after as many of rest. */
const idle = 20

interface Figures {
  readonly ready: number
  readonly cpu: number
  readonly peak: number
  readonly settled: number
  /** Share of a core. */
  readonly idle: number
}

/** Asks the daemon until it says that it is ready. */
const untilReady = async ({ after }: Started) => {
  const { line } = await after(/metrics and health are at/)
  const port = /:(\d+)"?$/.exec(line.trim())?.[1] ?? ""
  for (;;) {
    const { status } = await fetch(`http://127.0.0.1:${port}/readyz`)
    if (status === 200) return
    await setTimeout(20)
  }
}

const figuresOf = async (started: Started, ready: Promise<unknown>): Promise<Figures> => {
  const { child, ended } = started
  const from = performance.now()
  const pid = child.pid ?? 0
  await ready
  const milliseconds = performance.now() - from
  const cpu = cpuOf(pid) / 1000
  await setTimeout(idle * 1000)
  const before = cpuOf(pid)
  const { now, peak } = memoryOf(pid)
  await setTimeout(idle * 1000)
  const share = (cpuOf(pid) - before) / 1000 / idle
  child.kill("SIGTERM")
  await ended
  return { ready: milliseconds / 1000, cpu, peak, settled: now, idle: share }
}

const show = (name: string, { cpu, idle: share, peak, ready, settled }: Figures) =>
  console.log(
    `${name}: ready after ${ready.toFixed(1)} s and ${cpu.toFixed(2)} s of CPU; ${peak.toFixed(0)} MiB at the peak, ` +
      `${settled.toFixed(0)} settled; idle ${(share * 100).toFixed(2)} % of a core`
  )

const measured = Effect.fnUntraced(function*(folder: string, kubeconfig: string) {
  const peer = join(folder, "informers")
  execFileSync("go", ["build", "-mod=mod", "-o", peer, "."], {
    cwd: join(import.meta.dirname, "informers"),
    stdio: "inherit"
  })
  const settings = join(folder, "settings")
  mkdirSync(settings)
  write(settings, "BACKUP_REGISTRY", "backup.example/copies")
  write(settings, "REWRITE_MODE", "off")
  write(settings, "DRY_RUN", "true")
  const profile = values.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${values.profile}`]
  const run = [program, "run", "--config", settings, "--kubeconfig", kubeconfig]
  const free: Command = [node, ...flags, ...profile, ...run]
  const limit = values.limit === undefined ? undefined : Number(values.limit)
  // under a real limit it is started as the image starts it
  const confined = limit === undefined ? undefined : confine([node, ...ofImage, ...profile, ...run], limit)
  const env = { HTTP_PORT: "0", DOCKER_CONFIG: folder, MALLOC_ARENA_MAX: "1", HOME: folder, LOG_FORMAT: "logfmt" }
  const others = yield* Effect.promise(() => {
    const started = start([peer, kubeconfig], { HOME: folder })
    return figuresOf(started, started.after(/synced/))
  })
  const ours = yield* Effect.promise(() => {
    const started = start(confined?.command ?? free, env)
    return figuresOf(started, untilReady(started))
  })
  show("client-go", others)
  show("ours", ours)
  if (confined !== undefined) {
    console.log(
      `under ${limit} MiB by ${confined.how}: ${
        confined.most().toFixed(0)
      } MiB at the most, files of the cache included`
    )
    confined.end()
  }
  const objects = workloads * (old + 2 + pods)
  console.log(
    `${objects} objects: CPU ${(ours.cpu / others.cpu).toFixed(2)} × the peer's, peak ${
      (ours.peak / others.peak).toFixed(2)
    } ×`
  )
})

await onBarePlane(({ folder, kubeconfig }) =>
  Effect.andThen(fill({ workloads, old, pods, images }), measured(folder, kubeconfig))
)
