// A program of somebody else's that serves at a free port of loopback, and says where as it starts.
import { Effect, type Scope } from "effect"
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"

/** The program that an environment variable names; undefined: it is not here. */
export const programNamed = (variable: string): string | undefined =>
  [process.env[variable] ?? ""].find((it) => existsSync(it))

interface Options {
  readonly program: string
  readonly args: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  /** Its first group is the answer. */
  readonly says: RegExp
}

/** Runs until the scope ends; answers with what it has said of where it is. */
export const startAtLoopback = ({ args, env, program, says }: Options): Effect.Effect<string, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<{ readonly at: string; readonly stop: () => Promise<void> }>((resume) => {
        const child = spawn(program, args, {
          env: { PATH: process.env["PATH"], HOME: "/nonexistent", ...env },
          stdio: ["ignore", "pipe", "pipe"],
          // a group of its own: some have workers, which would outlive it
          detached: true
        })
        const ended = new Promise<void>((done) => child.once("exit", () => done()))
        const stop = () => {
          if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL")
          return ended
        }
        let text = ""
        const read = (chunk: Buffer) => {
          text += chunk.toString()
          const at = says.exec(text)?.[1]
          if (at !== undefined) resume(Effect.succeed({ at, stop }))
        }
        child.stdout.on("data", read)
        child.stderr.on("data", read)
        child.once("error", (error) => resume(Effect.die(error)))
        child.once("exit", (code) => resume(Effect.die(new Error(`${program} ended (${code}): ${text}`))))
      }),
      ({ stop }) => Effect.promise(stop)
    ),
    ({ at }) => at
  )
