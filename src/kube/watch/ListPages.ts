// The whole of a kind by pages: the fallback where a server does not stream its list.
// Rules for tokens that expire in the middle: client-go tools/pager. The token that comes with the 410 is not used: the rest of
// the list would be of another moment, and what is deleted in between would stay for ever.
import { Effect } from "effect"
import { KubeClient } from "../KubeClient.ts"
import { isReason, type KubeError, protocolError } from "../KubeError.ts"

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

/**
 * Calls `each` with every object and gives the resourceVersion of the list, where a watch goes on from. `restart` is called
 * before what was given so far is given again. `from`: not older than that; empty: as of now.
 */
export const listPages = Effect.fnUntraced(function*(list: {
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly from: string
  readonly each: (object: unknown) => void
  readonly restart: () => void
}): Effect.fn.Return<string, KubeError, KubeClient> {
  const client = yield* KubeClient
  const page = Effect.fnUntraced(function*(query: Readonly<Record<string, string>>) {
    const answer = pageOf(yield* client.request({ method: "GET", path: list.path, query: { ...list.query, ...query } }))
    if (answer === undefined) return yield* protocolError(`GET ${list.path}`, "the answer is no list")
    for (const item of answer.items) list.each(item)
    return answer
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
