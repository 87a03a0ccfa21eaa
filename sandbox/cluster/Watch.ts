// WATCH: history, then what happens, as lines of JSON; watch-lists, bookmarks, expiry, and the ways a watch goes wrong.
// Source: apiserver pkg/storage/cacher, research/kubernetes.md §1.2, §1.4.
import { Cause, Clock, Effect, Queue, Stream } from "effect"
import type { JsonObject } from "../Json.ts"
import type { Reset } from "../server/Exchange.ts"
import * as Exchanges from "../server/Exchange.ts"
import type { Api, Target } from "./Api.ts"
import { metadata } from "./Api.ts"
import type { ApiError } from "./ApiError.ts"
import * as ApiErrors from "./ApiError.ts"
import * as Present from "./Present.ts"
import * as Read from "./Read.ts"
import * as Resources from "./Resources.ts"
import type { Change } from "./Store.ts"

/** One open watch, as the faults see it. */
export interface Watcher {
  readonly storage: string
  /** A line as it stands, whatever it is. */
  readonly line: (text: string) => void
  /** An ordinary end of the stream. */
  readonly end: () => void
  /** A broken connection. */
  readonly cut: () => void
}

export interface Watchers {
  readonly open: Set<Watcher>
}

const optionFault = (field: string, detail: string): ApiError =>
  ApiErrors.invalid("ListOptions", "meta.k8s.io", "", [ApiErrors.fault("FieldValueForbidden", field, detail)])

const checkOptions = Effect.fnUntraced(function*(api: Api, query: URLSearchParams) {
  const match = query.get("resourceVersionMatch") ?? ""
  const initial = query.get("sendInitialEvents")
  if (initial === null) {
    if (match !== "") {
      return yield* optionFault(
        "resourceVersionMatch",
        "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
      )
    }
    return
  }
  if (!api.behaviour.watchList) {
    return yield* optionFault(
      "sendInitialEvents",
      "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
    )
  }
  if (match !== "NotOlderThan") {
    return yield* optionFault(
      "resourceVersionMatch",
      "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
    )
  }
})

const line = (type: string, object: JsonObject | Record<string, unknown>): string =>
  `${JSON.stringify({ type, object })}\n`

const bookmark = (target: Target, revision: number, end: boolean): string =>
  line("BOOKMARK", {
    kind: target.resource.kind,
    apiVersion: Resources.apiVersionOf(target.resource),
    metadata: {
      resourceVersion: String(revision),
      ...(end ? { annotations: { "k8s.io/initial-events-end": "true" } } : {})
    }
  })

/** How a change looks to a watch that selects: what comes into its view is added, what leaves it is deleted. */
const seen = (change: Change, selected: (object: JsonObject) => boolean) => {
  const before = change.previous !== undefined && selected(change.previous)
  const after = change.type !== "DELETED" && selected(change.object)
  if (after) return { type: before ? "MODIFIED" : "ADDED", object: change.object }
  if (!before || change.previous === undefined) return undefined
  // The last state that was in view, with the revision of its leaving.
  const meta = { ...metadata(change.previous), resourceVersion: String(change.revision) }
  return { type: "DELETED", object: { ...change.previous, metadata: meta } }
}

type Lines = Queue.Queue<string, Reset | Cause.Done>

const run = Effect.fnUntraced(function*(
  api: Api,
  watchers: Watchers,
  target: Target,
  query: URLSearchParams,
  form: Present.Form,
  selected: (object: JsonObject) => boolean,
  lines: Lines
) {
  const clock = yield* Clock.Clock
  const push = (text: string) => void Queue.offerUnsafe(lines, text)
  let first = true
  const send = (type: string, object: JsonObject) => {
    push(line(type, Present.single(form, target.resource, object, clock.currentTimeMillisUnsafe(), first)))
    first = false
  }
  const watcher: Watcher = {
    storage: target.resource.storage,
    line: push,
    end: () => void Queue.endUnsafe(lines),
    cut: () => void Queue.failCauseUnsafe(lines, Cause.fail(new Exchanges.Reset()))
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => watchers.open.add(watcher)),
    () => Effect.sync(() => watchers.open.delete(watcher))
  )

  const version = query.get("resourceVersion") ?? ""
  const initial = query.get("sendInitialEvents") === "true" ||
    (!query.has("sendInitialEvents") && (version === "" || version === "0"))
  const past = initial ? [] : version === "" || version === "0" ? [] : api.store.since(Number(version))
  if (past === undefined) {
    const old = ApiErrors.expired(`too old resource version: ${version} (${api.store.revision()})`)
    push(line("ERROR", ApiErrors.statusOf(old)))
    return watcher.end()
  }
  // From here to the end of the initial part nothing yields: no change can be missed or doubled.
  const onChange = (change: Change) => {
    if (change.storage !== target.resource.storage) return
    const event = seen(change, selected)
    if (event !== undefined) send(event.type, event.object)
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      if (initial) {
        for (const object of api.store.list(target.resource.storage)) if (selected(object)) send("ADDED", object)
      }
      past.forEach(onChange)
      const bookmarks = query.get("allowWatchBookmarks") === "true"
      if (query.get("sendInitialEvents") === "true" && bookmarks) push(bookmark(target, api.store.revision(), true))
      return api.store.subscribe(onChange)
    }),
    (unsubscribe) => Effect.sync(unsubscribe)
  )

  const bookmarks = query.get("allowWatchBookmarks") === "true"
  const mark = Effect.sync(() => push(bookmark(target, api.store.revision(), false)))
  const period = api.behaviour.bookmarkPeriod
  if (bookmarks && Number.isFinite(period)) {
    yield* Effect.sleep(period).pipe(Effect.andThen(mark), Effect.forever, Effect.forkScoped)
  }
  const seconds = Number(query.get("timeoutSeconds") ?? 1800)
  yield* Effect.sleep(seconds * 1000)
  if (bookmarks && Number.isFinite(period)) yield* mark
  watcher.end()
})

/** Lines that end with the watch's time, when the faults say so, or with the scope of the server. */
export const watch = Effect.fnUntraced(function*(
  api: Api,
  watchers: Watchers,
  target: Target,
  query: URLSearchParams,
  form: Present.Form
): Effect.fn.Return<Stream.Stream<string, Reset>, ApiError> {
  yield* checkOptions(api, query)
  const version = query.get("resourceVersion") ?? ""
  if (!/^[0-9]*$/.test(version)) {
    return yield* new ApiErrors.ApiError({
      code: 500,
      reason: "",
      text: `resourceVersion: Invalid value: "${version}": strconv.ParseUint: parsing "${version}": invalid syntax`
    })
  }
  const selected = yield* Read.selectorOf(target, query)
  return Stream.callback<string, Reset>((lines) => run(api, watchers, target, query, form, selected, lines), {
    bufferSize: Number.POSITIVE_INFINITY
  })
})
