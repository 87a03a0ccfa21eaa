// Starts a real Distribution registry on a port of its own over a temporary folder, for as long as the test's scope.
import { Effect, type Scope } from "effect"
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { homedir, tmpdir } from "node:os"
import { join } from "node:path"

/** A registry's program, and what it is called in test names. */
export interface Program {
  readonly name: string
  readonly path: string | undefined
}

const firstThatExists = (paths: ReadonlyArray<string>): string | undefined => paths.find((it) => existsSync(it))

export const distribution2: Program = {
  name: "Distribution 2.8",
  path: firstThatExists(["/usr/bin/docker-registry"])
}
export const distribution3: Program = {
  name: "Distribution 3",
  path: firstThatExists([
    ...(process.env["GOPATH"] === undefined ? [] : [join(process.env["GOPATH"], "bin/registry")]),
    join(homedir(), "go/bin/registry")
  ])
}

/** Where the images of the tests lie: memory if there is such a place. */
const room = existsSync("/dev/shm") ? "/dev/shm" : tmpdir()

export interface RealRegistry {
  /** `127.0.0.1:port`. */
  readonly host: string
  readonly origin: string
  readonly directory: string
  /** The access log so far, one request a line. */
  readonly log: Effect.Effect<ReadonlyArray<string>>
  /** SIGKILL, in the middle of whatever it does; until it is gone. */
  readonly kill: () => Promise<void>
}

export interface RealRegistryOptions {
  /** Default: yes. */
  readonly deletes?: boolean
  /** Distribution 2 only: takes Docker's schema 1. */
  readonly schema1?: boolean
  /** In maintenance: nothing can be written. */
  readonly readOnly?: boolean
  /** Serves what this one has stored. */
  readonly over?: Pick<RealRegistry, "directory">
  /** Lines of an htpasswd file with bcrypt hashes. */
  readonly htpasswd?: string
  /** Lets in whoever brings a token of this server. */
  readonly token?: {
    readonly realm: string
    readonly issuer: string
    readonly service: string
    /** PEM of the authority of the server's certificate. */
    readonly authority: string
  }
  readonly tls?: {
    readonly certificate: string
    readonly key: string
    /** Only clients with a certificate of this authority are let in. */
    readonly clients?: string
  }
}

// JSON is YAML
const configuration = (directory: string, options: RealRegistryOptions) =>
  JSON.stringify({
    version: 0.1,
    log: { level: "info", formatter: "json", accesslog: { disabled: false } },
    storage: {
      filesystem: { rootdirectory: join(options.over?.directory ?? directory, "data") },
      delete: { enabled: options.deletes ?? true },
      ...(options.readOnly === true ? { maintenance: { readonly: { enabled: true } } } : {})
    },
    http: {
      addr: "127.0.0.1:0",
      secret: "test",
      ...(options.tls === undefined
        ? {}
        : {
          tls: {
            certificate: join(directory, "tls.crt"),
            key: join(directory, "tls.key"),
            ...(options.tls.clients === undefined ? {} : { clientcas: [join(directory, "clients.crt")] })
          }
        })
    },
    ...(options.schema1 === true ? { compatibility: { schema1: { enabled: true } } } : {}),
    ...(options.htpasswd === undefined
      ? {}
      : { auth: { htpasswd: { realm: "test", path: join(directory, "htpasswd") } } }),
    ...(options.token === undefined ? {} : {
      auth: {
        token: {
          realm: options.token.realm,
          issuer: options.token.issuer,
          service: options.token.service,
          rootcertbundle: join(directory, "token.crt")
        }
      }
    })
  })

/** Runs the program until the scope ends. */
export const startRegistry = (
  program: Program,
  options: RealRegistryOptions = {}
): Effect.Effect<RealRegistry, never, Scope.Scope> =>
  Effect.gen(function*() {
    const directory = yield* Effect.acquireRelease(
      Effect.promise(() => mkdtemp(join(room, "image-cloner-registry-"))),
      (it) => Effect.promise(() => rm(it, { recursive: true, force: true }))
    )
    yield* Effect.promise(async () => {
      await writeFile(join(directory, "config.yml"), configuration(directory, options))
      if (options.htpasswd !== undefined) await writeFile(join(directory, "htpasswd"), options.htpasswd)
      if (options.token !== undefined) await writeFile(join(directory, "token.crt"), options.token.authority)
      if (options.tls !== undefined) {
        await writeFile(join(directory, "tls.crt"), options.tls.certificate)
        await writeFile(join(directory, "tls.key"), options.tls.key)
        await writeFile(join(directory, "clients.crt"), options.tls.clients ?? "")
      }
    })
    const lines: Array<string> = []
    const port = yield* Effect.acquireRelease(
      Effect.callback<{ readonly port: string; readonly stop: () => Promise<void> }>((resume) => {
        const child = spawn(program.path ?? "", ["serve", join(directory, "config.yml")], {
          env: { ...process.env, OTEL_TRACES_EXPORTER: "none" },
          stdio: ["ignore", "pipe", "pipe"]
        })
        const ended = new Promise<void>((done) => child.once("exit", () => done()))
        const stop = () => {
          child.kill("SIGKILL")
          return ended
        }
        let rest = ""
        const read = (chunk: Buffer) => {
          rest += chunk.toString()
          const parts = rest.split("\n")
          rest = parts.pop() ?? ""
          for (const line of parts) {
            lines.push(line)
            const found = /listening on 127\.0\.0\.1:(\d+)/.exec(line)?.[1]
            if (found !== undefined) resume(Effect.succeed({ port: found, stop }))
          }
        }
        child.stdout.on("data", read)
        child.stderr.on("data", read)
        child.once("error", (error) => resume(Effect.die(error)))
        child.once("exit", (code) => resume(Effect.die(new Error(`registry ended (${code}): ${lines.join("\n")}`))))
      }),
      ({ stop }) => Effect.promise(stop)
    )
    const host = `127.0.0.1:${port.port}`
    return {
      host,
      origin: `${options.tls === undefined ? "http" : "https"}://${host}`,
      directory: options.over?.directory ?? directory,
      log: Effect.sync(() => [...lines]),
      kill: port.stop
    }
  })

/** A blob's or manifest's bytes straight from the registry's files. */
export const storedBlob = (registry: RealRegistry, digest: string): Effect.Effect<Buffer> => {
  const [algorithm = "", hex = ""] = digest.split(":")
  return Effect.promise(() =>
    readFile(join(registry.directory, "data/docker/registry/v2/blobs", algorithm, hex.slice(0, 2), hex, "data"))
  )
}
