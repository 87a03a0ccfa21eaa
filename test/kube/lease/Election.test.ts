import { assert, describe, it } from "@effect/vitest"
import * as Election from "../../../src/kube/lease/Election.ts"
import { decode, type Lease, type LeaseRecord } from "../../../src/kube/lease/LeaseRecord.ts"

const where = { namespace: "ns", name: "lease" }
const at = (uptime: number, wall = uptime + 1e12): Election.Moment => ({ uptime, wall })

let version = 1
/** What the server has after a write, or of somebody else. */
const stored = (body: Readonly<Record<string, unknown>>): Lease => {
  const lease = decode({ ...body, metadata: { ...where, resourceVersion: String(version++) } })
  assert.isDefined(lease)
  return lease
}
const of = (holder: string, renewTime = "r1", leaseDurationSeconds = 15): Lease =>
  stored({
    kind: "Lease",
    spec: { holderIdentity: holder, leaseDurationSeconds, acquireTime: "a", renewTime, leaseTransitions: 4 }
  })
const recordOf = (write: Election.Write | undefined): LeaseRecord | undefined =>
  write === undefined ? undefined : stored(write.body).record

const begun = Election.begin("me", where)
/** Leads since zero. */
const leading = (): Election.Election => {
  const absent = Election.read(begun, undefined, at(0))
  const write = Election.claim(absent, at(0))
  assert.isDefined(write)
  return Election.written(Election.sent(absent), at(0), stored(write.body), at(100))
}

describe("a candidate", () => {
  it("writes nothing before it has read", () => {
    assert.isUndefined(Election.claim(begun, at(0)))
    assert.isUndefined(Election.renewal(begun, at(0)))
    assert.isFalse(Election.mayWrite(begun, at(0)))
    assert.isUndefined(Election.leaderOf(begun, at(0)))
  })

  it("makes the lease where there is none, and leads once that is answered", () => {
    const absent = Election.read(begun, undefined, at(0))
    const write = Election.claim(absent, at(0))
    assert.strictEqual(write?.method, "POST")
    assert.deepInclude(recordOf(write), { holder: "me", durationSeconds: 15, transitions: 0 })
    assert.isFalse(Election.mayWrite(Election.sent(absent), at(0)))
    const won = leading()
    assert.isTrue(Election.mayWrite(won, at(100)))
    assert.strictEqual(Election.leaderOf(won, at(100)), "me")
  })

  it("waits for the whole duration after the last change that it saw, whatever the timestamps say", () => {
    let election = Election.read(begun, of("other", "1970-01-01T00:00:00.000000Z"), at(1000))
    assert.strictEqual(Election.leaderOf(election, at(15_999)), "other")
    assert.isUndefined(Election.claim(election, at(15_999)))
    election = Election.read(election, of("other", "2999-01-01T00:00:00.000000Z"), at(15_999))
    assert.isUndefined(Election.claim(election, at(16_000)))
    election = Election.read(election, of("other", "2999-01-01T00:00:00.000000Z"), at(30_999))
    const write = Election.claim(election, at(30_999))
    assert.strictEqual(write?.method, "PUT")
    assert.deepInclude(recordOf(write), { holder: "me", transitions: 5 })
    assert.isUndefined(Election.leaderOf(election, at(30_999)))
  })

  it("waits for longer where the record says so, and for no shorter", () => {
    const long = Election.read(begun, of("other", "r", 60), at(0))
    assert.isUndefined(Election.claim(long, at(59_999)))
    assert.isDefined(Election.claim(long, at(60_000)))
    const short = Election.read(begun, of("other", "r", 1), at(0))
    assert.isUndefined(Election.claim(short, at(14_999)))
  })

  it("takes at once what was released", () => {
    const election = Election.read(begun, of("", "r", 1), at(0))
    assert.deepInclude(recordOf(Election.claim(election, at(0))), { holder: "me", transitions: 5 })
  })

  it("does not take a lease that was deleted before its holder must have noticed", () => {
    const seen = Election.read(begun, of("other"), at(0))
    const gone = Election.read(seen, undefined, at(2000))
    assert.isUndefined(Election.claim(gone, at(14_999)))
    assert.strictEqual(Election.claim(gone, at(15_000))?.method, "POST")
  })

  it("takes up what it holds without knowing", () => {
    const election = Election.read(begun, of("me"), at(0))
    assert.isFalse(Election.mayWrite(election, at(0)))
    assert.deepInclude(recordOf(Election.claim(election, at(0))), { holder: "me", acquireTime: "a", transitions: 4 })
  })

  it("asks again when the lease runs out, and else with a jitter", () => {
    assert.strictEqual(Election.pauseOf(begun, at(0), 0), 2000)
    assert.strictEqual(Election.pauseOf(begun, at(0), 1), 4400)
    const waits = Election.read(begun, of("other"), at(0))
    assert.strictEqual(Election.pauseOf(waits, at(1000), 1), 4400)
    assert.strictEqual(Election.pauseOf(waits, at(14_000), 1), 1000)
    assert.strictEqual(Election.pauseOf(waits, at(15_000), 0), 2000)
  })

  it("does not count transitions beyond what the field holds", () => {
    const lease = stored({ kind: "Lease", spec: { holderIdentity: "", leaseTransitions: 2 ** 31 - 1 } })
    assert.strictEqual(recordOf(Election.claim(Election.read(begun, lease, at(0)), at(0)))?.transitions, 2 ** 31 - 1)
  })
})

describe("a leader", () => {
  it("renews without reading, and keeps since when it leads", () => {
    const election = leading()
    const first = typeof election.basis === "string" ? undefined : election.basis.record
    const write = Election.renewal(election, at(2000))
    assert.strictEqual(write?.method, "PUT")
    const second = recordOf(write)
    assert.deepInclude(second, { holder: "me", acquireTime: first?.acquireTime, transitions: 0 })
    assert.notStrictEqual(second?.renewTime, first?.renewTime)
    // the wall clock was set back to where it was
    assert.notStrictEqual(recordOf(Election.renewal(election, at(2000, 1e12)))?.renewTime, first?.renewTime)
  })

  it("reads again after a write whose end it does not know", () => {
    const unsure = Election.sent(leading())
    assert.isUndefined(Election.renewal(unsure, at(2000)))
    assert.isTrue(Election.mayWrite(unsure, at(2000)))
    assert.isUndefined(Election.claim(unsure, at(2000)))
  })

  it("counts from the beginning of its last renewal, by both clocks", () => {
    const election = leading()
    assert.isTrue(Election.mayWrite(election, at(9_999)))
    assert.isFalse(Election.mayWrite(election, at(10_000)))
    assert.strictEqual(Election.remaining(election, at(4000)), 6000)
    assert.strictEqual(Election.remaining(election, at(60_000)), 0)
    // suspended: the clock that only goes on stood still
    assert.isFalse(Election.mayWrite(election, at(200, 1e12 + 3_600_000)))
    // set back
    assert.isTrue(Election.mayWrite(election, at(200, 0)))
    assert.strictEqual(Election.pauseOf(election, at(9_000), 1), 1000)
  })

  it("is none by an answer that was under way for too long", () => {
    const absent = Election.read(begun, undefined, at(0))
    const late = Election.written(Election.sent(absent), at(0), of("me"), at(60_000))
    assert.isUndefined(late.lead)
    const old = Election.written(Election.sent(leading()), at(2000), of("me"), at(60_000))
    assert.isFalse(Election.mayWrite(old, at(60_000)))
  })

  it("is none once it has seen another, also in the answer to its own write", () => {
    assert.isUndefined(Election.read(leading(), of("other"), at(2000)).lead)
    assert.isUndefined(Election.read(leading(), of(""), at(2000)).lead)
    const lied = Election.written(Election.sent(leading()), at(2000), of("other"), at(2001))
    assert.isUndefined(lied.lead)
    assert.strictEqual(Election.leaderOf(lied, at(2001)), "other")
  })

  it("makes a lease again that was deleted", () => {
    const gone = Election.read(leading(), undefined, at(2000))
    assert.isDefined(gone.lead)
    assert.isUndefined(Election.renewal(gone, at(2000)))
    assert.strictEqual(Election.claim(gone, at(2000))?.method, "POST")
  })

  it("releases what is its own, and nothing else", () => {
    assert.deepInclude(recordOf(Election.resignation(leading(), at(3000))), {
      holder: "",
      durationSeconds: 1,
      transitions: 0
    })
    for (const election of [begun, Election.sent(leading()), Election.read(begun, of("other"), at(0))]) {
      assert.isUndefined(Election.resignation(election, at(3000)))
    }
    const candidate = Election.read(begun, of("other"), at(0))
    assert.deepStrictEqual(
      [begun, candidate, Election.sent(candidate), leading(), Election.gaveUp(leading())].map(Election.mayHold),
      [false, false, true, true, true]
    )
  })

  it("is a problem when it believes in itself for too long", () => {
    assert.isUndefined(Election.problemOf(begun, at(1e9)))
    assert.isUndefined(Election.problemOf(leading(), at(35_000)))
    assert.match(Election.problemOf(leading(), at(36_000)) ?? "", /has not renewed its lease for 36 s/)
    assert.isUndefined(Election.problemOf(Election.gaveUp(leading()), at(36_000)))
  })
})
