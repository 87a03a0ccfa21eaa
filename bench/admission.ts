// Admission at 1,000 reviews a second over 200 images, beside a bare node:https echo server that decides nothing, in interleaved
// rounds: processor time a review and latencies; then while a hundred images are copied, and while the backup never answers.
// node bench/admission.ts [--rounds N] [--seconds N] [--rate N] [--copying-rate N] [--profile FOLDER]; the latter is where a
// --cpu-prof of the daemon goes. Where the processor has no room for the rate, the open loop's latencies only tell that.
import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { loadavg, tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { makeCertificates } from "../test/kube/Certificates.ts"
import { reviewOf } from "./AdmissionReviews.ts"
import * as Stage from "./AdmissionStage.ts"
import { cpuOf, median, memoryOf, node, scheduledOf, start, write } from "./Measure.ts"
import type { Load } from "./ReviewLoad.ts"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "10" },
    rate: { type: "string", default: "1000" },
    "copying-rate": { type: "string" },
    profile: { type: "string" }
  }
})
const rounds = Number(values.rounds)
const seconds = Number(values.seconds)
const rate = Number(values.rate)
const copyingRate = Number(values["copying-rate"] ?? values.rate)

const images = 200
const more = 100
const moreWhileDown = 10
const layerBytes = 2 * 1024 * 1024
/** Until the code is compiled that every review goes through, in seconds: V8 goes on with that for half a minute. */
const warmUp = 30
/** Until what was idle is closed, in seconds: more than what the daemon keeps connections to a registry. */
const settling = 15

const goals = { cpu: 0.25, times: 3, p99: 5, copying: 100, memory: 200 }

interface Server {
  readonly name: string
  readonly pid: number
  readonly url: string
}

interface Ran extends Load {
  /** Milliseconds of processor time a review, with all that the process does beside. */
  readonly cpu: number
}

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "image-cloner-bench-"))),
  (it) => Effect.sync(() => rmSync(it, { recursive: true, force: true }))
)

const script = (name: string) => join(import.meta.dirname, name)

/** A load that runs for so long, or until it is ended. */
const startLoad = ({ pid, url }: Server, reviews: string, length: number, perSecond = rate) => {
  let cpu = cpuOf(pid)
  const load = start([node, script("ReviewLoad.ts"), url, reviews, String(perSecond), String(length)], {})
  const ran = async (): Promise<Ran> => {
    const { line } = await load.after(/^\{/)
    const it = JSON.parse(line) as Load // what ReviewLoad prints
    await load.ended
    return { ...it, cpu: (cpuOf(pid) - cpu) / it.sent }
  }
  /** What was before does not count. */
  const count = () => {
    cpu = cpuOf(pid)
    load.child.kill("SIGUSR2")
  }
  return { ran, count, end: () => load.child.kill("SIGTERM") }
}

const echo = Effect.fnUntraced(function*(at: string) {
  const { server } = yield* Effect.promise(makeCertificates)
  const files = [write(at, "echo.crt", server.cert), write(at, "echo.key", server.key)] as const
  const { after, child } = yield* Effect.acquireRelease(
    Effect.sync(() => start([node, script("EchoServer.ts"), ...files], {})),
    (it) => Effect.sync(() => it.child.kill("SIGKILL"))
  )
  const { line } = yield* Effect.promise(() => after(/listening on/))
  return { name: "echo", pid: child.pid ?? 0, url: `https://127.0.0.1:${line.replace(/\D/g, "")}/` }
})

const millis = (value: number) => `${value.toFixed(2)} ms`

const print = (name: string, it: Ran) =>
  console.log(
    `${name}: ${it.cpu.toFixed(3)} ms of CPU a review, p50 ${millis(it.p50)}, p99 ${millis(it.p99)}, worst ${
      millis(it.worst)
    } (sent up to ${millis(it.lateness)} late); ${it.patched} of ${it.sent} rewritten, ${it.failed} failed`
  )

const compare = (ours: ReadonlyArray<Ran>, peers: ReadonlyArray<Ran>) => {
  const of = (runs: ReadonlyArray<Ran>, what: "cpu" | "p50" | "p99") => median(runs.map((it) => it[what]))
  const line = (what: "cpu" | "p50" | "p99", goal: string) =>
    console.log(
      `${what}: ${millis(of(ours, what))}, ${(of(ours, what) / of(peers, what)).toFixed(2)} × the echo's ${
        millis(of(peers, what))
      }${goal}`
    )
  line("cpu", ` (goal ${goals.cpu} ms)`)
  line("p50", "")
  line("p99", ` (goals ${goals.times} × and ${goals.p99} ms)`)
}

const main = Effect.gen(function*() {
  const at = yield* folder
  const stage = yield* Stage.make({ folder: yield* folder, images, profile: values.profile })
  const reviews = write(
    at,
    "reviews",
    stage.sets.map((it, index) =>
      JSON.stringify(reviewOf(it, `705ab4f5-6393-11e8-b7cc-${String(index).padStart(12, "0")}`))
    )
      .join("\n")
  )
  const peer = yield* echo(at)
  const ours = { name: "ours", pid: stage.pid, url: stage.url }
  const load = (server: Server, length: number) => Effect.promise(() => startLoad(server, reviews, length).ran())
  const idle = cpuOf(stage.pid)
  yield* Effect.sleep(`${settling} seconds`)
  console.log(`idle: ${((cpuOf(stage.pid) - idle) / settling).toFixed(1)} ms of CPU a second`)
  const before = { memory: memoryOf(stage.pid), sockets: Stage.socketsOf(stage.pid) }
  console.log(
    `${rate} reviews/s over ${images} images; load of the machine ${loadavg().map((it) => it.toFixed(1)).join(" ")}`
  )

  for (const server of [peer, ours]) yield* load(server, warmUp)
  const runs: { readonly ours: Array<Ran>; readonly peers: Array<Ran> } = { ours: [], peers: [] }
  for (let round = 0; round < rounds; round++) {
    for (const server of round % 2 === 0 ? [peer, ours] : [ours, peer]) {
      const ran = yield* load(server, seconds)
      print(server.name, ran)
      runs[server === ours ? "ours" : "peers"].push(ran)
    }
  }
  compare(runs.ours, runs.peers)

  yield* stage.publish("job", more, layerBytes)
  yield* stage.publish("down", moreWhileDown, 1024)
  // all the time that it copies, and no longer; whoever sends is awake by then
  const copying = startLoad(ours, reviews, 120, copyingRate)
  yield* Effect.sleep("2 seconds")
  copying.count()
  const scheduled = scheduledOf(ours.pid)
  yield* stage.deploy("job", more)
  yield* stage.untilCopied(images + more)
  copying.end()
  const { ran, waited } = scheduledOf(ours.pid)
  print(
    `while ${more} images are copied, at ${copyingRate}/s (goal p99 ${goals.copying} ms, none failed)`,
    yield* Effect.promise(copying.ran)
  )
  console.log(
    `meanwhile the daemon's thread ran for ${(ran - scheduled.ran).toFixed(0)} ms, and waited for a core for ${
      (waited - scheduled.waited).toFixed(0)
    } ms`
  )

  // new images beside, so that copies hang as well as looks
  const stalled = stage.backup.faults.add({ fault: { _tag: "Stall" } })
  const down = startLoad(ours, reviews, 20)
  yield* stage.deploy("down", moreWhileDown)
  print("while the backup never answers", yield* Effect.promise(down.ran))
  stalled.remove()

  yield* stage.untilCopied(images + more + moreWhileDown)
  yield* Effect.sleep(`${settling} seconds`)
  const after = { memory: memoryOf(stage.pid), sockets: Stage.socketsOf(stage.pid) }
  console.log(
    `memory: ${before.memory.now.toFixed(0)} MiB before, ${after.memory.now.toFixed(0)} after, ${
      after.memory.peak.toFixed(0)
    } at its highest (goal ${goals.memory}); open sockets: ${before.sockets} before, ${after.sockets} after`
  )
})

await Effect.runPromise(main.pipe(Effect.scoped, Effect.provide(NodeServices.layer)))
