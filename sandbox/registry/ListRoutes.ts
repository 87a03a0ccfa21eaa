// tags/list, _catalog and referrers, with their pages. Source: distribution-spec 1.1 end-8, end-12.
import { Effect } from "effect"
import type { Exchange, Reply } from "../server/Exchange.ts"
import * as Exchanges from "../server/Exchange.ts"
import * as Blobs from "./BlobStorage.ts"
import * as MediaTypes from "./MediaTypes.ts"
import { OciError } from "./OciError.ts"
import * as Repositories from "./Repository.ts"
import type { State } from "./State.ts"
import * as States from "./State.ts"

/** The page that `n` and `last` ask for, sorted, and the header that leads to the next. */
const page = Effect.fnUntraced(function*(exchange: Exchange, names: Iterable<string>) {
  const asked = exchange.query.get("n")
  const count = asked === null ? Infinity : Number(asked)
  if (asked !== null && !/^\d{1,9}$/.test(asked)) {
    return yield* new OciError({ code: "PAGINATION_NUMBER_INVALID", detail: `n=${asked}` })
  }
  const last = exchange.query.get("last")
  const rest = [...names].toSorted().filter((it) => last === null || it > last)
  const items = rest.slice(0, count)
  const end = items.at(-1)
  const headers: Record<string, string> = end === undefined || items.length === rest.length
    ? {}
    : { link: `<${exchange.path}?n=${count}&last=${encodeURIComponent(end)}>; rel="next"` }
  return { items, headers }
})

export const tags = Effect.fnUntraced(function*(
  state: State,
  exchange: Exchange,
  name: string
): Effect.fn.Return<Reply, OciError> {
  yield* state.access.check(exchange, name, "pull")
  const repository = yield* States.existing(state, name)
  const { headers, items } = yield* page(exchange, repository.tags.keys())
  return Exchanges.json(200, { name, tags: items }, headers)
})

/** Only with the right to everything: the catalog names private repositories. */
export const catalog = Effect.fnUntraced(function*(
  state: State,
  exchange: Exchange
): Effect.fn.Return<Reply, OciError> {
  yield* state.access.check(exchange, "", "pull")
  const { headers, items } = yield* page(exchange, state.repositories.keys())
  return Exchanges.json(200, { repositories: items }, headers)
})

export const referrers = Effect.fnUntraced(function*(
  state: State,
  exchange: Exchange,
  name: string,
  digest: string
): Effect.fn.Return<Reply, OciError> {
  if (!state.behaviour.referrers) {
    return yield* new OciError({ code: "UNSUPPORTED", detail: "no referrers API", status: 404 })
  }
  if (!Blobs.isDigest(digest)) return yield* new OciError({ code: "DIGEST_INVALID", detail: `${digest} is no digest` })
  yield* state.access.check(exchange, name, "pull")
  const repository = state.repositories.get(name)
  const all = repository === undefined ? [] : Repositories.referrers(repository, digest)
  const artifactType = exchange.query.get("artifactType")
  return Exchanges.json(200, {
    schemaVersion: 2,
    mediaType: MediaTypes.ociIndex,
    manifests: artifactType === null ? all : all.filter((it) => it.artifactType === artifactType)
  }, {
    "content-type": MediaTypes.ociIndex,
    ...(artifactType === null ? {} : { "oci-filters-applied": "artifactType" })
  })
})
