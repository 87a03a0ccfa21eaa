// A kind of the cluster as a stream: everything there is, then every change, for ever, whatever happens to the connection.
// One watch-list request does both where the server can; else pages and a watch. Where the watch is and how it goes is its Course,
// what is kept its Mirror. Each line is projected at once and forgotten.
import { Clock, Context, Duration, Effect, Metric, Random, Result, Stream } from "effect"
import { touchWatch, watchEvents, watchProgress, watchRestarts, watchSynced } from "../../telemetry/Metrics.ts"
import { uptimeUnsafe } from "../../telemetry/Uptime.ts"
import { longestSilence } from "../ApiConnections.ts"
import { protobufOrJson } from "../frames/Envelope.ts"
import type { Frame } from "../frames/Frames.ts"
import { KubeClient } from "../KubeClient.ts"
import { fromEvent, KubeError, protocolError } from "../KubeError.ts"
import * as Course from "./Course.ts"
import { listPages } from "./ListPages.ts"
import { type Change, type Listing, Mirror } from "./Mirror.ts"
import { makeProjector } from "./Projector.ts"
import { parseEvent, type WatchEvent } from "./WatchEvent.ts"
import { keepOf, type Resource } from "./Resource.ts"
import { readEvent } from "./WireEvent.ts"
import { backoff, type Decision, longestWait, slow } from "./AfterError.ts"
import { type States, WatchStates } from "./WatchStates.ts"

export type { Change } from "./Mirror.ts"
export type { Resource } from "./Resource.ts"

interface Around {
  readonly client: KubeClient["Service"]
  readonly clock: Clock.Clock
  readonly states: States
}

const seriesOf = (resource: string) => ({
  events: watchEvents({ resource }),
  progress: watchProgress({ resource }),
  synced: watchSynced({ resource })
})

class Watch<A> {
  #course = Course.begun
  /** What is due once the consumer has taken the last change. */
  #afterwards: Effect.Effect<void> | undefined
  readonly #resource: Resource<A>
  readonly #operation: string
  readonly #client: KubeClient["Service"]
  readonly #clock: Clock.Clock
  readonly #states: States
  readonly #series: ReturnType<typeof seriesOf>
  readonly #projector: ReturnType<typeof makeProjector<A>>
  readonly #mirror: Mirror<A>
  constructor(resource: Resource<A>, { client, clock, states }: Around) {
    this.#resource = resource
    this.#operation = `GET ${resource.path}`
    this.#client = client
    this.#clock = clock
    this.#states = states
    this.#series = seriesOf(resource.name)
    this.#projector = makeProjector(resource.name, keepOf(resource))
    this.#mirror = new Mirror({ ...resource, project: this.#projector.project })
  }

  #now(): number {
    return this.#clock.currentTimeMillisUnsafe()
  }

  #update(change: Parameters<States["update"]>[1]): void {
    this.#states.update(this.#resource.name, change)
  }

  /** What is kept is what the server has; a line of a list that is not whole, or an error, says nothing of that. */
  #heard(): void {
    this.#update({ heardAt: uptimeUnsafe(this.#clock) })
  }

  readonly #progress = Effect.suspend(() => {
    const now = this.#now()
    this.#update({ progressAt: now })
    return Metric.update(this.#series.progress, now / 1000)
  })

  readonly #synced = Effect.suspend(() => {
    this.#update({ state: "synced", detail: "" })
    return Metric.update(this.#series.synced, 1)
  })

  readonly #well = Effect.suspend(() => {
    const { said } = this.#course
    this.#course = Course.well(this.#course)
    if (said === "") return Effect.void
    this.#update({ detail: "" })
    return Effect.logInfo(`watching ${this.#resource.name} again`)
  })

  #complete(listing: Listing<A>, version: string): Change<A> {
    this.#heard()
    this.#course = Course.listed(this.#course, version, this.#now())
    this.#afterwards = this.#synced
    return this.#mirror.replace(listing)
  }

  readonly #byPages = Stream.fromEffect(Effect.suspend(() => {
    let listing = this.#mirror.listing()
    return listPages({
      resource: this.#resource,
      from: this.#course.from,
      restart: () => {
        listing = this.#mirror.listing()
      },
      each: (object, meta) => listing.add(object, meta)
    }).pipe(
      Effect.tap(() => Effect.all([this.#progress, this.#projector.say, this.#well], { discard: true })),
      Effect.map((version) => this.#complete(listing, version)),
      Effect.provideContext(Context.make(KubeClient, this.#client))
    )
  }))

  #bookmark(
    session: Course.Session,
    listing: Listing<A>,
    { initialEnd, resourceVersion }: Extract<WatchEvent, { _tag: "Bookmark" }>
  ): Change<A> | KubeError | undefined {
    if (session.synced) {
      this.#heard()
      this.#course = Course.moved(this.#course, resourceVersion)
    } else if (initialEnd) {
      session.synced = true
      return this.#complete(listing, resourceVersion)
    } else if (this.#now() - session.lastEventAt > 60_000) {
      // it took the request for an ordinary watch
      return protocolError(this.#operation, "the list does not end")
    }
    return undefined
  }

  #handle(session: Course.Session, listing: Listing<A>, event: WatchEvent): Change<A> | KubeError | undefined {
    if (event._tag === "Error") return fromEvent(this.#operation, event.status)
    if (event._tag === "Bookmark") return this.#bookmark(session, listing, event)
    session.lastEventAt = this.#now()
    if (!session.synced) {
      listing.add(event.object, event.meta)
      return undefined
    }
    this.#heard()
    this.#course = Course.moved(this.#course, event.meta.resourceVersion)
    session.events += 1
    return this.#mirror.change(event)
  }

  #parse(frame: Frame): WatchEvent | KubeError {
    if (typeof frame === "string") {
      return parseEvent(frame) ?? protocolError(this.#operation, `a line is no event: ${frame.slice(0, 100)}`)
    }
    const event = this.#resource.wire === undefined
      ? Result.fail("nobody asked for it")
      : readEvent(frame, this.#resource.wire.message)
    return Result.getOrElse(event, (why) => protocolError(this.#operation, `a message is no event: ${why}`))
  }

  /** All that came at once; what is wrong comes after what came before it. */
  #take(
    session: Course.Session,
    listing: Listing<A>,
    frames: ReadonlyArray<Frame>
  ): Effect.Effect<Stream.Stream<Change<A>, KubeError>> {
    let changes: Array<Change<A>> = []
    const parts = [changes]
    let failure: KubeError | undefined
    const before = session.events
    let understood = 0
    for (const frame of frames) {
      const event = this.#parse(frame)
      session.lines += 1
      if (!(event instanceof KubeError)) understood += 1
      const change = event instanceof KubeError ? event : this.#handle(session, listing, event)
      if (change instanceof KubeError) {
        failure = change
        break
      }
      if (change === undefined) continue
      changes.push(change)
      // what is due after it comes before whatever follows
      if (change._tag === "Synced") parts.push(changes = [])
    }
    const taken = Stream.fromArrays(...parts)
    const events = session.events - before
    return Effect.all([
      understood === 0 ? Effect.void : Effect.andThen(this.#progress, this.#well),
      events === 0 ? Effect.void : Metric.update(this.#series.events, events),
      this.#projector.failed() && session.synced ? this.#projector.say : Effect.void
    ], { discard: true }).pipe(
      Effect.as(failure === undefined ? taken : Stream.concat(taken, Stream.fail(failure)))
    )
  }

  #byWatch(session: Course.Session): Stream.Stream<Change<A>, KubeError> {
    return Stream.unwrap(Effect.map(Random.nextIntBetween(300, 600), (timeout) => {
      const listing = this.#mirror.listing()
      const { from, silences, version } = this.#course
      // a server that never sends bookmarks is heard of at the end of its time only
      const silence = silences < 2 ? longestSilence : (timeout + 5) * 1000
      // and that it never does is known after two silences
      this.#update({ patience: 2 * longestSilence + (silences < 2 ? 0 : silence) + longestWait })
      return this.#client.frames({
        method: "GET",
        path: this.#resource.path,
        ...(this.#resource.wire === undefined ? {} : { accept: protobufOrJson }),
        query: {
          ...this.#resource.query,
          watch: "true",
          allowWatchBookmarks: "true",
          timeoutSeconds: String(timeout),
          ...(session.phase === "stream"
            ? { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan", resourceVersion: from }
            : { resourceVersion: version ?? "" })
        },
        silence: Duration.millis(silence)
      }).pipe(
        Stream.mapEffect((frames) => Effect.suspend(() => this.#take(session, listing, frames))),
        Stream.flatMap((taken) => taken)
      )
    }))
  }

  readonly #waitFor = Effect.fnUntraced(
    { self: this },
    function*(wait: Decision["wait"], least: Duration.Duration | undefined) {
      if (wait === "none") return
      const random = yield* Random.next
      const time = wait === "slow" ? slow(random) : backoff(this.#course.failures, random)
      if (wait === "backoff") this.#course = Course.waited(this.#course, this.#now())
      yield* Effect.sleep(Duration.max(time, least ?? Duration.zero))
    }
  )

  #count(reason: Decision["ended"]): Effect.Effect<void> {
    return Metric.update(watchRestarts({ resource: this.#resource.name, reason }), 1)
  }

  readonly #afterFailure = Effect.fnUntraced({ self: this }, function*(session: Course.Session, error: KubeError) {
    const { name } = this.#resource
    const { course, decision, isNews, wait } = Course.failed(this.#course, session, error, this.#now())
    this.#course = course
    yield* this.#count(decision.ended)
    this.#update({ progressAt: this.#now() })
    if (wait === "none") {
      yield* Effect.logDebug(`watching ${name} goes on: ${error.message}`)
    } else {
      this.#update({ detail: error.message, ...(decision.ended === "refused" ? { state: "refused" } : {}) })
      if (decision.ended === "refused") yield* Metric.update(this.#series.synced, 0)
      if (isNews) yield* Effect.logWarning(`watching ${name} has trouble, trying on: ${error.message}`)
    }
    yield* this.#waitFor(wait, error.retryAfter)
  })

  readonly #afterEnd = Effect.fnUntraced({ self: this }, function*(session: Course.Session) {
    if (session.phase === "pages") return
    yield* this.#count("closed")
    yield* this.#progress
    const { course, heard, wait } = Course.ended(this.#course, session, this.#now())
    this.#course = course
    if (heard) this.#heard()
    yield* this.#waitFor(wait, undefined)
  })

  readonly #session: Stream.Stream<Change<A>> = Stream.suspend(() => {
    const unheard = this.#states.unheard(this.#resource.name, uptimeUnsafe(this.#clock)) !== undefined
    const [course, session] = Course.begin(this.#course, unheard, this.#now())
    this.#course = course
    return (session.phase === "pages" ? this.#byPages : this.#byWatch(session)).pipe(
      Stream.concat(Stream.fromEffectDrain(Effect.suspend(() => this.#afterEnd(session)))),
      Stream.catchTag("KubeError", (error) => Stream.fromEffectDrain(this.#afterFailure(session, error)))
    )
  })

  get changes(): Stream.Stream<Change<A>> {
    return Stream.transformPull(Stream.forever(this.#session), (pull) =>
      Effect.succeed(Effect.suspend(() => {
        const due = this.#afterwards
        this.#afterwards = undefined
        return due === undefined ? pull : Effect.andThen(due, pull)
      })))
  }
}

/** Never ends and never fails. Two watches need two resources: what is known belongs to the running stream. */
export const watch = <A>(resource: Resource<A>): Stream.Stream<Change<A>, never, KubeClient | WatchStates> =>
  Stream.unwrap(Effect.gen(function*() {
    const client = yield* KubeClient
    const clock = yield* Clock.Clock
    const states = yield* WatchStates
    yield* touchWatch(resource.name)
    states.update(resource.name, { progressAt: clock.currentTimeMillisUnsafe() })
    return new Watch(resource, { client, clock, states }).changes
  }))
