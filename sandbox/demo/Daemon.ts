// Daemon: the real program as a process of its own, started as in a pod: settings from a folder, a kubeconfig, a config.json.
import { Deferred, Effect, FileSystem, Path, type PlatformError, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import * as J from "../Json.ts"

export interface DaemonOptions {
  /** The bundled program. */
  readonly program: string
  readonly node: string
  readonly kubeconfig: string
  readonly settings: Readonly<Record<string, string>>
  readonly dockerConfig: string
  /** Where it serves its webhook, of the address 127.0.0.1. */
  readonly webhookPort: number
  /** Gets every line of its log: level, text, and what it is about. */
  readonly say: (level: string, text: string) => Effect.Effect<void>
}

const about = (line: J.JsonObject): string => {
  const what = J.text(line, "workload") ?? J.text(line, "image")
  return what === undefined ? "" : `${what}: `
}

export interface Running {
  /** Where it answers, once it does. */
  readonly url: Effect.Effect<string>
  /** The folder of its config.json. */
  readonly docker: string
  /** Changes one setting; it is obeyed within seconds. */
  readonly set: (key: string, value: string) => Effect.Effect<void, PlatformError.PlatformError>
}

/** Runs until the scope closes; stopped by SIGTERM. */
export const start = Effect.fnUntraced(function*(options: DaemonOptions) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "image-cloner-demo-" })
  const settings = path.join(folder, "settings")
  const docker = path.join(folder, "docker")
  yield* fs.makeDirectory(settings)
  yield* fs.makeDirectory(docker)
  for (const [key, value] of Object.entries(options.settings)) {
    yield* fs.writeFileString(path.join(settings, key), value)
  }
  yield* fs.writeFileString(path.join(docker, "config.json"), options.dockerConfig, { mode: 0o600 })
  yield* fs.writeFileString(path.join(folder, "kubeconfig"), options.kubeconfig, { mode: 0o600 })

  const listening = yield* Deferred.make<string>()
  const process = yield* spawner.spawn(ChildProcess.make(
    options.node,
    [options.program, "run", "--config", settings, "--kubeconfig", path.join(folder, "kubeconfig")],
    // nothing of the caller's environment: its settings and logins are not the demo's
    {
      env: {
        HTTP_PORT: "0",
        LOG_FORMAT: "json",
        DOCKER_CONFIG: docker,
        POD_NAMESPACE: "image-cloner",
        WEBHOOK_PORT: String(options.webhookPort),
        WEBHOOK_URL: `https://127.0.0.1:${options.webhookPort}`
      },
      extendEnv: false
    }
  ))
  yield* process.all.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.runForEach((text) => {
      const line = J.parse(text)
      if (!J.isObject(line)) return options.say("error", text)
      const message = J.text(line, "message") ?? ""
      const port = /metrics and health are at .*:(\d+)/.exec(message)?.[1]
      return Effect.andThen(
        port === undefined ? Effect.void : Deferred.succeed(listening, `http://127.0.0.1:${port}`),
        options.say(J.text(line, "level") ?? "", `${about(line)}${message}`)
      )
    }),
    Effect.forkScoped
  )
  const running: Running = {
    url: Deferred.await(listening),
    docker,
    set: (key, value) => fs.writeFileString(path.join(settings, key), value)
  }
  return running
})
