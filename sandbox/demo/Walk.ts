// Walk: reads an image whole from a registry, all platforms, and hashes every byte. Written apart from the program's own
// client on purpose: it is what that one is judged by.
import { Effect } from "effect"
import { createHash } from "node:crypto"
import { request } from "undici"
import * as J from "../Json.ts"
import { DemoFailed } from "./Cluster.ts"

export interface Walked {
  readonly image: string
  readonly manifests: number
  readonly blobs: number
  readonly bytes: number
}

const accept = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json"
].join(", ")

const sha256 = (content: Uint8Array): string => `sha256:${createHash("sha256").update(content).digest("hex")}`

/** Reads everything below `host/repository:tag` or `@digest`, over plain HTTP. */
export const walk = Effect.fnUntraced(function*(
  image: string,
  login: { readonly username: string; readonly password: string }
): Effect.fn.Return<Walked, DemoFailed> {
  const slash = image.indexOf("/")
  const host = image.slice(0, slash)
  const [name = "", pinned] = image.slice(slash + 1).split("@")
  const [repository = "", tag = "latest"] = name.split(":")
  const authorization = `Basic ${Buffer.from(`${login.username}:${login.password}`).toString("base64")}`

  const get = (path: string) =>
    Effect.tryPromise({
      try: async () => {
        const answer = await request(`http://${host}/v2/${repository}/${path}`, { headers: { accept, authorization } })
        return { status: answer.statusCode, body: new Uint8Array(await answer.body.arrayBuffer()) }
      },
      catch: (cause) => new DemoFailed({ what: `${image}: ${path} cannot be read: ${String(cause)}` })
    }).pipe(Effect.filterOrFail(
      ({ status }) => status === 200,
      ({ status }) => new DemoFailed({ what: `${image}: ${path} is answered with ${status}` })
    ))

  const whole = (path: string, digest: string | undefined) =>
    Effect.flatMap(get(path), ({ body }) =>
      digest === undefined || sha256(body) === digest
        ? Effect.succeed(body)
        : Effect.fail(new DemoFailed({ what: `${image}: ${path} has the digest ${sha256(body)}` })))

  const waiting: Array<string> = [pinned ?? tag]
  const blobs = new Map<string, number>()
  let manifests = 0
  while (waiting.length > 0) {
    const reference = waiting.pop() ?? ""
    const body = yield* whole(`manifests/${reference}`, reference.startsWith("sha256:") ? reference : undefined)
    manifests++
    const document = J.parse(new TextDecoder().decode(body)) ?? {}
    waiting.push(...J.list(document, "manifests").map((it) => J.text(it, "digest") ?? ""))
    for (const blob of [J.at(document, "config"), ...J.list(document, "layers")]) {
      const digest = J.text(blob, "digest")
      if (digest === undefined || blobs.has(digest)) continue
      blobs.set(digest, (yield* whole(`blobs/${digest}`, digest)).length)
    }
  }
  return { image, manifests, blobs: blobs.size, bytes: [...blobs.values()].reduce((sum, it) => sum + it, 0) }
})
