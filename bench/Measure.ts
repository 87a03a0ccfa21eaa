// Measure: runs the bundled program as a process and reads what it costs out of /proc. Linux only.
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

export const program = fileURLToPath(new URL("../dist/main.mjs", import.meta.url))

/**
 * Milliseconds that a process's main thread has had a core, and that it was ready and had none: what somebody waits for it may be
 * the machine's, and not the program's. Source: Documentation/scheduler/sched-stats.rst, /proc/<pid>/schedstat.
 */
export const scheduledOf = (pid: number): { readonly ran: number; readonly waited: number } => {
  const [ran = 0, waited = 0] = readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ").map((it) => Number(it) / 1e6)
  return { ran, waited }
}

/** Resident memory of a process now and at its highest, in MiB. */
export const memoryOf = (pid: number): { readonly now: number; readonly peak: number } => {
  const status = readFileSync(`/proc/${pid}/status`, "utf8")
  const read = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) / 1024
  return { now: read("VmRSS"), peak: read("VmHWM") }
}

/** Processor time of a process so far, in milliseconds (proc(5), /proc/pid/stat; a tick is 10 ms everywhere). */
export const cpuOf = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /, "").split(" ")
  return (Number(fields[11]) + Number(fields[12])) * 10
}

export const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

/** What a command, its children included, took. */
export interface Cost {
  /** Wall and processor time, seconds. */
  readonly wall: number
  readonly cpu: number
  /** The most memory that its processes held together, MiB. */
  readonly peak: number
  readonly output: string
}

const childrenOf = (pid: number): ReadonlyArray<number> => {
  try {
    const direct = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim()
    return direct === "" ? [] : direct.split(" ").map(Number).flatMap((it) => [it, ...childrenOf(it)])
  } catch {
    return [] // it has just ended
  }
}

const held = (pid: number): number => {
  try {
    return memoryOf(pid).peak
  } catch {
    return 0 // it has just ended
  }
}

/** Runs a command to its end; the shell around it tells the processor time of all below it. */
export const measure = async (command: Command, env: Record<string, string>): Promise<Cost> => {
  const from = performance.now()
  const child = spawn("bash", ["-c", "\"$@\"; code=$?; times >&2; exit $code", "bash", ...command], {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 300_000
  })
  let output = ""
  let errors = ""
  child.stdout.on("data", (chunk: Buffer) => void (output += chunk.toString()))
  child.stderr.on("data", (chunk: Buffer) => void (errors += chunk.toString()))
  let peak = 0
  const watching = setInterval(() => {
    peak = Math.max(peak, childrenOf(child.pid ?? 0).reduce((sum, pid) => sum + held(pid), 0))
  }, 20)
  const code = await new Promise((resolve) => child.on("close", resolve))
  const wall = (performance.now() - from) / 1000
  clearInterval(watching)
  if (code !== 0) throw new Error(`${command.slice(0, 4).join(" ")} … ended with ${code}: ${errors}${output}`)
  const times = /(\d+)m([\d.]+)s (\d+)m([\d.]+)s\s*$/.exec(errors)?.slice(1).map(Number) ?? []
  const [userMinutes = 0, user = 0, systemMinutes = 0, system = 0] = times
  return { wall, cpu: (userMinutes + systemMinutes) * 60 + user + system, peak, output }
}

export interface Started {
  readonly child: ChildProcess
  /** Milliseconds from spawn until the line that matches. */
  readonly after: (pattern: RegExp) => Promise<{ readonly line: string; readonly milliseconds: number }>
  readonly ended: Promise<number | null>
}

export type Command = readonly [program: string, ...args: ReadonlyArray<string>]

/** The Node.js that runs this. */
export const node = process.execPath
const entry = /^ENTRYPOINT (\[.*\])$/m.exec(readFileSync(new URL("../Dockerfile", import.meta.url), "utf8"))?.[1] ??
  "[]"
/** What the image gives it: what stands in its entry point between Node.js and the program. */
export const ofImage: ReadonlyArray<string> = JSON.parse(entry).slice(1, -1)
/** The same, and the heap that Node.js allows itself under the Deployment's memory limit of 512 MiB. */
export const flags: ReadonlyArray<string> = [...ofImage, "--max-heap-size=256"]

/** Starts a command with this environment and the PATH; `after` waits for a line of its output. */
export const start = ([command, ...args]: Command, env: Record<string, string>): Started => {
  const from = performance.now()
  const child = spawn(command, args, {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: ["ignore", "pipe", "pipe"]
  })
  const lines: Array<{ readonly line: string; readonly milliseconds: number }> = []
  const waiting: Array<() => void> = []
  let rest = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      const parts = (rest + text).split("\n")
      rest = parts.pop() ?? ""
      for (const line of parts) lines.push({ line, milliseconds: performance.now() - from })
      for (const wake of waiting) wake()
    })
  }
  const ended = new Promise<number | null>((resolve) => {
    child.on("close", (code) => {
      resolve(code)
      for (const wake of waiting) wake()
    })
  })
  return {
    child,
    ended,
    after: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = lines.find((it) => pattern.test(it.line))
          if (found !== undefined) return resolve(found)
          if (child.exitCode !== null) reject(new Error(`it ended first: ${lines.map((it) => it.line).join("\n")}`))
        }
        waiting.push(look)
        look()
      })
  }
}

/** A folder that is gone when the work is done. */
export const inFolder = async <A>(work: (folder: string) => Promise<A>): Promise<A> => {
  const folder = mkdtempSync(join(tmpdir(), "image-cloner-bench-"))
  try {
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export const write = (folder: string, name: string, text: string): string => {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}
