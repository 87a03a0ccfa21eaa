// ministack, where it is installed: ECR with its API and its registry, STS and more, as one process at loopback. For what a fake
// of AWS could only guess. MINISTACK names the hypercorn of the Python environment that it is in.
import { Effect, type Scope } from "effect"
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"

/** The program that serves it; undefined: it is not here. */
export const ministack: string | undefined = [process.env["MINISTACK"] ?? ""].find((it) => existsSync(it))

/** Runs until the scope ends; answers with `host:port` of all its services. */
export const startMinistack: Effect.Effect<string, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.callback<{ readonly host: string; readonly stop: () => Promise<void> }>((resume) => {
      const child = spawn(ministack ?? "", ["--bind", "127.0.0.1:0", "ministack.app:app"], {
        env: { PATH: process.env["PATH"], HOME: "/nonexistent", MINISTACK_HOST: "127.0.0.1" },
        stdio: ["ignore", "pipe", "pipe"]
      })
      const ended = new Promise<void>((done) => child.once("exit", () => done()))
      const stop = () => {
        child.kill("SIGKILL")
        return ended
      }
      let text = ""
      const read = (chunk: Buffer) => {
        text += chunk.toString()
        const host = /Running on http:\/\/(127\.0\.0\.1:\d+)/.exec(text)?.[1]
        if (host !== undefined) resume(Effect.succeed({ host, stop }))
      }
      child.stdout.on("data", read)
      child.stderr.on("data", read)
      child.once("error", (error) => resume(Effect.die(error)))
      child.once("exit", (code) => resume(Effect.die(new Error(`ministack ended (${code}): ${text}`))))
    }),
    ({ stop }) => Effect.promise(stop)
  ),
  ({ host }) => host
)
