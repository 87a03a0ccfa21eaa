// The bundled daemon as a process of its own: its settings as a mounted folder, its log as objects, its HTTP server.
// Edge: dist/ has to be there; what it is to be given of the registries is Stage.ts'.
import { Cause, Effect, Exit, FileSystem, Path, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { fileURLToPath } from "node:url"
import { request } from "undici"
import type { JsonObject } from "../../sandbox/Json.ts"
import * as J from "../../sandbox/Json.ts"
import { eventually } from "./Eventually.ts"

const program = fileURLToPath(new URL("../../dist/main.mjs", import.meta.url))

/** How many lines of its log a test that fails shows. */
const lastLines = 40

export interface Daemon {
  /** Lines of its log so far, as objects. */
  readonly log: ReadonlyArray<JsonObject>
  /** Log lines about one workload or image. */
  readonly about: (what: string) => ReadonlyArray<string>
  readonly pid: number
  /** Of its HTTP server, once it listens. */
  readonly port: Effect.Effect<string>
  readonly kill: Effect.Effect<void>
  /** Stops it for a while, and lets it go on, as a machine that sleeps. */
  readonly signal: (signal: "SIGSTOP" | "SIGCONT" | "SIGTERM") => Effect.Effect<void>
  /** Changes settings of the running daemon, as a kubelet that has seen another ConfigMap. */
  readonly configure: (settings: Readonly<Record<string, string>>) => Effect.Effect<void>
  readonly exitCode: Effect.Effect<number>
  /** Text of a path of its HTTP server. */
  readonly http: (path: string) => Effect.Effect<string>
  /** Value of one series of its metrics, 0 if it is not there. */
  readonly metric: (series: string) => Effect.Effect<number>
}

export interface DaemonOptions {
  readonly kubeconfig: string
  readonly settings: Readonly<Record<string, string>>
  readonly dockerConfig?: JsonObject
  /** Variables of its environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Of Node.js. */
  readonly flags?: ReadonlyArray<string>
}

/** Starts the bundled daemon as a process; it ends with the scope. */
export const startDaemon = Effect.fnUntraced(function*(options: DaemonOptions) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "image-cloner-test-" })
  const settings = path.join(folder, "settings")
  yield* fs.makeDirectory(settings)
  const configure = Effect.fnUntraced(function*(changed: Readonly<Record<string, string>>) {
    for (const [key, value] of Object.entries(changed)) {
      // nobody ever reads half of a file
      yield* fs.writeFileString(path.join(folder, key), value)
      yield* fs.rename(path.join(folder, key), path.join(settings, key))
    }
  }, Effect.orDie)
  yield* configure(options.settings)
  yield* fs.writeFileString(path.join(folder, "config.json"), JSON.stringify(options.dockerConfig ?? {}))
  yield* fs.writeFileString(path.join(folder, "kubeconfig"), options.kubeconfig)
  const child = yield* spawner.spawn(ChildProcess.make(
    process.execPath,
    [...options.flags ?? [], program, "run", "--config", settings, "--kubeconfig", path.join(folder, "kubeconfig")],
    { env: { HTTP_PORT: "0", LOG_FORMAT: "json", DOCKER_CONFIG: folder, ...options.env }, extendEnv: false }
  ))
  const log: Array<JsonObject> = []
  // a test that fails once in a while is understood by what the daemon did, or not at all
  yield* Effect.addFinalizer((exit) =>
    Exit.isSuccess(exit) ? Effect.void : Effect.logError(
      `the last of ${log.length} lines of the daemon's log:\n${
        log.slice(-lastLines).map((it) => JSON.stringify(it)).join("\n")
      }`
    )
  )
  yield* child.all.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.runForEach((line) =>
      Effect.sync(() => {
        const parsed = J.parse(line)
        log.push(J.isObject(parsed) ? parsed : { level: "text", message: line })
      })
    ),
    Effect.catchCause((cause) => Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logDebug(cause)),
    Effect.forkScoped
  )
  const address = () =>
    /http:\S+:(\d+)$/.exec(log.map((it) => J.text(it, "message") ?? "").find((it) => it.startsWith("metrics")) ?? "")
      ?.[1]
  const port = Effect.suspend(() =>
    Effect.map(
      eventually("the daemon does not listen", address, (it) => it !== undefined, "10 seconds"),
      (it) => it ?? ""
    )
  )
  const http = Effect.fnUntraced(function*(where: string) {
    const url = `http://127.0.0.1:${yield* port}${where}`
    return yield* Effect.promise(async () => (await request(url)).body.text())
  }, Effect.orDie)
  const it: Daemon = {
    log,
    pid: child.pid,
    port: Effect.orDie(port),
    about: (what) =>
      log.filter((line) => J.text(line, "workload") === what || J.text(line, "image") === what)
        .map((line) => J.text(line, "message") ?? ""),
    signal: (signal) => Effect.sync(() => void globalThis.process.kill(child.pid, signal)),
    kill: child.kill({ killSignal: "SIGKILL" }).pipe(Effect.ignore),
    configure,
    exitCode: Effect.orDie(child.exitCode),
    http,
    metric: (series) =>
      Effect.map(
        http("/metrics"),
        (text) => Number(text.split("\n").find((line) => line.startsWith(`${series} `))?.split(" ").at(-1) ?? 0)
      )
  }
  return it
})
