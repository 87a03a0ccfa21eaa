// Where a watch is after what: the rules that hold however sessions end.
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { KubeError } from "../../../src/kube/KubeError.ts"
import * as Course from "../../../src/kube/watch/Course.ts"
import { healthyAfter } from "../../../src/kube/watch/AfterError.ts"

const failing = (reason: KubeError["reason"], status?: number): KubeError =>
  new KubeError({
    operation: "GET /things",
    reason,
    status,
    detail: "",
    causes: [],
    retryable: true,
    retryAfter: undefined,
    outcomeUnknown: false
  })

const start = 1_000_000
const seen = Course.listed(Course.begun, "7", start)

/** A session from there that has been seen to follow. */
const following = (course: Course.Course, now: number) => {
  const [begun, session] = Course.begin(course, false, now)
  return { course: begun, session: { ...session, synced: true, lines: 1 } }
}

describe("a course", () => {
  it("reads everything first, by a stream, and then follows from where it was", () => {
    const [, first] = Course.begin(Course.begun, true, start)
    assert.deepStrictEqual([first.phase, first.synced], ["stream", false])
    const [course, next] = Course.begin(Course.moved(seen, "9"), false, start)
    assert.deepStrictEqual([next.phase, next.synced, course.version, course.from], ["follow", true, "9", "7"])
  })

  it("reads everything again, not older than was seen, what was not heard of for long", () => {
    const [course, session] = Course.begin(Course.moved(seen, "9"), true, start)
    assert.deepStrictEqual([session.phase, course.version, course.from], ["stream", undefined, "7"])
  })

  it("reads by pages for half an hour where the server does not know streamed lists", () => {
    const [begun, session] = Course.begin(Course.begun, true, start)
    const { course, wait } = Course.ended(begun, { ...session, lines: 5 }, start)
    assert.strictEqual(wait, "backoff")
    assert.strictEqual(Course.begin(course, true, start + 29 * 60_000)[1].phase, "pages")
    assert.strictEqual(Course.begin(course, true, start + 31 * 60_000)[1].phase, "stream")
  })

  it("goes on at once after an end that was meant, and waits where the server hangs up at once", () => {
    const { course, session } = following(seen, start)
    assert.deepStrictEqual(Course.ended(course, session, start + 1), { course, wait: "none", heard: true })
    const { heard, wait } = Course.ended(course, { ...session, lines: 0 }, start + 1)
    assert.deepStrictEqual([heard, wait], [false, "backoff"])
  })

  it("reads everything again at once where its version expired, three times a minute at most", () => {
    let course = seen
    const waits: Array<string> = []
    for (let times = 0; times < 5; times++) {
      const { course: from, session } = following(Course.listed(course, "8", start + times), start + times)
      const failed = Course.failed(from, session, failing("Expired", 410), start + times)
      assert.deepStrictEqual([failed.course.version, failed.course.from], [undefined, "8"])
      waits.push(failed.wait)
      course = failed.course
    }
    assert.deepStrictEqual(waits, ["none", "none", "none", "backoff", "backoff"])
    const { course: from, session } = following(Course.listed(course, "8", start), start)
    assert.strictEqual(Course.failed(from, session, failing("Expired", 410), start + 61_000).wait, "none")
  })

  it("says a trouble once, and again when all was well in between", () => {
    const { course, session } = following(seen, start)
    const first = Course.failed(course, session, failing("Unreachable"), start)
    const second = Course.failed(first.course, session, failing("Unreachable"), start + 1)
    const other = Course.failed(second.course, session, failing("TooManyRequests", 429), start + 2)
    const after = Course.failed(Course.well(other.course), session, failing("TooManyRequests", 429), start + 3)
    assert.deepStrictEqual([first, second, other, after].map((it) => it.isNews), [true, false, true, true])
  })

  it("counts failures that come soon after each other, and forgets them when it was well for long", () => {
    const twice = Course.waited(Course.waited(seen, start), start + 1)
    assert.strictEqual(twice.failures, 2)
    assert.strictEqual(Course.waited(twice, start + 2 + healthyAfter).failures, 1)
    const { session } = following(twice, start)
    assert.strictEqual(
      Course.failed(twice, session, failing("Unreachable"), start + 2 + healthyAfter).course.failures,
      0
    )
  })

  const Step = Schema.Struct({
    what: Schema.Literals(["listed", "moved", "well", "Expired", "Unreachable", "Timeout", "Forbidden", "BadRequest"]),
    after: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 200_000 })),
    unheard: Schema.Boolean
  })
  it.prop(
    "follows only from a version that it has seen, and never forgets that it must list",
    [Schema.Array(Step)],
    ([steps]) => {
      let course: Course.Course = Course.begun
      let now = start
      let known = false
      for (const { after, unheard, what } of steps) {
        now += after
        const [begun, session] = Course.begin(course, unheard, now)
        if (unheard) known = false
        assert.strictEqual(session.phase === "follow", known)
        assert.strictEqual(begun.version !== undefined, known)
        if (what === "listed") {
          course = Course.listed(begun, "5", now)
          known = true
        } else if (what === "moved") course = known ? Course.moved(begun, "6") : begun
        else if (what === "well") course = Course.well(begun)
        else {
          const failed = Course.failed(begun, session, failing(what, 500), now)
          course = failed.course
          if (failed.decision.next !== "keep") known = false
        }
        assert.isTrue(course.relists.every((it) => it <= now))
      }
    }
  )
})
