// GET, HEAD and DELETE /v2/<name>/blobs/<digest>, with ranges. Source: distribution-spec 1.1 end-2, end-10; RFC 9110 §14.
import { Effect } from "effect"
import type { Exchange, Reply } from "../server/Exchange.ts"
import * as Exchanges from "../server/Exchange.ts"
import * as Blobs from "./BlobStorage.ts"
import { OciError } from "./OciError.ts"
import type { State } from "./State.ts"
import * as States from "./State.ts"

/** First and last byte that a Range header asks of `size` bytes; "all" without a (readable) one, "none" for 416. */
const rangeOf = (header: string | undefined, size: number): "all" | "none" | { start: number; end: number } => {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "")
  const [, first = "", last = ""] = match ?? []
  // Several ranges or none that can be read: a server may answer with everything.
  if (match === null || (first === "" && last === "")) return "all"
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first)
  const end = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1)
  return start >= size || end < start ? "none" : { start, end }
}

export const blob = Effect.fnUntraced(function*(
  state: State,
  exchange: Exchange,
  name: string,
  digest: string
): Effect.fn.Return<Reply, OciError> {
  if (!Blobs.isDigest(digest)) return yield* new OciError({ code: "DIGEST_INVALID", detail: `${digest} is no digest` })
  const deleting = exchange.method === "DELETE"
  yield* state.access.check(exchange, name, deleting ? "delete" : "pull")
  const repository = yield* States.existing(state, name)
  const size = state.storage.size(digest)
  if (!repository.blobs.has(digest) || size === undefined) {
    return yield* new OciError({ code: "BLOB_UNKNOWN", detail: `blob unknown to registry: ${digest}` })
  }
  if (deleting) {
    repository.blobs.delete(digest)
    const linked = [...state.repositories.values()].some((it) => it.blobs.has(digest))
    if (!linked) state.storage.remove(digest)
    return Exchanges.empty(202)
  }
  const headers = {
    "accept-ranges": "bytes",
    "content-type": "application/octet-stream",
    "docker-content-digest": digest,
    etag: `"${digest}"`
  }
  const range = exchange.method === "HEAD" ? "all" : rangeOf(exchange.headers.range, size)
  if (range === "none") {
    return yield* new OciError({
      code: "RANGE_INVALID",
      detail: "the range is outside the blob",
      headers: { "content-range": `bytes */${size}` }
    })
  }
  if (range === "all") {
    const body = size === 0 ? undefined : state.storage.body(digest, 0, size - 1)
    return { status: 200, headers: { ...headers, "content-length": String(size) }, body }
  }
  return {
    status: 206,
    headers: {
      ...headers,
      "content-length": String(range.end - range.start + 1),
      "content-range": `bytes ${range.start}-${range.end}/${size}`
    },
    body: state.storage.body(digest, range.start, range.end)
  }
})
