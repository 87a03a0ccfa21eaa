// Course: where a watch is and how it goes, and what follows from the end of a session, of its list, of an event. Pure: the one state
// of a watch, changed here alone; what is done after which error is AfterError. Times are milliseconds of the wall clock.
import type { KubeError } from "../KubeError.ts"
import { latest } from "./ResourceVersion.ts"
import { decide, type Decision, healthyAfter, type Phase } from "./AfterError.ts"

export interface Course {
  /** Of what was seen last; undefined: everything must be read. */
  readonly version: string | undefined
  /** What the list must not be older than; empty: as of now. */
  readonly from: string
  /** When the server refused to stream its list. */
  readonly pagesSince: number | undefined
  /** In a row, each soon after the one before. */
  readonly failures: number
  readonly lastFailureAt: number
  /** Since when the server has failed without a word in between. */
  readonly troubleSince: number | undefined
  /** When everything was to be read again, within the last minute. */
  readonly relists: ReadonlyArray<number>
  /** Sessions in a row that ended because nothing was heard. */
  readonly silences: number
  /** The trouble that was logged last; empty while all is well. */
  readonly said: string
}

/** One request and what came of it. */
export interface Session {
  readonly phase: Phase
  readonly startedAt: number
  /** The list has been seen whole; the rest is following. */
  synced: boolean
  lines: number
  /** Of objects, after the list. */
  events: number
  lastEventAt: number
}

export const begun: Course = {
  version: undefined,
  from: "",
  pagesSince: undefined,
  failures: 0,
  lastFailureAt: 0,
  troubleSince: undefined,
  relists: [],
  silences: 0,
  said: ""
}

/** A server is upgraded now and then: so long it is not asked again to stream its list. */
const reprobe = 30 * 60_000
const minute = 60_000
/** Immediate lists a minute. */
const mostRelists = 3
/** A request that ends sooner, without a line, was not meant. */
const short = 1000

const recent = (relists: ReadonlyArray<number>, now: number): ReadonlyArray<number> =>
  relists.filter((it) => now - it < minute)

/**
 * The next session.
 * @param unheard nothing was heard for so long that the first of what was missed would pass for all of it: only a list tells
 */
export const begin = (before: Course, unheard: boolean, now: number): readonly [Course, Session] => {
  const { pagesSince } = before
  const course: Course = {
    ...before,
    version: unheard ? undefined : before.version,
    pagesSince: pagesSince !== undefined && now - pagesSince > reprobe ? undefined : pagesSince
  }
  const phase = course.version !== undefined ? "follow" : course.pagesSince === undefined ? "stream" : "pages"
  return [course, { phase, startedAt: now, synced: phase === "follow", lines: 0, events: 0, lastEventAt: now }]
}

/** Everything has been seen, as of a version. */
export const listed = (course: Course, version: string, now: number): Course => ({
  ...course,
  version,
  from: version,
  relists: recent(course.relists, now)
})

/** An event, or a bookmark. */
export const moved = (course: Course, version: string): Course => ({
  ...course,
  version: latest(course.version, version)
})

/** The server has said something sensible. */
export const well = (course: Course): Course =>
  course.troubleSince === undefined && course.silences === 0 && course.said === ""
    ? course
    : { ...course, troubleSince: undefined, silences: 0, said: "" }

export interface Next {
  readonly course: Course
  readonly wait: Decision["wait"]
}

/** The server has ended a session that was no failure; one that hangs up at once would be asked without end. */
export const ended = (course: Course, { lines, startedAt, synced }: Session, now: number): Next & {
  /** Whether all that was missed has been heard. */
  readonly heard: boolean
} => {
  const isShort = lines === 0 && now - startedAt < short
  return {
    // it did not know what a streamed list is
    course: synced ? course : { ...course, pagesSince: now },
    wait: isShort || !synced ? "backoff" : "none",
    heard: synced && !isShort
  }
}

/** A session has failed. */
export const failed = (before: Course, session: Session, error: KubeError, now: number): Next & {
  readonly decision: Decision
  /** Whether this trouble is another than was logged last. */
  readonly isNews: boolean
} => {
  const phase = session.synced ? "follow" : session.phase
  const troubleSince = before.troubleSince ?? now
  const decision = decide(phase, error, before.from, now - troubleSince)
  const relists = decision.next === "keep" ? before.relists : [...recent(before.relists, now), now]
  const wait = decision.next !== "keep" && relists.length > mostRelists && decision.wait === "none"
    ? "backoff"
    : decision.wait
  const byPages = decision.byPages === true || (phase === "stream" && decision.ended === "protocol")
  const trouble = `${decision.ended} ${error.reason}`
  return {
    decision,
    wait,
    isNews: wait !== "none" && before.said !== trouble,
    course: {
      ...before,
      version: decision.next === "keep" ? before.version : undefined,
      from: decision.next === "keep" ? before.from : decision.next === "last" ? before.version ?? before.from : "",
      pagesSince: byPages ? now : before.pagesSince,
      failures: now - before.lastFailureAt > healthyAfter ? 0 : before.failures,
      troubleSince,
      relists,
      silences: before.silences + (decision.ended === "silent" ? 1 : 0),
      said: wait === "none" ? before.said : trouble
    }
  }
}

/** It waits for a failure's sake: the next wait is longer, if it comes soon. */
export const waited = (course: Course, now: number): Course => ({
  ...course,
  failures: now - course.lastFailureAt > healthyAfter ? 1 : course.failures + 1,
  lastFailureAt: now
})
