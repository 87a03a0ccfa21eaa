// Sends AdmissionReviews at a steady rate, as API servers do: HTTPS with keep-alive over a few connections. The loop is open: a
// review is sent when its time has come whatever became of those before it, and its latency counts from then. It is a process,
// so that it does not share an event loop with what it measures: node bench/ReviewLoad.ts <url> <file of reviews> <rate> <seconds>;
// SIGUSR2 forgets what was sent before, SIGTERM ends it earlier. Prints one line of JSON, a `Load`.
import { readFileSync } from "node:fs"
import { Agent, request } from "node:https"

/** Latencies are in milliseconds from the time at which a review was to be sent. */
export interface Load {
  readonly sent: number
  /** Answers with a patch, and those that came too late, were errors or said that they had no decision. */
  readonly patched: number
  readonly failed: number
  readonly p50: number
  readonly p99: number
  readonly worst: number
  /** How much later than wanted 99 of 100 were sent: what of `p99` may be this process's own. */
  readonly lateness: number
}

const connections = 16
/** What the webhooks' timeoutSeconds says, in milliseconds. */
const timeout = 5000

const quantile = (sorted: ReadonlyArray<number>, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN

const ascending = (values: ReadonlyArray<number>) => values.toSorted((a, b) => a - b)

/** What became of those that were sent since some moment. */
class Counts {
  readonly latencies: Array<number> = []
  readonly lateness: Array<number> = []
  patched = 0
  failed = 0
}

const main = (url: string, bodies: ReadonlyArray<Buffer>, rate: number, seconds: number): void => {
  const { hostname, pathname, port } = new URL(url)
  const agent = new Agent({ keepAlive: true, maxSockets: connections, scheduling: "fifo" })
  let counts = new Counts()
  let sent = 0
  let answered = 0
  let ending = false

  const report = () => {
    const { failed, lateness, latencies, patched } = counts
    const sorted = ascending(latencies)
    const load: Load = {
      sent: latencies.length,
      patched,
      failed,
      p50: quantile(sorted, 0.5),
      p99: quantile(sorted, 0.99),
      worst: sorted.at(-1) ?? Number.NaN,
      lateness: quantile(ascending(lateness), 0.99)
    }
    console.log(JSON.stringify(load))
    agent.destroy()
  }

  const send = (body: Buffer, at: number) => {
    sent++
    const mine = counts
    mine.lateness.push(performance.now() - at)
    const done = (good: boolean) => {
      const latency = performance.now() - at
      mine.latencies.push(latency)
      if (!good || latency > timeout) mine.failed++
      answered++
      if (ending && answered === sent) report()
    }
    request({
      agent,
      hostname,
      port,
      path: `${pathname}?timeout=${timeout / 1000}s`,
      method: "POST",
      // its certificate changes nothing of what is measured
      rejectUnauthorized: false,
      headers: { "content-type": "application/json", "content-length": body.length }
    }, (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (it: string) => void (text += it)).on("end", () => {
        if (text.includes("\"patch\"")) mine.patched++
        done(response.statusCode === 200 && !text.includes("no decision in time") && !text.includes("internal error"))
      })
    }).on("error", () => done(false)).end(body)
  }

  const from = performance.now() + 50
  const most = rate * seconds
  let stopped = false
  const tick = () => {
    const due = Math.min(most, Math.floor((performance.now() - from) * rate / 1000))
    while (sent < due) {
      const body = bodies[sent % bodies.length]
      if (body !== undefined) send(body, from + (sent + 1) * 1000 / rate)
    }
    if (sent < most && !stopped) return setTimeout(tick, 1)
    ending = true
    if (answered === sent) report()
  }
  process.on("SIGUSR2", () => void (counts = new Counts()))
  process.on("SIGTERM", () => void (stopped = true))
  tick()
}

if (import.meta.main) {
  const [url = "", file = "", rate = "", seconds = ""] = process.argv.slice(2)
  const bodies = readFileSync(file, "utf8").trim().split("\n").map((it) => Buffer.from(it))
  main(url, bodies, Number(rate), Number(seconds))
}
