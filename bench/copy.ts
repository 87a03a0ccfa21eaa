// Copying between two real registries in memory: wall and processor time and peak memory of ours, crane and skopeo in
// interleaved rounds, as ratios, over HTTP and over TLS. node bench/copy.ts [--rounds N] [--only TEXT] picks scenarios by name.
import { NodeServices } from "@effect/platform-node"
import { Effect, type Scope } from "effect"
import { spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { makeCertificates } from "../test/kube/Certificates.ts"
import { pushImage } from "../test/support/PushImage.ts"
import { distribution2, distribution3, type RealRegistry, startRegistry } from "../test/support/RealRegistry.ts"
import { imageOf, layerOf } from "../test/support/TestImages.ts"
import { type Cost, measure, median } from "./Measure.ts"
import { type Job, type Tool, tools } from "./Tools.ts"

const mebibyte = 1024 * 1024
const { values } = parseArgs({
  options: { rounds: { type: "string", default: "3" }, only: { type: "string", default: "" } }
})
const rounds = Number(values.rounds)

const registry = [distribution3, distribution2].find((it) => it.path !== undefined)

interface Content {
  readonly images: ReadonlyArray<{ readonly name: string; readonly content: ReturnType<typeof imageOf> }>
  readonly uniqueBytes: number
}

const contentOf = (images: Content["images"]): Content => {
  const blobs = new Map(images.flatMap(({ content }) => content.blobs).map((it) => [it.digest, it.bytes.length]))
  return { images, uniqueBytes: Array.from(blobs.values()).reduce((sum, it) => sum + it, 0) }
}

const large = (): Content =>
  contentOf([{
    name: "bench/large:1",
    content: imageOf(Array.from({ length: 6 }, (_, index) => layerOf(`large ${index}`, 256 * mebibyte)))
  }])

const hundred = (): Content => {
  const shared = Array.from({ length: 4 }, (_, index) => layerOf(`shared ${index}`, 2 * mebibyte))
  return contentOf(Array.from({ length: 100 }, (_, index) => ({
    name: `bench/image-${index}:1`,
    content: imageOf([...shared, layerOf(`first ${index}`, mebibyte / 2), layerOf(`second ${index}`, mebibyte / 2)])
  })))
}

interface Scenario {
  readonly name: string
  readonly content: () => Content
  readonly tls: boolean
  /** Milliseconds of a round trip to both registries; 0: loopback. */
  readonly roundTrip: number
  readonly goals: { readonly wall: number; readonly again?: number; readonly cpuPerGibibyte?: number }
}

const scenarios: ReadonlyArray<Scenario> = [
  { name: "6 × 256 MiB, HTTP", content: large, tls: false, roundTrip: 0, goals: { wall: 1.05, cpuPerGibibyte: 1.6 } },
  { name: "6 × 256 MiB, TLS", content: large, tls: true, roundTrip: 0, goals: { wall: 0.95 } },
  { name: "100 images, HTTP", content: hundred, tls: false, roundTrip: 0, goals: { wall: 0.4, again: 0.5 } },
  { name: "100 images, TLS", content: hundred, tls: true, roundTrip: 0, goals: { wall: 0.4, again: 0.5 } },
  { name: "100 images, HTTP, 20 ms", content: hundred, tls: false, roundTrip: 20, goals: { wall: 0.3 } },
  { name: "100 images, TLS, 20 ms", content: hundred, tls: true, roundTrip: 20, goals: { wall: 0.3 } }
]
const mostMemory = 128

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "image-cloner-bench-"))),
  (it) => Effect.sync(() => rmSync(it, { recursive: true, force: true }))
)

/** The registry's address behind a link of that round trip. */
const behindLink = (host: string, roundTrip: number): Effect.Effect<string, never, Scope.Scope> => {
  if (roundTrip === 0) return Effect.succeed(host)
  const script = join(import.meta.dirname, "Link.ts")
  const child = Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [script, host.replace(/.*:/, ""), String(roundTrip)], {
        stdio: ["ignore", "pipe", "inherit"]
      })
    ),
    (it) => Effect.sync(() => it.kill("SIGKILL"))
  )
  return Effect.flatMap(child, ({ stdout }) =>
    Effect.callback<string>((resume) => {
      stdout.once("data", (line: Buffer) =>
        resume(Effect.succeed(`127.0.0.1:${/(\d+)/.exec(line.toString())?.[1] ?? ""}`)))
    }))
}

const requestsOf = (lines: ReadonlyArray<string>): ReadonlyMap<string, number> => {
  const counted = new Map<string, number>()
  for (const line of lines) {
    const request = /"http\.request\.method":"(\w+)"/.exec(line)?.[1]
    if (request === undefined || !line.includes("response completed")) continue
    counted.set(request, (counted.get(request) ?? 0) + 1)
  }
  return counted
}

const written = (counted: ReadonlyMap<string, number>) =>
  Array.from(counted).toSorted(([a], [b]) => a.localeCompare(b)).map(([method, count]) => `${count} ${method}`).join(
    ", "
  )

interface Ran extends Cost {
  readonly uploaded: number | undefined
  readonly requests: { readonly source: string; readonly target: string }
}

const uploadedBy = (output: string): number | undefined => {
  const lines = output.split("\n").filter((it) => it.startsWith("{"))
  // our own json, one line an image
  return lines.length === 0
    ? undefined
    : lines.reduce((sum, line) => sum + (JSON.parse(line) as { bytes: { uploaded: number } }).bytes.uploaded, 0)
}

const runOnce = Effect.fnUntraced(function*(tool: Tool, job: Job, source: RealRegistry, target: RealRegistry) {
  const before = { source: (yield* source.log).length, target: (yield* target.log).length }
  const { command, env } = tool.command(job)
  const cost = yield* Effect.promise(() => measure(command, env))
  const ran: Ran = {
    ...cost,
    uploaded: uploadedBy(cost.output),
    requests: {
      source: written(requestsOf((yield* source.log).slice(before.source))),
      target: written(requestsOf((yield* target.log).slice(before.target)))
    }
  }
  return ran
})

/** A cold copy into an empty registry and, where asked for, the same once more. */
const round = (
  tool: Tool,
  scenario: Scenario,
  content: Content,
  source: RealRegistry,
  shared: {
    readonly cache: string
    readonly ca: string
    readonly tls: { certificate: string; key: string } | undefined
  }
) =>
  Effect.gen(function*() {
    const target = yield* startRegistry(registry ?? distribution3, shared.tls === undefined ? {} : { tls: shared.tls })
    const home = yield* folder
    const sides = {
      source: { host: yield* behindLink(source.host, scenario.roundTrip) },
      target: { host: yield* behindLink(target.host, scenario.roundTrip) }
    }
    if (scenario.tls) {
      writeFileSync(join(home, "ca.crt"), shared.ca)
      for (const { host } of Object.values(sides)) {
        mkdirSync(join(home, "certs.d", host), { recursive: true })
        writeFileSync(join(home, "certs.d", host, "ca.crt"), shared.ca)
      }
    }
    const job: Job = {
      ...sides,
      images: content.images.map((it) => it.name),
      tls: scenario.tls ? home : undefined,
      home,
      cache: shared.cache
    }
    const cold = yield* runOnce(tool, job, source, target)
    const again = scenario.goals.again === undefined ? undefined : yield* runOnce(tool, job, source, target)
    return { cold, again }
  }).pipe(Effect.scoped)

const line = (name: string, all: ReadonlyArray<Ran>, peer: ReadonlyArray<Ran>): string => {
  const of = (runs: ReadonlyArray<Ran>, pick: (ran: Ran) => number) => median(runs.map(pick))
  const ratio = (pick: (ran: Ran) => number) => (of(all, pick) / of(peer, pick)).toFixed(2)
  const wall = (it: Ran) => it.wall
  const cpu = (it: Ran) => it.cpu
  const peak = Math.max(...all.map((it) => it.peak))
  return `  ${name.padEnd(8)} wall ${of(all, wall).toFixed(2)} s (${ratio(wall)}×)  cpu ${of(all, cpu).toFixed(2)} s `
    + `(${ratio(cpu)}×)  peak ${peak.toFixed(0)} MiB`
}

const print = (
  title: string,
  runs: ReadonlyMap<string, ReadonlyArray<Ran>>,
  goal: { readonly wall: number; readonly cpu?: number | undefined },
  uniqueBytes: number
) => {
  const crane = runs.get("crane") ?? runs.get("skopeo") ?? []
  const mine = runs.get("ours") ?? []
  console.log(`${title} (ratios to ${runs.has("crane") ? "crane" : "skopeo"}; goal ${goal.wall}×, ${mostMemory} MiB)`)
  for (const [name, all] of runs) console.log(line(name, all, crane))
  const first = mine[0]
  if (first === undefined) return
  const uploaded = first.uploaded ?? 0
  console.log(
    `  ours: ${(uploaded / mebibyte).toFixed(1)} MiB uploaded of ${(uniqueBytes / mebibyte).toFixed(1)} MiB unique`
      + (goal.cpu === undefined
        ? ""
        : `; ${
          (median(mine.map((it) => it.cpu)) / (uniqueBytes / mebibyte / 1024)).toFixed(2)
        } CPU s per GiB (goal ${goal.cpu})`)
  )
  console.log(`  ours asked the source ${first.requests.source}; the backup ${first.requests.target}`)
}

const runScenario = (scenario: Scenario, cache: string) =>
  Effect.gen(function*() {
    const certificates = yield* Effect.promise(makeCertificates)
    const tls = scenario.tls
      ? { certificate: certificates.server.cert, key: certificates.server.key }
      : undefined
    const source = yield* startRegistry(registry ?? distribution3, tls === undefined ? {} : { tls })
    const content = scenario.content()
    yield* Effect.forEach(content.images, ({ content: image, name }) => {
      const [repository = "", tag = ""] = name.split(":")
      const trust = tls === undefined ? {} : { ca: certificates.ca }
      return pushImage({ origin: source.origin, repository, tag, ...trust }, image)
    }, { discard: true })
    const cold = new Map<string, Array<Ran>>()
    const again = new Map<string, Array<Ran>>()
    const shared = { cache, ca: certificates.ca, tls }
    const [ours] = tools
    // not counted: memory that the machine has never touched costs more than the rest of the copy, and it fills the cache
    if (ours !== undefined) yield* round(ours, scenario, content, source, shared)
    for (let index = 0; index < rounds; index++) {
      // another one begins each round
      const order = tools.map((_, position) => tools[(position + index) % tools.length]).filter((it) =>
        it !== undefined
      )
      for (const tool of order) {
        const ran = yield* round(tool, scenario, content, source, shared)
        cold.set(tool.name, [...cold.get(tool.name) ?? [], ran.cold])
        if (ran.again !== undefined) again.set(tool.name, [...again.get(tool.name) ?? [], ran.again])
      }
    }
    const { again: goal, cpuPerGibibyte, wall } = scenario.goals
    print(scenario.name, inOrder(cold), { wall, cpu: cpuPerGibibyte }, content.uniqueBytes)
    if (goal !== undefined) print(`${scenario.name}, all there`, inOrder(again), { wall: goal }, content.uniqueBytes)
  }).pipe(Effect.scoped)

const inOrder = (runs: ReadonlyMap<string, ReadonlyArray<Ran>>) =>
  new Map(tools.flatMap(({ name }) => {
    const found = runs.get(name)
    return found === undefined ? [] : [[name, found] as const]
  }))

const main = Effect.gen(function*() {
  if (registry === undefined) {
    return console.log("copying was not measured: neither docker-registry nor Distribution 3 is installed")
  }
  console.log(
    `${registry.name} to itself, over memory; ${tools.map((it) => it.name).join(", ")}; median of ${rounds} rounds`
  )
  const cache = yield* folder
  for (const scenario of scenarios) {
    if (scenario.name.includes(values.only)) yield* runScenario(scenario, cache)
  }
})

await Effect.runPromise(main.pipe(Effect.scoped, Effect.provide(NodeServices.layer)))
