// Pulls images as a container runtime does: over HTTP(S), with the credentials it is given, for one platform, hashing
// every byte. Written apart from the program's own registry client on purpose: it is what that one is judged by.
// Knows no pods. What was pulled is remembered by reference and by blob, as a node's image store does.
import { Data, Effect, Redacted } from "effect"
import type { Scope } from "effect"
import { createHash } from "node:crypto"
import { Agent, request } from "undici"
import type { Dispatcher } from "undici"
import type { Json } from "../Json.ts"
import * as J from "../Json.ts"
import { wordsOf } from "./RuntimeWords.ts"

export interface Login {
  readonly username: string
  readonly password: Redacted.Redacted
}

/** Why an image could not be pulled. `cancelled` by nobody: every failure may be tried again. */
export class PullError extends Data.TaggedError("PullError")<{
  readonly image: string
  readonly detail: string
  /** The registry wants another login, or one at all. */
  readonly denied: boolean
}> {
  override get message() {
    return `failed to pull and unpack image "${this.image}": ${this.detail}`
  }
}

export interface Pulled {
  /** Complete reference, as the runtime reports it: "docker.io/library/nginx:1.27". */
  readonly reference: string
  /** "docker.io/library/nginx" */
  readonly repository: string
  /** Of what the reference resolved to: the index, where there is one. */
  readonly digest: string
  readonly manifest: string
  readonly config: string
  readonly bytes: number
}

export interface PullerOptions {
  /** Spoken to without TLS, as "host" or "host:port"; loopback always is, unless `ca` is given. */
  readonly plainHttp?: ReadonlyArray<string>
  /** PEM of a certificate authority to trust. */
  readonly ca?: string
  /** Where a host really is: "docker.io" to "127.0.0.1:5000". */
  readonly hosts?: Readonly<Record<string, string>>
  readonly architecture?: string
}

export interface Puller {
  /** Pulls with the first login that the registry takes; without any when there are none. */
  readonly pull: (
    image: string,
    logins: (host: string, repository: string) => ReadonlyArray<Login>
  ) => Effect.Effect<Pulled, PullError>
  /** What was pulled under this reference before. */
  readonly present: (image: string) => Pulled | undefined
  /** Forgets every image and blob, as an image garbage collection does. */
  readonly prune: Effect.Effect<void>
  /** How many manifests and blobs came over the wire. */
  readonly fetched: () => number
}

interface Reference {
  readonly host: string
  readonly repository: string
  /** Tag or digest. */
  readonly version: string
  readonly complete: string
}

const accept = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json"
].join(", ")

/** Docker's short forms made complete; undefined for what is no reference. */
export const parse = (image: string): Reference | undefined => {
  const [name = "", digest] = image.split("@")
  const slash = name.indexOf("/")
  const first = slash < 0 ? "" : name.slice(0, slash)
  const hasHost = first.includes(".") || first.includes(":") || first === "localhost"
  const host = hasHost ? first : "docker.io"
  const path = hasHost ? name.slice(slash + 1) : name
  const colon = path.lastIndexOf(":")
  const repository = colon < 0 ? path : path.slice(0, colon)
  const tag = colon < 0 ? undefined : path.slice(colon + 1)
  const full = host === "docker.io" && !repository.includes("/") ? `library/${repository}` : repository
  if (!/^[a-z0-9]+([._/-]+[a-z0-9]+)*$/.test(full) || (tag !== undefined && !/^\w[\w.-]{0,127}$/.test(tag))) {
    return undefined
  }
  if (digest !== undefined && !/^sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})$/.test(digest)) return undefined
  const shownTag = tag ?? (digest === undefined ? "latest" : undefined)
  return {
    host,
    repository: full,
    version: digest ?? tag ?? "latest",
    complete: `${host}/${full}${shownTag === undefined ? "" : `:${shownTag}`}${
      digest === undefined ? "" : `@${digest}`
    }`
  }
}

const digestOf = (like: string, bytes: Uint8Array): string => {
  const algorithm = like.startsWith("sha512:") ? "sha512" : "sha256"
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`
}

const isLoopback = (host: string): boolean => /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/.test(host)

const parameters = (challenge: string): Record<string, string> =>
  Object.fromEntries([...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = "", value = ""]) => [key, value]))

const basic = (login: Login): string =>
  `Basic ${Buffer.from(`${login.username}:${Redacted.value(login.password)}`).toString("base64")}`

const redirected = (from: string, response: Dispatcher.ResponseData): string | undefined => {
  const location = response.headers["location"]
  const moved = response.statusCode >= 300 && response.statusCode < 400 && typeof location === "string"
  return moved ? new URL(location, from).href : undefined
}

const drain = (response: Dispatcher.ResponseData) => Effect.ignore(Effect.promise(() => response.body.dump()))

const wholeBody = (image: string, url: string, response: Dispatcher.ResponseData) =>
  Effect.tryPromise({
    try: () => response.body.bytes(),
    catch: (cause) => new PullError({ image, detail: `${url}: ${String(cause)}`, denied: false })
  })

export const make = Effect.fnUntraced(
  function*(options: PullerOptions = {}): Effect.fn.Return<Puller, never, Scope.Scope> {
    const agent = yield* Effect.acquireRelease(
      Effect.sync(() => new Agent({ allowH2: false, connect: options.ca === undefined ? {} : { ca: options.ca } })),
      (it) => Effect.promise(() => it.destroy())
    )
    const images = new Map<string, Pulled>()
    const blobs = new Set<string>()
    let fetched = 0

    const baseOf = (host: string): string => {
      const at = options.hosts?.[host] ?? (host === "docker.io" ? "registry-1.docker.io" : host)
      const plain = options.plainHttp?.includes(host) === true || (options.ca === undefined && isLoopback(at))
      return `${plain ? "http" : "https"}://${at}`
    }

    const fetchOnce = (image: string, url: string, headers: Record<string, string>) =>
      Effect.tryPromise({
        try: (signal) =>
          request(url, { dispatcher: agent, headers, signal, headersTimeout: 30_000, bodyTimeout: 30_000 }),
        catch: (cause) => new PullError({ image, detail: wordsOf(url, cause), denied: false })
      })

    /** The header that answers the challenge; undefined when this login cannot. */
    const authorize = Effect.fnUntraced(function*(image: string, challenge: string, login: Login | undefined) {
      if (/^basic/i.test(challenge)) return login === undefined ? undefined : basic(login)
      const { realm = "", scope = "", service = "" } = parameters(challenge)
      const query = new URLSearchParams({ service, scope })
      const url = `${realm}?${query.toString()}`
      const answer = yield* fetchOnce(image, url, login === undefined ? {} : { authorization: basic(login) })
      const body = J.parse(Buffer.from(yield* wholeBody(image, url, answer)).toString("utf8"))
      const token = J.text(body, "token") ?? J.text(body, "access_token")
      return answer.statusCode === 200 && token !== undefined ? `Bearer ${token}` : undefined
    })

    /** One login's session with one repository: fetches with whatever header that login earns. */
    const session = (image: string, base: string, login: Login | undefined) => {
      let authorization: string | undefined
      const headers = () => ({ accept, ...(authorization === undefined ? {} : { authorization }) })
      const get = Effect.fnUntraced(function*(path: string) {
        const url = `${base}${path}`
        let response = yield* fetchOnce(image, url, headers())
        if (response.statusCode === 401) {
          yield* drain(response)
          authorization = yield* authorize(image, String(response.headers["www-authenticate"] ?? ""), login)
          response = yield* fetchOnce(image, url, headers())
        }
        // The token stays here: what a redirect leads to gets none.
        const elsewhere = redirected(url, response)
        if (elsewhere !== undefined) {
          yield* drain(response)
          response = yield* fetchOnce(image, elsewhere, { accept })
        }
        if (response.statusCode !== 200) {
          yield* drain(response)
          const denied = response.statusCode === 401 || response.statusCode === 403
          const why = denied
            ? "pull access denied, repository does not exist or may require authorization"
            : response.statusCode === 404
            ? "not found"
            : `unexpected status from GET request to ${url}: ${response.statusCode}`
          return yield* new PullError({ image, detail: why, denied })
        }
        fetched++
        return { response, url }
      })
      const bytes = Effect.fnUntraced(function*(path: string) {
        const { response, url } = yield* get(path)
        return yield* wholeBody(image, url, response)
      })
      return { get, bytes }
    }

    type Session = ReturnType<typeof session>

    const manifest = Effect.fnUntraced(function*(image: string, at: Session, repository: string, version: string) {
      const content = yield* at.bytes(`/v2/${repository}/manifests/${version}`)
      const digest = digestOf(version, content)
      if (version.includes(":") && digest !== version) {
        return yield* new PullError({ image, detail: `manifest has digest ${digest}, not ${version}`, denied: false })
      }
      const document: Json = J.parse(Buffer.from(content).toString("utf8")) ?? null
      return { digest, document, size: content.length }
    })

    const blob = Effect.fnUntraced(function*(image: string, at: Session, repository: string, descriptor: Json) {
      const digest = J.text(descriptor, "digest") ?? ""
      const size = J.number(descriptor, "size") ?? 0
      if (blobs.has(digest)) return 0
      const { response, url } = yield* at.get(`/v2/${repository}/blobs/${digest}`)
      const hash = createHash(digest.startsWith("sha512:") ? "sha512" : "sha256")
      let received = 0
      yield* Effect.tryPromise({
        try: async () => {
          for await (const chunk of response.body) {
            hash.update(chunk)
            received += chunk.length
          }
        },
        catch: (cause) => new PullError({ image, detail: `${url}: ${String(cause)}`, denied: false })
      })
      const actual = `${digest.slice(0, digest.indexOf(":"))}:${hash.digest("hex")}`
      if (actual !== digest || received !== size) {
        const detail = `blob ${digest} of ${size} bytes came as ${actual} of ${received} bytes`
        return yield* new PullError({ image, detail, denied: false })
      }
      blobs.add(digest)
      return received
    })

    const attempt = Effect.fnUntraced(function*(image: string, reference: Reference, login: Login | undefined) {
      const { repository } = reference
      const at = session(image, baseOf(reference.host), login)
      const top = yield* manifest(image, at, repository, reference.version)
      let found = top
      // An index may hold indexes; four are more than anybody nests.
      for (let depth = 0; depth < 4 && J.at(found.document, "manifests") !== undefined; depth++) {
        const child = J.list(found.document, "manifests").find((it) => {
          const platform = J.object(it, "platform")
          const fits = platform["os"] === "linux" && platform["architecture"] === (options.architecture ?? "amd64")
          return fits || J.at(it, "platform") === undefined
        })
        const digest = J.text(child, "digest")
        if (digest === undefined) {
          return yield* new PullError({ image, detail: "no match for platform in manifest: not found", denied: false })
        }
        found = yield* manifest(image, at, repository, digest)
      }
      const config = J.object(found.document, "config")
      const parts: ReadonlyArray<Json> = [config, ...J.list(found.document, "layers")]
      const sizes = yield* Effect.forEach(parts, (it) => blob(image, at, repository, it), { concurrency: 3 })
      const pulled: Pulled = {
        reference: reference.complete,
        repository: `${reference.host}/${repository}`,
        digest: top.digest,
        manifest: found.digest,
        config: J.text(config, "digest") ?? "",
        bytes: sizes.reduce((sum, it) => sum + it, top.size)
      }
      images.set(image, pulled)
      return pulled
    })

    const pull: Puller["pull"] = Effect.fnUntraced(function*(image, logins) {
      const reference = parse(image)
      if (reference === undefined) {
        return yield* new PullError({ image, detail: "invalid reference format", denied: false })
      }
      const [first, ...others] = logins(reference.host, reference.repository)
      let result = attempt(image, reference, first)
      for (const login of others) {
        result = result.pipe(
          Effect.catchIf((error) => error.denied, () => attempt(image, reference, login))
        )
      }
      return yield* result
    })

    return {
      pull,
      present: (image) => images.get(image),
      prune: Effect.sync(() => {
        images.clear()
        blobs.clear()
      }),
      fetched: () => fetched
    }
  }
)
