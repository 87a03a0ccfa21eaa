// GET, HEAD, PUT and DELETE /v2/<name>/manifests/<reference>. Source: distribution-spec 1.1 end-3, end-7, end-9.
import { Effect } from "effect"
import type { Exchange, Reply } from "../server/Exchange.ts"
import * as Exchanges from "../server/Exchange.ts"
import { OciError } from "./OciError.ts"
import * as Repositories from "./Repository.ts"
import type { State } from "./State.ts"
import * as States from "./State.ts"

const limit = 4 * 1024 * 1024

/** A client that says what it takes must take the type; one that says nothing gets what there is. */
const accepted = (accept: string | undefined, mediaType: string): boolean => {
  if (accept === undefined) return true
  const types = new Set(accept.split(",").map((it) => it.split(";", 1).join("").trim()))
  return types.has(mediaType) || types.has("*/*") || types.has("application/*")
}

const get = Effect.fnUntraced(function*(state: State, exchange: Exchange, name: string, reference: string) {
  yield* state.access.check(exchange, name, "pull")
  const repository = yield* States.existing(state, name)
  const manifest = Repositories.find(repository, reference)
  if (manifest === undefined) {
    return yield* new OciError({ code: "MANIFEST_UNKNOWN", detail: `manifest unknown: ${reference}` })
  }
  if (!accepted(exchange.headers.accept, manifest.mediaType)) {
    return yield* new OciError({
      code: "MANIFEST_UNKNOWN",
      detail: `found ${manifest.mediaType}, but the accept header does not support it`
    })
  }
  const etag = `"${manifest.digest}"`
  if (exchange.headers["if-none-match"] === etag) return { status: 304, headers: { etag } }
  return Exchanges.bytes(200, manifest.bytes, {
    "content-type": manifest.mediaType,
    "docker-content-digest": manifest.digest,
    etag
  })
})

const put = Effect.fnUntraced(function*(state: State, exchange: Exchange, name: string, reference: string) {
  yield* state.access.check(exchange, name, "push")
  const body = yield* Exchanges.readBody(exchange, limit)
  if (body === undefined) {
    return yield* new OciError({ code: "MANIFEST_INVALID", detail: "manifests end at 4 MiB", status: 413 })
  }
  const mediaType = (exchange.headers["content-type"] ?? "").split(";", 1).join("").trim()
  // A rejected manifest must not leave an empty repository behind.
  const repository = state.repositories.get(name) ?? Repositories.make(name)
  const stored = yield* Repositories.putManifest(repository, state.storage, reference, mediaType, body)
  state.repositories.set(name, repository)
  return Exchanges.empty(201, {
    location: States.location(state, `/v2/${name}/manifests/${stored.digest}`),
    "docker-content-digest": stored.digest,
    ...(stored.subject === undefined || !state.behaviour.referrers ? {} : { "oci-subject": stored.subject })
  })
})

export const manifest = Effect.fnUntraced(function*(
  state: State,
  exchange: Exchange,
  name: string,
  reference: string
): Effect.fn.Return<Reply, OciError> {
  if (exchange.method === "PUT") return yield* put(state, exchange, name, reference)
  if (exchange.method !== "DELETE") return yield* get(state, exchange, name, reference)
  yield* state.access.check(exchange, name, "delete")
  const repository = yield* States.existing(state, name)
  if (!Repositories.removeManifest(repository, reference)) {
    return yield* new OciError({ code: "MANIFEST_UNKNOWN", detail: `manifest unknown: ${reference}` })
  }
  return Exchanges.empty(202)
})
