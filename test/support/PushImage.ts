// Puts a test image into a registry over HTTP, the plain way; independent of the client under test.
import { Effect } from "effect"
import { Agent, request } from "undici"
import type { TestImage } from "./TestImages.ts"

export interface PushTarget {
  /** e.g. `http://127.0.0.1:5000`. */
  readonly origin: string
  readonly repository: string
  readonly tag?: string
  readonly authorization?: string
  /** PEM of the authority that a TLS registry's certificate is from. */
  readonly ca?: string
}

/** Pushes blobs, manifests by digest, and the tag. */
export const pushImage = (target: PushTarget, image: TestImage): Effect.Effect<void> =>
  Effect.gen(function*() {
    const agent = yield* Effect.acquireRelease(
      Effect.sync(() =>
        new Agent({ allowH2: false, ...(target.ca === undefined ? {} : { connect: { ca: target.ca } }) })
      ),
      (it) => Effect.promise(() => it.close())
    )
    const base = `${target.origin}/v2/${target.repository}`
    const common: Record<string, string> = target.authorization === undefined
      ? {}
      : { authorization: target.authorization }

    const send = Effect.fnUntraced(function*(
      method: "POST" | "PUT",
      url: string | URL,
      body: Uint8Array | null = null,
      headers: Record<string, string> = {}
    ) {
      const answer = yield* Effect.promise(() =>
        request(url, { dispatcher: agent, method, headers: { ...common, ...headers }, body })
      )
      const text = yield* Effect.promise(() => answer.body.text())
      if (answer.statusCode >= 300) {
        return yield* Effect.die(new Error(`${method} ${url}: ${answer.statusCode} ${text}`))
      }
      return String(answer.headers["location"] ?? "")
    })

    yield* Effect.forEach(image.blobs, (blob) =>
      Effect.gen(function*() {
        const location = new URL(yield* send("POST", `${base}/blobs/uploads/`), `${base}/`)
        location.searchParams.set("digest", blob.digest)
        yield* send("PUT", location, blob.bytes, { "content-type": "application/octet-stream" })
      }), { discard: true })
    const put = (reference: string, manifest: TestImage["root"]) =>
      send("PUT", `${base}/manifests/${reference}`, manifest.bytes, { "content-type": manifest.mediaType })
    yield* Effect.forEach(image.manifests, (it) => put(it.digest, it), { discard: true })
    if (target.tag !== undefined) yield* put(target.tag, image.root)
  }).pipe(Effect.scoped)
