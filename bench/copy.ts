// What the daemon's process holds of memory while it copies one large image between two registries, and how long it takes, with
// skopeo as the peer in the same run. Needs docker-registry (Distribution 2.8) or Distribution 3; says so where there is none.
import { NodeServices } from "@effect/platform-node"
import { Effect, type Scope } from "effect"
import { spawnSync } from "node:child_process"
import { setTimeout } from "node:timers/promises"
import { pushImage } from "../test/support/PushImage.ts"
import { distribution2, distribution3, type RealRegistry, startRegistry } from "../test/support/RealRegistry.ts"
import { imageOf, layerOf } from "../test/support/TestImages.ts"
import { inFolder, memoryOf, node, program, start } from "./Measure.ts"

const layers = 8
const layerMebibytes = 256
const image = "bench/large:1"

const registry = [distribution2, distribution3].find((it) => it.path !== undefined)
const hasSkopeo = spawnSync("skopeo", ["--version"]).status === 0

interface Ran {
  readonly seconds: number
  readonly peak: number
}

/** Seconds from the start of a command to its end, and the highest memory seen, looked at every 20 ms. */
const run = async (command: Parameters<typeof start>[0], env: Record<string, string>): Promise<Ran> => {
  const from = performance.now()
  const { child, ended } = start(command, env)
  let peak = 0
  let done = false
  const watching = (async () => {
    while (!done) {
      // a process that has just ended has no status any more
      if (child.exitCode === null) peak = Math.max(peak, memoryOf(child.pid ?? 0).peak)
      await setTimeout(20)
    }
  })()
  const code = await ended
  done = true
  await watching
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}`)
  return { seconds: (performance.now() - from) / 1000, peak }
}

const ours = (source: RealRegistry, target: RealRegistry) =>
  inFolder((folder) =>
    run([node, program, "clone", `${source.host}/${image}`, "--to", `${target.host}/copies`], {
      DOCKER_CONFIG: folder,
      PLAIN_HTTP_REGISTRIES: `${source.host},${target.host}`
    })
  )

const skopeo = (source: RealRegistry, target: RealRegistry) =>
  run([
    "skopeo",
    "copy",
    "--quiet",
    "--src-tls-verify=false",
    "--dest-tls-verify=false",
    `docker://${source.host}/${image}`,
    `docker://${target.host}/skopeo/large:1`
  ], { HOME: "/nonexistent" })

const figures = ({ peak, seconds }: Ran): string => `${seconds.toFixed(1)} s, peak ${peak.toFixed(0)} MiB`

const main: Effect.Effect<void, never, Scope.Scope> = Effect.gen(function*() {
  if (registry === undefined) {
    console.log("copying was not measured: neither docker-registry nor Distribution 3 is installed")
    return
  }
  const source = yield* startRegistry(registry)
  const bytes = layerMebibytes * 1024 * 1024
  const content = imageOf(Array.from({ length: layers }, (_, index) => layerOf(`bench ${index}`, bytes)))
  yield* Effect.scoped(pushImage({ origin: source.origin, repository: "bench/large", tag: "1" }, content))
  const mine = yield* Effect.scoped(
    Effect.flatMap(startRegistry(registry), (target) => Effect.promise(() => ours(source, target)))
  )
  const size = `${
    (layers * layerMebibytes / 1024).toFixed(0)
  } GiB in ${layers} layers, ${registry.name} to itself over HTTP`
  console.log(`copy of ${size}: ${figures(mine)} (goal 150 MiB)`)
  if (!hasSkopeo) return console.log("skopeo is not installed: no ratio")
  const theirs = yield* Effect.scoped(
    Effect.flatMap(startRegistry(registry), (target) => Effect.promise(() => skopeo(source, target)))
  )
  console.log(
    `skopeo: ${figures(theirs)}; ours takes ${(mine.seconds / theirs.seconds).toFixed(2)} × its time, `
      + `${(mine.peak / theirs.peak).toFixed(2)} × its memory`
  )
})

await Effect.runPromise(main.pipe(Effect.scoped, Effect.provide(NodeServices.layer)))
