// Debian's nginx before one server, as people put it before their registry, for as long as the test's scope.
import { Effect, type Scope } from "effect"
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { type AddressInfo, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { eventually } from "./Eventually.ts"

/** Where it is installed. */
export const nginx: string | undefined = ["/usr/sbin/nginx"].find((it) => existsSync(it))

export interface Nginx {
  /** `127.0.0.1:port`. */
  readonly host: string
  /** `METHOD /path status bytes-of-the-request` a line. */
  readonly log: Effect.Effect<ReadonlyArray<string>>
}

const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    // it listens on a port, so the address is not a pipe's
    const { port } = server.address() as AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

const configuration = (directory: string, port: number, upstream: string, lines: ReadonlyArray<string>) => `
daemon off;
worker_processes 1;
${process.getuid?.() === 0 ? "user root;" : ""}
pid ${directory}/pid;
error_log ${directory}/error.log;
events {}
http {
  log_format requests '$request_method $uri $status $request_length';
  access_log ${directory}/access.log requests;
  ${
  ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((it) => `${it}_temp_path ${directory}/${it};`).join("\n  ")
}
  server {
    listen 127.0.0.1:${port};
    ${lines.join("\n    ")}
    location / {
      proxy_pass http://${upstream};
      proxy_set_header Host $http_host;
    }
  }
}
`

const linesOf = (path: string) =>
  Effect.promise(async () =>
    existsSync(path) ? (await readFile(path, "utf8")).split("\n").filter((it) => it !== "") : []
  )

/** Runs it before `upstream`, with more `lines` in its server block. */
export const startNginx = (
  upstream: { readonly host: string },
  lines: ReadonlyArray<string>
): Effect.Effect<Nginx, never, Scope.Scope> =>
  Effect.gen(function*() {
    const directory = yield* Effect.acquireRelease(
      Effect.promise(() => mkdtemp(join(tmpdir(), "image-cloner-nginx-"))),
      (it) => Effect.promise(() => rm(it, { recursive: true, force: true }))
    )
    const port = yield* freePort
    const file = join(directory, "nginx.conf")
    yield* Effect.promise(() => writeFile(file, configuration(directory, port, upstream.host, lines)))
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const child = spawn(nginx ?? "", ["-c", file, "-p", directory, "-e", join(directory, "error.log")], {
          stdio: "ignore"
        })
        return { child, ended: new Promise<void>((done) => child.once("exit", () => done())) }
      }),
      ({ child, ended }) =>
        Effect.promise(() => {
          child.kill("SIGTERM")
          return ended
        })
    )
    const host = `127.0.0.1:${port}`
    yield* eventually(
      "nginx does not answer",
      Effect.promise(() => fetch(`http://${host}/v2/`).then(({ ok }) => ok, () => false))
    )
    return { host, log: linesOf(join(directory, "access.log")) }
  })
