// Blob uploads: POST (session, single request, mount), PATCH, PUT, GET and DELETE under /v2/<name>/blobs/uploads/.
// Source: distribution-spec 1.1 end-4a … end-6, end-11, end-13, end-14.
import { Effect } from "effect"
import { randomHex } from "../Random.ts"
import type { Exchange, Reply } from "../server/Exchange.ts"
import * as Exchanges from "../server/Exchange.ts"
import * as Blobs from "./BlobStorage.ts"
import { OciError } from "./OciError.ts"
import type { State, UploadSession } from "./State.ts"
import * as States from "./State.ts"

const rangeHeader = (session: UploadSession): string => `0-${Math.max(0, session.upload.size() - 1)}`

const sessionHeaders = (state: State, session: UploadSession): Record<string, string> => ({
  location: States.location(
    state,
    `/v2/${session.repository}/blobs/uploads/${session.upload.id}?_state=${session.state}`
  ),
  range: rangeHeader(session),
  "docker-upload-uuid": session.upload.id,
  ...(state.behaviour.chunkMinLength === 0
    ? {}
    : { "oci-chunk-min-length": String(state.behaviour.chunkMinLength) })
})

const created = (state: State, name: string, digest: string): Reply =>
  Exchanges.empty(201, {
    location: States.location(state, `/v2/${name}/blobs/${digest}`),
    "docker-content-digest": digest
  })

const invalidDigest = (digest: string) =>
  new OciError({ code: "DIGEST_INVALID", detail: `provided digest did not match uploaded content: ${digest}` })

const commit = Effect.fnUntraced(function*(state: State, session: UploadSession, digest: string) {
  state.uploads.delete(session.upload.id)
  if (!Blobs.isDigest(digest) || !session.upload.commit(digest)) {
    session.upload.discard()
    return yield* invalidDigest(digest)
  }
  States.open(state, session.repository).blobs.add(digest)
  return created(state, session.repository, digest)
})

const begin = Effect.fnUntraced(function*(state: State, name: string) {
  const id = yield* randomHex(32)
  // "%20" and "~" are what a client that parses and rebuilds the query gives back as "+" and "%7E".
  const token = `${yield* randomHex(16)}%20~${yield* randomHex(4)}`
  const session: UploadSession = { upload: state.storage.begin(id), repository: name, state: token, short: false }
  state.uploads.set(id, session)
  return session
})

/** POST: mounts, takes a whole blob, or opens a session. */
export const start = Effect.fnUntraced(function*(
  state: State,
  exchange: Exchange,
  name: string
): Effect.fn.Return<Reply, OciError> {
  yield* state.access.check(exchange, name, "push")
  const mount = exchange.query.get("mount")
  if (mount !== null && state.behaviour.mount) {
    const from = exchange.query.get("from")
    const source = state.repositories.get(from ?? "")
    const readable = source !== undefined && (yield* state.access.allows(exchange, source.name, "pull"))
    if (readable && source.blobs.has(mount)) {
      States.open(state, name).blobs.add(mount)
      return created(state, name, mount)
    }
  }
  const digest = exchange.query.get("digest")
  const session = yield* begin(state, name)
  if (digest === null || !state.behaviour.singlePost) return Exchanges.empty(202, sessionHeaders(state, session))
  const whole = yield* Exchanges.forEachChunk(exchange, session.upload.append)
  if (!whole) {
    state.uploads.delete(session.upload.id)
    session.upload.discard()
    return yield* new OciError({ code: "BLOB_UPLOAD_INVALID", detail: "the upload was cut short" })
  }
  return yield* commit(state, session, digest)
})

const find = Effect.fnUntraced(function*(state: State, exchange: Exchange, name: string, id: string) {
  yield* state.access.check(exchange, name, "push")
  const session = state.uploads.get(id)
  if (session === undefined || session.repository !== name) {
    return yield* new OciError({ code: "BLOB_UPLOAD_UNKNOWN", detail: "blob upload unknown to registry" })
  }
  const exact = exchange.search.split("&").includes(`_state=${session.state}`)
  const same = exchange.query.get("_state") === new URLSearchParams(`_state=${session.state}`).get("_state")
  if (state.behaviour.exactLocations ? !exact : !same) {
    return yield* new OciError({ code: "BLOB_UPLOAD_INVALID", detail: "the Location was not used as it was given" })
  }
  return session
})

const outOfOrder = (state: State, session: UploadSession) =>
  new OciError({
    code: "RANGE_INVALID",
    detail: `the upload has ${session.upload.size()} bytes`,
    headers: sessionHeaders(state, session)
  })

/** The chunk's range must start where the upload ends and be as long as the body. */
const checkChunk = Effect.fnUntraced(function*(state: State, exchange: Exchange, session: UploadSession) {
  const range = exchange.headers["content-range"]
  if (range === undefined) return
  const match = /^(\d+)-(\d+)$/.exec(range)
  if (match === null || Number(match[1]) !== session.upload.size()) return yield* outOfOrder(state, session)
  const length = exchange.headers["content-length"]
  if (length !== undefined && Number(length) !== Number(match[2]) - Number(match[1]) + 1) {
    return yield* new OciError({ code: "SIZE_INVALID", detail: "Content-Range and Content-Length differ" })
  }
})

/** PATCH, PUT, GET and DELETE of a session. */
export const session = Effect.fnUntraced(function*(
  state: State,
  exchange: Exchange,
  name: string,
  id: string
): Effect.fn.Return<Reply, OciError> {
  const open = yield* find(state, exchange, name, id)
  if (exchange.method === "GET") return Exchanges.empty(204, sessionHeaders(state, open))
  if (exchange.method === "DELETE") {
    state.uploads.delete(id)
    open.upload.discard()
    return Exchanges.empty(204)
  }
  yield* checkChunk(state, exchange, open)
  if (open.short && exchange.method === "PATCH") {
    return yield* new OciError({ code: "BLOB_UPLOAD_INVALID", detail: "a chunk before this one was too small" })
  }
  const before = open.upload.size()
  const whole = yield* Exchanges.forEachChunk(exchange, open.upload.append)
  if (!whole) return yield* new OciError({ code: "BLOB_UPLOAD_INVALID", detail: "the upload was cut short" })
  if (exchange.method === "PATCH") {
    open.short = open.upload.size() - before < state.behaviour.chunkMinLength
    return Exchanges.empty(202, sessionHeaders(state, open))
  }
  return yield* commit(state, open, exchange.query.get("digest") ?? "")
})
