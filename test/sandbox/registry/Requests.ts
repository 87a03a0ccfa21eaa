// What the embedded registry's tests ask and send, in the words of the distribution specification, and a layer to send.
import { createHash } from "node:crypto"
import { send } from "../Http.ts"

export const sha256 = (content: Uint8Array | string) => `sha256:${createHash("sha256").update(content).digest("hex")}`
export const absolute = (url: string, location: string | null) => new URL(location ?? "", url).href
/** A Location as it was given, with the digest behind it: never rebuilt. */
export const closing = (url: string, location: string | null, digest: string) =>
  `${location?.startsWith("http") === true ? "" : url}${location ?? ""}&digest=${encodeURIComponent(digest)}`

export const content = Buffer.from("the bytes of a layer, some of them more than once: the bytes")
export const digest = sha256(content)

export const started = (url: string, name: string, query = "") =>
  send(`${url}/v2/${name}/blobs/uploads/${query}`, { method: "POST" })
export const pushBlob = (url: string, name: string, blob: Uint8Array) =>
  send(`${url}/v2/${name}/blobs/uploads/?digest=${sha256(blob)}`, { method: "POST", body: Uint8Array.from(blob) })
export const putManifest = (url: string, reference: string, bytes: Uint8Array | string, type: string) =>
  send(`${url}/v2/app/manifests/${reference}`, {
    method: "PUT",
    headers: { "content-type": type },
    body: typeof bytes === "string" ? bytes : Uint8Array.from(bytes)
  })
