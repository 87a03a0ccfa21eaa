// moto, where it is installed: AWS's APIs with their rules, ECR's and STS's among them, as one process at loopback; no registry. For
// what ECR takes of a new repository. MOTO names the moto_server of the Python environment that it is in.
import { Effect, type Scope } from "effect"
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"

/** The program that serves it; undefined: it is not here. */
export const moto: string | undefined = [process.env["MOTO"] ?? ""].find((it) => existsSync(it))

/** Runs until the scope ends; answers with the origin of all its services. */
export const startMoto: Effect.Effect<string, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.callback<{ readonly origin: string; readonly stop: () => Promise<void> }>((resume) => {
      const child = spawn(moto ?? "", ["-H", "127.0.0.1", "-p", "0"], {
        env: { PATH: process.env["PATH"], HOME: "/nonexistent", PYTHONUNBUFFERED: "1" },
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
        const origin = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(text)?.[1]
        if (origin !== undefined) resume(Effect.succeed({ origin, stop }))
      }
      child.stdout.on("data", read)
      child.stderr.on("data", read)
      child.once("error", (error) => resume(Effect.die(error)))
      child.once("exit", (code) => resume(Effect.die(new Error(`moto ended (${code}): ${text}`))))
    }),
    ({ stop }) => Effect.promise(stop)
  ),
  ({ origin }) => origin
)
