// The servers that are held to the distribution specification, and what a server may do there: every freedom that the
// specification leaves, or that is taken nevertheless, is one line of the table below. The tests ask it and know no names.
import { Effect, type Scope } from "effect"
import { createHash } from "node:crypto"
import * as EmbeddedRegistry from "../../../sandbox/registry/EmbeddedRegistry.ts"
import * as SampleImage from "../../../sandbox/registry/SampleImage.ts"
import { distribution2, distribution3, type Program, startRegistry } from "../../support/RealRegistry.ts"
import { type Answer, type RequestFailed, send } from "../Http.ts"

interface May {
  /** `POST …?digest=` stores the blob (201), or opens a session all the same (202). */
  readonly singlePost: 201 | 202
  /** A mount that does not say from where finds the blob (201), or opens a session (202). */
  readonly mountFromAnywhere: 201 | 202
  /** Looks at the Content-Range of chunks at all; who does not appends whatever comes. */
  readonly checksChunks: boolean
  /** A manifest of more than 4 MiB. */
  readonly tooLarge: 400 | 413
  /** A digest that is none, where a manifest is asked for: refused, not found, or the server fails. */
  readonly noDigest: 400 | 404 | 500
  /** The same where one is pushed. */
  readonly noDigestPut: 400 | 500
  /** An index for who does not accept one: not found (404), or served all the same. */
  readonly unaccepted: 200 | 404
  /** The answer to a range outside of the blob announces a body that does not come. */
  readonly breaksRange: boolean
  /** Manifests that name layers which may be elsewhere, unless it is told which places are right. */
  readonly foreignLayers: boolean
  /** Manifests by sha512; blobs are taken by all. */
  readonly sha512Manifests: boolean
  /** The API that lists referrers, with the OCI-Subject header that goes with it. Without it: 404, and the list under a tag is the client's. */
  readonly referrers: boolean
  /** Tags of a repository that has manifests only: an empty list, or no such name. */
  readonly noTags: 200 | 404
  /** Lists of tags come in pages; who has none ignores `n` and `last`. */
  readonly pages: boolean
  /** A page that ends with the last tag leads to an empty one. */
  readonly emptyLastPage: boolean
  /** A tag can be deleted without its manifest (202), or not at all. */
  readonly deleteTag: 202 | 400 | 405
}

export interface Server {
  readonly name: string
  readonly skipped: boolean
  readonly may: May
  /** A fresh one, empty; its origin. */
  readonly start: (options?: { readonly deletes?: boolean }) => Effect.Effect<string, never, Scope.Scope>
}

const real = (program: Program, may: May): Server => ({
  name: program.name,
  skipped: program.path === undefined,
  may,
  start: (options) => Effect.map(startRegistry(program, options ?? {}), (it) => it.origin)
})

const distribution: May = {
  singlePost: 202,
  mountFromAnywhere: 202,
  checksChunks: true,
  tooLarge: 400,
  noDigest: 400,
  noDigestPut: 400,
  unaccepted: 200,
  breaksRange: false,
  foreignLayers: false,
  sha512Manifests: false,
  referrers: false,
  noTags: 404,
  pages: true,
  emptyLastPage: true,
  deleteTag: 202
}

export const servers: ReadonlyArray<Server> = [
  {
    name: "the embedded registry",
    skipped: false,
    may: {
      singlePost: 201,
      mountFromAnywhere: 202,
      checksChunks: true,
      tooLarge: 413,
      noDigest: 404,
      noDigestPut: 400,
      unaccepted: 404,
      breaksRange: false,
      foreignLayers: true,
      sha512Manifests: true,
      referrers: true,
      noTags: 200,
      pages: true,
      emptyLastPage: false,
      deleteTag: 202
    },
    start: (options) => Effect.map(Effect.orDie(EmbeddedRegistry.make(options ?? {})), (it) => it.url)
  },
  real(distribution2, {
    ...distribution,
    checksChunks: false,
    noDigest: 500,
    noDigestPut: 500,
    unaccepted: 404,
    breaksRange: true,
    pages: false,
    deleteTag: 400
  }),
  real(distribution3, distribution)
]

export const sha = (content: Uint8Array | string, algorithm = "sha256"): string =>
  `${algorithm}:${createHash(algorithm).update(content).digest("hex")}`

/** Bytes of a size, different for different words. */
export const bytesOf = (words: string, size: number): Buffer =>
  Buffer.from(SampleImage.layer(words, size)).subarray(0, size)

export type Send = (method: string, path: string, options?: {
  readonly headers?: Record<string, string>
  readonly body?: Uint8Array | string | ReadableStream<Uint8Array>
}) => Effect.Effect<Answer, RequestFailed>

/** Requests to one server; a path may be a Location as it was given, absolute or not. */
export const client = (origin: string): Send => (method, path, options = {}) =>
  send(path.startsWith("http") ? path : `${origin}${path}`, {
    method,
    ...(options.headers === undefined ? {} : { headers: options.headers }),
    ...(options.body === undefined
      ? {}
      : options.body instanceof ReadableStream
      // Node's fetch wants this said for a body without a length
      ? { body: options.body, duplex: "half" as const }
      : { body: typeof options.body === "string" ? options.body : Uint8Array.from(options.body) })
  })

export const locationOf = (answer: Answer): string => answer.headers.get("location") ?? ""

/** A Location with the digest behind it: appended as text, never rebuilt. */
export const closing = (location: string, digest: string): string =>
  `${location}${location.includes("?") ? "&" : "?"}digest=${encodeURIComponent(digest)}`

/** Starts an upload. */
export const opened = (ask: Send, name: string) =>
  Effect.map(ask("POST", `/v2/${name}/blobs/uploads/`), (it) => ({ answer: it, location: locationOf(it) }))

/** Puts a blob there in the way that all take. */
export const putBlob = Effect.fnUntraced(function*(ask: Send, name: string, content: Uint8Array, algorithm = "sha256") {
  const { location } = yield* opened(ask, name)
  const digest = sha(content, algorithm)
  const answer = yield* ask("PUT", closing(location, digest), {
    headers: { "content-type": "application/octet-stream" },
    body: content
  })
  return { answer, digest }
})

export const putManifest = (
  ask: Send,
  name: string,
  reference: string,
  manifest: { readonly bytes: Uint8Array | string; readonly mediaType: string }
) =>
  ask("PUT", `/v2/${name}/manifests/${reference}`, {
    headers: { "content-type": manifest.mediaType },
    body: manifest.bytes
  })

/** Puts an image with all below it there, by its digest and under these tags. */
export const putImage = Effect.fnUntraced(
  function*(ask: Send, name: string, image: SampleImage.Image, ...tags: ReadonlyArray<string>) {
    for (const blob of image.blobs) yield* putBlob(ask, name, blob)
    for (const child of image.children) yield* putManifest(ask, name, child.digest, child)
    let last = yield* putManifest(ask, name, image.manifest.digest, image.manifest)
    for (const tag of tags) last = yield* putManifest(ask, name, tag, image.manifest)
    return last
  }
)

/** Status and first code of an error, as `404 BLOB_UNKNOWN`; checks the body's form. */
export const errorOf = (answer: Answer): string => {
  const { errors } = answer.json()
  const [first] = errors
  const fit = /json/.test(answer.headers.get("content-type") ?? "") && /^[A-Z_]+$/.test(first.code)
  return fit ? `${answer.status} ${first.code}` : `${answer.status} malformed`
}
