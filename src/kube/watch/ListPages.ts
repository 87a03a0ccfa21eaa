// The whole of a kind by pages: the fallback where a server does not stream its list, and for whoever looks once. In Protocol Buffers
// where the kind has them, and packed, which is a twentieth of the bytes.
// Rules for tokens that expire in the middle: client-go tools/pager. The token that comes with the 410 is not used: the rest of
// the list would be of another moment, and what is deleted in between would stay for ever.
import { Effect, Result } from "effect"
import * as P from "../../protobuf/Message.ts"
import { read } from "../../protobuf/Read.ts"
import { protobufOrJson } from "../frames/Envelope.ts"
import { KubeClient } from "../KubeClient.ts"
import { isReason, type KubeError, protocolError } from "../KubeError.ts"
import type { Resource } from "./Resource.ts"
import { type Meta, metaOf } from "./WatchEvent.ts"
import { WireObject } from "./WireEvent.ts"

const pageSize = "500"

interface Page {
  readonly resourceVersion: string
  readonly next: string | undefined
  readonly items: ReadonlyArray<unknown>
}

const pageOf = (answer: unknown): Page | undefined => {
  if (typeof answer !== "object" || answer === null || !("items" in answer) || !("metadata" in answer)) return undefined
  const { items, metadata } = answer
  if (typeof metadata !== "object" || metadata === null || !("resourceVersion" in metadata)) return undefined
  // an empty list comes as null from some aggregated servers
  if (!Array.isArray(items) && items !== null) return undefined
  if (typeof metadata.resourceVersion !== "string") return undefined
  const next = "continue" in metadata && typeof metadata.continue === "string" && metadata.continue !== ""
    ? metadata.continue
    : undefined
  return { resourceVersion: metadata.resourceVersion, next, items: items ?? [] }
}

/** What is listed of a resource. */
export type ListedResource = Pick<Resource<unknown>, "path" | "query"> & {
  readonly wire?: { readonly message: P.Message } | undefined
}

/** Lists of all kinds are alike. Source: generated.proto of k8s.io/api, and ListMeta of apimachinery. */
const listOf = (item: P.Message): P.Message =>
  P.message({
    metadata: [1, P.one(P.message({ resourceVersion: [2, P.text], continue: [3, P.text] }))],
    items: [2, P.many(item)]
  })

const isFields = (item: unknown): item is Readonly<Record<string, unknown>> => typeof item === "object" && item !== null

/** As the same page is in JSON, but for the objects in it; undefined where it is broken. */
const readPage = (message: P.Message, bytes: Buffer): unknown =>
  Result.getOrUndefined(Result.map(read(message, bytes), ({ items, metadata }) => ({
    metadata,
    // a list without any has no such field
    items: Array.isArray(items) ? items.filter(isFields).map((it) => new WireObject(it)) : []
  })))

/**
 * Calls `each` with every object and gives the resourceVersion of the list, where a watch goes on from. `restart` is called
 * before what was given so far is given again. `from`: not older than that; empty: as of now.
 */
export const listPages = Effect.fnUntraced(function*(list: {
  readonly resource: ListedResource
  readonly from: string
  readonly each: (object: unknown, meta: Meta | undefined) => void
  readonly restart: () => void
}): Effect.fn.Return<string, KubeError, KubeClient> {
  const client = yield* KubeClient
  const { path, wire } = list.resource
  const message = wire && listOf(wire.message)
  const page = Effect.fnUntraced(function*(query: Readonly<Record<string, string>>) {
    const answer = yield* client.request({
      method: "GET",
      path,
      query: { ...list.resource.query, ...query },
      ...(message === undefined ? {} : { accept: protobufOrJson }),
      packed: true
    })
    const found = pageOf(message !== undefined && Buffer.isBuffer(answer) ? readPage(message, answer) : answer)
    if (found === undefined) return yield* protocolError(`GET ${path}`, "the answer is no list")
    for (const item of found.items) list.each(item, metaOf(item instanceof WireObject ? item.fields : item))
    return found
  })
  // every page is of the moment of the first one
  const pages = Effect.fnUntraced(
    function*(start: Readonly<Record<string, string>>, expired: Effect.Effect<string, KubeError>) {
      list.restart()
      const { next, resourceVersion } = yield* page(start)
      let token = next
      while (token !== undefined) {
        const following = yield* page({ limit: pageSize, continue: token }).pipe(
          Effect.catchIf(isReason("Expired"), () => Effect.undefined)
        )
        if (following === undefined) return yield* expired
        token = following.next
      }
      return resourceVersion
    }
  )
  const unpaged = Effect.suspend(() => {
    list.restart()
    return Effect.map(page({}), (it) => it.resourceVersion)
  })
  const notOlder = list.from === ""
    ? {}
    : { resourceVersion: list.from, resourceVersionMatch: "NotOlderThan" }
  return yield* pages({ limit: pageSize, ...notOlder }, pages({ limit: pageSize }, unpaged))
})
