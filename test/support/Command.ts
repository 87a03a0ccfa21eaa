// Runs a command to its end and answers what it said and how it ended: for what people type.
import { Effect, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"

export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface Given {
  /** The whole environment, nothing is inherited. */
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Default: nothing to read. */
  readonly stdin?: string
}

/** Never fails for an exit code; dies when there is no such command. */
export const run = (command: string, args: ReadonlyArray<string>, given: Given) =>
  Effect.gen(function*() {
    const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
    const child = yield* spawner.spawn(ChildProcess.make(command, args, {
      env: given.env,
      extendEnv: false,
      ...(given.cwd === undefined ? {} : { cwd: given.cwd }),
      stdin: given.stdin === undefined ? "ignore" : Stream.encodeText(Stream.make(given.stdin))
    }))
    const text = (stream: typeof child.stdout) => Stream.mkString(Stream.decodeText(stream))
    const [stdout, stderr, code] = yield* Effect.all([text(child.stdout), text(child.stderr), child.exitCode], {
      concurrency: "unbounded"
    })
    const it: Ended = { stdout, stderr, code }
    return it
  }).pipe(Effect.scoped, Effect.orDie)
