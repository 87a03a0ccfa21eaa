// A registry whose every answer a test can replace: in memory, over node:http or node:https, counting what it is asked.
// Edge: just enough of the distribution specification; the embedded registry of sandbox/ is the complete one.
import { Effect, type Scope } from "effect"
import { createHash, randomUUID } from "node:crypto"
import * as http from "node:http"
import * as https from "node:https"
import type { AddressInfo } from "node:net"
import { TLSSocket } from "node:tls"
import type { TestImage } from "./TestImages.ts"

/** One request as it came. */
export interface Seen {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
  /** Name of the client certificate that was shown on the connection. */
  readonly client?: string
}

/** Answers in place of the registry; calling `next` lets the registry answer after all. */
export type Handler = (seen: Seen, response: http.ServerResponse, next: () => void) => void

export interface FakeServer {
  /** `127.0.0.1:port`. */
  readonly host: string
  readonly origin: string
  readonly seen: ReadonlyArray<Seen>
}

export interface FakeRegistry extends FakeServer {
  /** Puts an image there without any request. */
  readonly add: (repository: string, image: TestImage, ...tags: ReadonlyArray<string>) => void
  readonly remove: (repository: string, reference: string) => void
  readonly manifest: (repository: string, reference: string) => Buffer | undefined
  readonly blob: (repository: string, digest: string) => Buffer | undefined
  /** Replaces the answer to requests that match `METHOD /path`, `times` times (default: always). The latest wins. */
  readonly on: (pattern: RegExp, handler: Handler, times?: number) => void
  /** How many requests matched `METHOD /path?query`. */
  readonly count: (pattern: RegExp) => number
  /** Forgets the requests so far. */
  readonly forget: () => void
}

export interface Tls {
  readonly certificate: string
  readonly key: string
  /** Asks for client certificates, and trusts those of this authority. */
  readonly clients?: string
  /** Whoever shows none is sent away. */
  readonly clientsOnly?: boolean
}

const readBody = (request: http.IncomingMessage, then: (body: Buffer) => void): void => {
  const chunks: Array<Buffer> = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk))
  request.on("end", () => then(Buffer.concat(chunks)))
}

const clientOf = ({ socket }: http.IncomingMessage): { readonly client?: string } => {
  const name = socket instanceof TLSSocket ? socket.getPeerCertificate()?.subject?.CN : undefined
  return typeof name === "string" ? { client: name } : {}
}

/** A bare server for token realms, storage hosts and the like. */
export const startServer = (
  answer: (seen: Seen, response: http.ServerResponse) => void,
  tls?: Tls,
  hooks: {
    /** Called before a body is read; true: answered. */
    readonly early?: (
      request: http.IncomingMessage,
      seen: Omit<Seen, "body">,
      response: http.ServerResponse
    ) => boolean
  } = {}
): Effect.Effect<FakeServer & { readonly forget: () => void }, never, Scope.Scope> =>
  Effect.gen(function*() {
    const seen: Array<Seen> = []
    const listener = (request: http.IncomingMessage, response: http.ServerResponse) => {
      const url = new URL(request.url ?? "/", "http://fake")
      const head = {
        method: request.method ?? "",
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        ...clientOf(request)
      }
      if (hooks.early?.(request, head, response) === true) {
        seen.push({ ...head, body: Buffer.alloc(0) })
        return
      }
      readBody(request, (body) => {
        const one = { ...head, body }
        seen.push(one)
        answer(one, response)
      })
    }
    const server = yield* Effect.acquireRelease(
      Effect.callback<http.Server>((resume) => {
        const made = tls === undefined
          ? http.createServer(listener)
          : https.createServer({
            cert: tls.certificate,
            key: tls.key,
            ...(tls.clients === undefined ? {} : {
              ca: tls.clients,
              requestCert: true,
              rejectUnauthorized: tls.clientsOnly === true
            })
          }, listener)
        made.listen(0, "127.0.0.1", () => resume(Effect.succeed(made)))
      }),
      (it) =>
        Effect.callback<void>((resume) => {
          it.close(() => resume(Effect.void))
          it.closeAllConnections()
        })
    )
    // listening on a port, so the address is not a pipe's
    const { port } = server.address() as AddressInfo
    const host = `127.0.0.1:${port}`
    return {
      host,
      origin: `${tls === undefined ? "http" : "https"}://${host}`,
      seen,
      forget: () => {
        seen.length = 0
      }
    }
  })

interface Repository {
  readonly blobs: Map<string, Buffer>
  /** What has come of uploads in chunks. */
  readonly uploads: Map<string, Buffer>
  readonly manifests: Map<string, { readonly mediaType: string; readonly bytes: Buffer }>
}

const hashOf = (algorithm: string, bytes: Buffer) => `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`
const sha256 = (bytes: Buffer) => hashOf("sha256", bytes)

/** An error as registries say it. */
export const refuse = (
  response: http.ServerResponse,
  status: number,
  code: string,
  headers: http.OutgoingHttpHeaders = {},
  message = code
) => {
  response.writeHead(status, { "content-type": "application/json", ...headers })
  response.end(JSON.stringify({ errors: [{ code, message }] }))
}

const answerManifest = (repository: Repository, reference: string, seen: Seen, response: http.ServerResponse) => {
  if (seen.method === "PUT") {
    const digest = sha256(seen.body)
    const manifest = { mediaType: String(seen.headers["content-type"]), bytes: seen.body }
    repository.manifests.set(digest, manifest).set(reference, manifest)
    response.writeHead(201, { "docker-content-digest": digest }).end()
    return
  }
  const found = repository.manifests.get(reference)
  if (found === undefined) return refuse(response, 404, "MANIFEST_UNKNOWN")
  response.writeHead(200, {
    "content-type": found.mediaType,
    "content-length": found.bytes.length,
    "docker-content-digest": sha256(found.bytes)
  })
  response.end(seen.method === "HEAD" ? undefined : found.bytes)
}

const answerBlob = (repository: Repository, digest: string, seen: Seen, response: http.ServerResponse) => {
  const found = repository.blobs.get(digest)
  if (found === undefined) return refuse(response, 404, "BLOB_UNKNOWN")
  const from = Number(/^bytes=(\d+)-$/.exec(seen.headers.range ?? "")?.[1] ?? Number.NaN)
  const part = Number.isNaN(from) ? found : found.subarray(from)
  response.writeHead(Number.isNaN(from) ? 200 : 206, {
    "content-length": part.length,
    ...(Number.isNaN(from) ? {} : { "content-range": `bytes ${from}-${found.length - 1}/${found.length}` })
  })
  response.end(seen.method === "HEAD" ? undefined : part)
}

/** Of a session: its next bytes, its end, or that nobody needs it any more. */
const answerUpload = (repository: Repository, seen: Seen, response: http.ServerResponse) => {
  const id = seen.path.split("/").at(-1) ?? ""
  const before = repository.uploads.get(id) ?? Buffer.alloc(0)
  if (seen.method === "DELETE") return response.writeHead(204).end()
  if (seen.method === "PATCH") {
    if (seen.headers["content-range"] !== `${before.length}-${before.length + seen.body.length - 1}`) {
      return refuse(response, 416, "RANGE_INVALID")
    }
    if (seen.query.get("_state") !== `${before.length === 0 ? "a+b=" : before.length}`) {
      return refuse(response, 404, "BLOB_UPLOAD_INVALID")
    }
    const after = Buffer.concat([before, seen.body])
    repository.uploads.set(id, after)
    return response.writeHead(202, { location: `${seen.path}?_state=${after.length}` }).end()
  }
  const digest = seen.query.get("digest") ?? ""
  const whole = Buffer.concat([before, seen.body])
  repository.uploads.delete(id)
  if (hashOf(digest.startsWith("sha512:") ? "sha512" : "sha256", whole) !== digest) {
    return refuse(response, 400, "DIGEST_INVALID")
  }
  repository.blobs.set(digest, whole)
  return response.writeHead(201).end()
}

/** Opens a session, unless what it is for can be mounted. */
const answerPost = (
  repository: Repository,
  neighbour: Repository,
  { path, query }: Seen,
  response: http.ServerResponse
) => {
  const mount = query.get("mount")
  const mounted = mount === null ? undefined : neighbour.blobs.get(mount)
  if (mount !== null && mounted !== undefined) {
    repository.blobs.set(mount, mounted)
    return response.writeHead(201).end()
  }
  // opaque and encoded, as Distribution's _state
  return response.writeHead(202, { location: `${path}${randomUUID()}?_state=a%2Bb%3D` }).end()
}

/** Starts an empty registry. */
export const startFakeRegistry = (tls?: Tls): Effect.Effect<FakeRegistry, never, Scope.Scope> =>
  Effect.gen(function*() {
    const repositories = new Map<string, Repository>()
    const handlers: Array<{ readonly pattern: RegExp; readonly handler: Handler; left: number }> = []
    const repositoryOf = (name: string): Repository => {
      const known = repositories.get(name)
      if (known !== undefined) return known
      const made: Repository = { blobs: new Map(), uploads: new Map(), manifests: new Map() }
      repositories.set(name, made)
      return made
    }

    const serve = (seen: Seen, response: http.ServerResponse) => {
      const [, name = "", kind, rest = ""] =
        /^\/v2\/(.+)\/(manifests|blobs\/uploads|blobs)\/([^/]*)$/.exec(seen.path) ?? []
      const repository = repositoryOf(name)
      if (kind === "manifests") answerManifest(repository, rest, seen, response)
      else if (kind === "blobs") answerBlob(repository, rest, seen, response)
      else if (kind === undefined) refuse(response, 404, "NOT_FOUND")
      else if (seen.method === "POST") {
        answerPost(repository, repositoryOf(seen.query.get("from") ?? ""), seen, response)
      } else answerUpload(repository, seen, response)
    }

    const answer = (seen: Seen, response: http.ServerResponse, from = handlers.length - 1): void => {
      for (let index = from; index >= 0; index--) {
        const it = handlers[index]
        if (it === undefined || it.left <= 0 || !it.pattern.test(`${seen.method} ${seen.path}`)) continue
        it.left--
        return it.handler(seen, response, () => answer(seen, response, index - 1))
      }
      return serve(seen, response)
    }

    const server = yield* startServer(answer, tls)
    return {
      ...server,
      add: (name, image, ...tags) => {
        const repository = repositoryOf(name)
        for (const blob of image.blobs) repository.blobs.set(blob.digest, blob.bytes)
        for (const it of image.manifests) repository.manifests.set(it.digest, it)
        for (const tag of tags) repository.manifests.set(tag, image.root)
      },
      remove: (name, reference) => {
        repositoryOf(name).manifests.delete(reference)
        repositoryOf(name).blobs.delete(reference)
      },
      manifest: (name, reference) => repositoryOf(name).manifests.get(reference)?.bytes,
      blob: (name, digest) => repositoryOf(name).blobs.get(digest),
      on: (pattern, handler, times = Infinity) => {
        handlers.push({ pattern, handler, left: times })
      },
      count: (pattern) =>
        server.seen.filter((it) => pattern.test(`${it.method} ${it.path}${it.query.size > 0 ? `?${it.query}` : ""}`))
          .length
    }
  })
