// Puts a test image into a registry over HTTP, the plain way; independent of the client under test.
import { Effect } from "effect"
import type { TestImage } from "./TestImages.ts"

export interface PushTarget {
  /** e.g. `http://127.0.0.1:5000`. */
  readonly origin: string
  readonly repository: string
  readonly tag?: string
  readonly authorization?: string
  /** Sends the requests: `fetch` unless the registry needs an authority of its own. */
  readonly send?: typeof fetch
}

const ok = async (what: string, answer: Promise<Response>): Promise<Response> => {
  const response = await answer
  if (response.ok) return response
  // a test helper: the rejection fails the test with the registry's own words
  return Promise.reject(new Error(`${what}: ${response.status} ${await response.text()}`))
}

/** Pushes blobs, manifests by digest, and the tag. */
export const pushImage = (target: PushTarget, image: TestImage): Effect.Effect<void> =>
  Effect.promise(async () => {
    const send = target.send ?? fetch
    const base = `${target.origin}/v2/${target.repository}`
    const headers: Record<string, string> = target.authorization === undefined
      ? {}
      : { authorization: target.authorization }
    for (const blob of image.blobs) {
      const start = await ok("start", send(`${base}/blobs/uploads/`, { method: "POST", headers }))
      const location = new URL(start.headers.get("location") ?? "", `${base}/`)
      location.searchParams.set("digest", blob.digest)
      await ok("put", send(location, { method: "PUT", headers, body: new Uint8Array(blob.bytes) }))
    }
    const put = (reference: string, manifest: TestImage["root"]) =>
      ok(
        "manifest",
        send(`${base}/manifests/${reference}`, {
          method: "PUT",
          headers: { ...headers, "content-type": manifest.mediaType },
          body: new Uint8Array(manifest.bytes)
        })
      )
    for (const manifest of image.manifests) await put(manifest.digest, manifest)
    if (target.tag !== undefined) await put(target.tag, image.root)
  })
