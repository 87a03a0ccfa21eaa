// A kind of the cluster as a stream: everything there is, then every change, for ever, whatever happens to the connection.
// One watch-list request does both where the server can; else pages and a watch. What happens after which error is WatchPolicy.
// Each line is projected at once and forgotten; only the names of what is kept stay here.
import { Clock, Context, Duration, Effect, Metric, Random, Stream } from "effect"
import { uptimeUnsafe } from "../telemetry/Uptime.ts"
import { touchWatch, watchEvents, watchProgress, watchRestarts, watchSynced } from "../telemetry/Metrics.ts"
import { SILENCE } from "./ApiConnections.ts"
import { KubeClient } from "./KubeClient.ts"
import { fromEvent, type KubeError, protocolError } from "./KubeError.ts"
import { listPages } from "./ListPages.ts"
import { latest } from "./ResourceVersion.ts"
import { metaOf, parseEvent, type WatchEvent } from "./WatchEvent.ts"
import { makeProjector } from "./Projector.ts"
import { backoff, decide, type Ended, HEALTHY, LONGEST_WAIT, type Phase, slow } from "./WatchPolicy.ts"
import { WatchStates } from "./WatchStates.ts"

export interface Resource<A> {
  /** For metrics, health and logs, and unique among the watches of the process: "deployments". */
  readonly name: string
  /** "/apis/apps/v1/deployments" */
  readonly path: string
  /** Selectors. */
  readonly query?: Readonly<Record<string, string>> | undefined
  /** What is kept of an object; undefined: nothing. Objects of lists have neither kind nor apiVersion. Must not throw. */
  readonly project: (object: unknown) => A | undefined
  /** The same for an object as long as it lives. */
  readonly key: (item: A) => string
}

export type Change<A> =
  /** Atomic replacement of everything: what is not in it is gone. Comes first, and again after every gap. */
  | { readonly _tag: "Synced"; readonly items: ReadonlyMap<string, A> }
  | { readonly _tag: "Applied"; readonly key: string; readonly item: A }
  /** Deleted, or not kept any more. */
  | { readonly _tag: "Deleted"; readonly key: string }

const REPROBE = 30 * 60_000 // a server is upgraded now and then
const OFTEN = 3 // immediate lists a minute

interface Session {
  readonly phase: Phase
  readonly startedAt: number
  /** The list has been seen whole; the rest is following. */
  synced: boolean
  lines: number
  lastEventAt: number
}

/** Never ends and never fails. Two watches need two resources: what is known belongs to the running stream. */
export const watch = <A>(resource: Resource<A>): Stream.Stream<Change<A>, never, KubeClient> =>
  Stream.unwrap(Effect.gen(function*() {
    const client = yield* KubeClient
    const clock = yield* Clock.Clock
    const states = yield* WatchStates
    const context = Context.make(KubeClient, client)
    const now = () => clock.currentTimeMillisUnsafe()
    const name = resource.name
    const operation = `GET ${resource.path}`
    const labels = { resource: name }
    const series = { events: watchEvents(labels), progress: watchProgress(labels), synced: watchSynced(labels) }
    yield* touchWatch(name)
    states.update(name, { progressAt: now() })

    const nothing: Change<A> | undefined = undefined

    // where we are
    let version: string | undefined // of what was seen last; undefined: everything must be read
    let from = "" // what the list must not be older than
    let kept = new Map<string, string>() // namespace/name → key
    let pagesSince: number | undefined // when the server refused to stream its list
    // how it goes
    let failures = 0
    let lastFailureAt = 0
    let troubleSince: number | undefined
    let relists: ReadonlyArray<number> = []
    let silences = 0
    let said = "" // the trouble that was logged last
    let afterwards: Effect.Effect<void> | undefined // what is due once the consumer has taken the last change

    const progress = Effect.suspend(() => {
      states.update(name, { progressAt: now() })
      return Metric.update(series.progress, now() / 1000)
    })

    const synced = Effect.suspend(() => {
      states.update(name, { state: "synced", detail: "" })
      return Metric.update(series.synced, 1)
    })

    const well = Effect.suspend(() => {
      troubleSince = undefined
      silences = 0
      if (said === "") return Effect.void
      said = ""
      states.update(name, { detail: "" })
      return Effect.logInfo(`watching ${name} again`)
    })

    const projector = makeProjector(name, resource.project)

    /** What is kept is what the server has; a line of a list that is not whole, or an error, says nothing of that. */
    const heard = () => states.update(name, { heardAt: uptimeUnsafe(clock) })

    const complete = (items: Map<string, A>, names: Map<string, string>, at: string): Change<A> => {
      heard()
      kept = names
      version = at
      from = at
      relists = relists.filter((it) => now() - it < 60_000)
      afterwards = synced
      return { _tag: "Synced", items }
    }

    const keep = (items: Map<string, A>, names: Map<string, string>, object: unknown): void => {
      const meta = metaOf(object)
      const item = meta === undefined ? undefined : projector.project(object)
      if (meta === undefined || item === undefined) return
      const key = resource.key(item)
      items.set(key, item)
      names.set(`${meta.namespace}/${meta.name}`, key)
    }

    const byPages = Stream.fromEffect(Effect.suspend(() => {
      let items = new Map<string, A>()
      let names = new Map<string, string>()
      return listPages({
        path: resource.path,
        query: resource.query ?? {},
        from,
        restart: () => {
          items = new Map()
          names = new Map()
        },
        each: (object) => keep(items, names, object)
      }).pipe(
        Effect.tap(() => Effect.all([progress, projector.say, well], { discard: true })),
        Effect.map((at) => complete(items, names, at)),
        Effect.provideContext(context)
      )
    }))

    const change = (event: Extract<WatchEvent, { _tag: "Applied" | "Deleted" }>): Change<A> | undefined => {
      heard()
      version = latest(version, event.meta.resourceVersion)
      const id = `${event.meta.namespace}/${event.meta.name}`
      const item = event._tag === "Applied" ? projector.project(event.object) : undefined
      if (item !== undefined) {
        const key = resource.key(item)
        kept.set(id, key)
        return { _tag: "Applied", key, item }
      }
      const key = kept.get(id)
      if (key === undefined) return undefined
      kept.delete(id)
      return { _tag: "Deleted", key }
    }

    const byWatch = (session: Session): Stream.Stream<Change<A>, KubeError> =>
      Stream.unwrap(Effect.map(Random.nextIntBetween(300, 600), (timeout) => {
        let items = new Map<string, A>()
        let names = new Map<string, string>()
        const handle = (event: WatchEvent): Effect.Effect<Change<A> | undefined, KubeError> => {
          if (event._tag === "Error") return Effect.fail(fromEvent(operation, event.status))
          if (event._tag === "Bookmark") {
            if (session.synced) {
              heard()
              version = latest(version, event.resourceVersion)
            } else if (event.initialEnd) {
              session.synced = true
              const all = complete(items, names, event.resourceVersion)
              items = new Map()
              names = new Map()
              return Effect.as(projector.say, all)
            } else if (now() - session.lastEventAt > 60_000) {
              // it took the request for an ordinary watch
              return Effect.fail(protocolError(operation, "the list does not end"))
            }
            return Effect.succeed(nothing)
          }
          session.lastEventAt = now()
          if (!session.synced) {
            keep(items, names, event.object)
            return Effect.succeed(nothing)
          }
          const result = change(event)
          const counted = Effect.as(Metric.update(series.events, 1), result)
          return projector.failed() ? Effect.andThen(projector.say, counted) : counted
        }
        // a server that never sends bookmarks is heard of at the end of its time only
        const silence = silences < 2 ? SILENCE : (timeout + 5) * 1000
        // and that it never does is known after two silences
        states.update(name, { patience: 2 * SILENCE + (silences < 2 ? 0 : silence) + LONGEST_WAIT })
        return client.lines({
          method: "GET",
          path: resource.path,
          query: {
            ...resource.query,
            watch: "true",
            allowWatchBookmarks: "true",
            timeoutSeconds: String(timeout),
            ...(session.phase === "stream"
              ? { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan", resourceVersion: from }
              : { resourceVersion: version ?? "" })
          },
          silence: Duration.millis(silence)
        }).pipe(
          Stream.mapEffect((line) => {
            const event = parseEvent(line)
            session.lines += 1
            return event === undefined
              ? Effect.fail(protocolError(operation, `a line is no event: ${line.slice(0, 100)}`))
              : Effect.andThen(Effect.andThen(progress, well), handle(event))
          }),
          Stream.filter((it) => it !== undefined)
        )
      }))

    const waitFor = Effect.fnUntraced(
      function*(wait: "none" | "backoff" | "slow", least: Duration.Duration | undefined) {
        if (wait === "none") return
        const random = yield* Random.next
        const time = wait === "slow" ? slow(random) : backoff(failures, random)
        if (wait === "backoff") {
          failures = now() - lastFailureAt > HEALTHY ? 1 : failures + 1
          lastFailureAt = now()
        }
        yield* Effect.sleep(Duration.max(time, least ?? Duration.zero))
      }
    )

    const count = (ended: Ended) => Metric.update(watchRestarts({ resource: name, reason: ended }), 1)

    const afterFailure = Effect.fnUntraced(function*(session: Session, error: KubeError) {
      const phase = session.synced ? "follow" : session.phase
      if (now() - lastFailureAt > HEALTHY) failures = 0
      troubleSince ??= now()
      const decision = decide(phase, error, from, now() - troubleSince)
      yield* count(decision.ended)
      states.update(name, { progressAt: now() })
      if (decision.ended === "silent") silences += 1
      if (decision.byPages === true || (phase === "stream" && decision.ended === "protocol")) pagesSince = now()
      let wait = decision.wait
      if (decision.next !== "keep") {
        from = decision.next === "last" ? version ?? from : ""
        version = undefined
        relists = [...relists.filter((it) => now() - it < 60_000), now()]
        if (relists.length > OFTEN && wait === "none") wait = "backoff"
      }
      if (wait === "none") {
        yield* Effect.logDebug(`watching ${name} goes on: ${error.message}`)
      } else {
        const trouble = `${decision.ended} ${error.reason}`
        states.update(name, { detail: error.message, ...(decision.ended === "refused" ? { state: "refused" } : {}) })
        if (decision.ended === "refused") yield* Metric.update(series.synced, 0)
        if (said !== trouble) {
          said = trouble
          yield* Effect.logWarning(`watching ${name} has trouble, trying on: ${error.message}`)
        }
      }
      yield* waitFor(wait, error.retryAfter)
    })

    const afterEnd = Effect.fnUntraced(function*(session: Session) {
      if (session.phase === "pages") return
      yield* count("closed")
      yield* progress
      // a server that hangs up at once would be asked without end
      if (!session.synced) pagesSince = now() // it did not know what a streamed list is
      const short = session.lines === 0 && now() - session.startedAt < 1000
      if (session.synced && !short) heard()
      yield* waitFor(short || !session.synced ? "backoff" : "none", undefined)
    })

    const session = Stream.suspend(() => {
      if (pagesSince !== undefined && now() - pagesSince > REPROBE) pagesSince = undefined
      // the first of what was missed would pass for all of it: after so long only a list tells when that has been seen
      if (states.unheard(name, now()) !== undefined) version = undefined
      const phase = version !== undefined ? "follow" : pagesSince === undefined ? "stream" : "pages"
      const started: Session = { phase, startedAt: now(), synced: phase === "follow", lines: 0, lastEventAt: now() }
      return (phase === "pages" ? byPages : byWatch(started)).pipe(
        Stream.concat(Stream.fromEffectDrain(Effect.suspend(() => afterEnd(started)))),
        Stream.catchTag("KubeError", (error) => Stream.fromEffectDrain(afterFailure(started, error)))
      )
    })

    return Stream.transformPull(Stream.forever(session), (pull) =>
      Effect.succeed(Effect.suspend(() => {
        const due = afterwards
        afterwards = undefined
        return due === undefined ? pull : Effect.andThen(due, pull)
      })))
  }))
