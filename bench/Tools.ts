// How each tool is told to copy images from one registry to another: ours, crane and skopeo, as their users run them.
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import { type Command, flags, node, program } from "./Measure.ts"

/** One side of a copy as the tools reach it. */
export interface Side {
  /** `127.0.0.1:port`. */
  readonly host: string
}

export interface Job {
  readonly source: Side
  readonly target: Side
  /** `repository:tag` at the source. */
  readonly images: ReadonlyArray<string>
  /** Folder with `ca.crt`, `certs.d` of both hosts and an empty docker configuration; undefined: plain HTTP. */
  readonly tls: string | undefined
  /** An empty folder, and the one of the compile cache. */
  readonly home: string
  readonly cache: string
}

export interface Tool {
  readonly name: string
  readonly command: (job: Job) => { readonly command: Command; readonly env: Record<string, string> }
  /** Where it puts an image. */
  readonly repositoryOf: (job: Job, image: string) => string
}

const craneAt = [join(homedir(), "go/bin/crane"), "/usr/local/bin/crane", "/usr/bin/crane"].find(existsSync)

const atOnce = 5

/** One process an image, so many at a time: what a script around these tools does. */
const each = (pairs: ReadonlyArray<readonly [string, string]>, command: string): Command =>
  pairs.length === 1
    ? ["sh", "-c", `exec ${command}`, "sh", ...(pairs[0] ?? [])]
    : [
      "sh",
      "-c",
      `printf '%s\\n' "$@" | xargs -P ${atOnce} -n 2 sh -c 'exec ${command}' sh`,
      "sh",
      ...pairs.flat()
    ]

const ours: Tool = {
  name: "ours",
  repositoryOf: (job, image) => `copies/${job.source.host.replace(":", "_")}/${image.replace(/:.*/, "")}`,
  command: ({ cache, home, images, source, target, tls }) => ({
    command: [
      node,
      ...flags,
      program,
      "clone",
      ...images.map((it) => `${source.host}/${it}`),
      "--to",
      `${target.host}/copies`,
      "--output",
      "json"
    ],
    env: {
      DOCKER_CONFIG: home,
      NODE_COMPILE_CACHE: cache,
      MALLOC_ARENA_MAX: "1",
      ...(tls === undefined ? { PLAIN_HTTP_REGISTRIES: `${source.host},${target.host}` } : { CERTS_DIR: tls })
    }
  })
}

const crane: Tool = {
  name: "crane",
  repositoryOf: (_, image) => `crane/${image.replace(/:.*/, "")}`,
  command: ({ home, images, source, target, tls }) => ({
    command: each(
      images.map((it) => [`${source.host}/${it}`, `${target.host}/crane/${it}`]),
      `${craneAt} copy "$1" "$2"`
    ),
    env: { HOME: home, DOCKER_CONFIG: home, ...(tls === undefined ? {} : { SSL_CERT_FILE: join(tls, "ca.crt") }) }
  })
}

const skopeo: Tool = {
  name: "skopeo",
  repositoryOf: (_, image) => `skopeo/${image.replace(/:.*/, "")}`,
  command: ({ home, images, source, target, tls }) => ({
    command: each(
      images.map((it) => [`docker://${source.host}/${it}`, `docker://${target.host}/skopeo/${it}`]),
      `skopeo copy --quiet ${tls === undefined ? "--src-tls-verify=false --dest-tls-verify=false" : ""} "$1" "$2"`
    ),
    env: { HOME: home, ...(tls === undefined ? {} : { SSL_CERT_FILE: join(tls, "ca.crt") }) }
  })
}

/** The tools that are there; ours first. */
export const tools: ReadonlyArray<Tool> = [
  ours,
  ...(craneAt === undefined ? [] : [crane]),
  ...(spawnSync("skopeo", ["--version"]).status === 0 ? [skopeo] : [])
]
