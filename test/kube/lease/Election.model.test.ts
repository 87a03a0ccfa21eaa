// Contenders with clocks of their own and a server with resourceVersions, under random delays, losses, pauses, suspensions and
// kills: at no instant may two of them write, and when all is well again one of them does.
import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Election from "../../../src/kube/lease/Election.ts"
import { decode, type Lease } from "../../../src/kube/lease/LeaseRecord.ts"

const where = { namespace: "ns", name: "lease" }

/** mulberry32: the same history for the same seed. */
const randomOf = (seed: number) => {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

type Weather = "fair" | "slow" | "deaf" | "cut"

interface Contender {
  election: Election.Election
  weather: Weather
  /** Clocks: of the wall, offset; of the uptime, offset, rate and what it missed while suspended. */
  readonly wallOffset: number
  readonly uptimeOffset: number
  readonly rate: number
  missed: number
  /** Until when nothing runs; the uptime stands still if it is suspended. */
  stoppedUntil: number
  suspendedAt: number | undefined
  generation: number
}

const stay = 5_000
const troubled = 240_000
const calm = 60_000

class World {
  now = 0
  object: Lease | undefined
  version = 1
  readonly events: Array<{ readonly at: number; readonly run: () => void }> = []
  readonly contenders: Array<Contender> = []
  readonly random: () => number
  wins = 0

  constructor(seed: number, count: number) {
    this.random = randomOf(seed)
    for (let index = 0; index < count; index++) {
      const contender: Contender = {
        election: Election.begin(`c${index}`, where),
        weather: "fair",
        wallOffset: (this.random() - 0.5) * 2 * 86_400_000 + 1e12,
        uptimeOffset: this.random() * 1e9,
        rate: 0.9 + this.random() * 0.2,
        missed: 0,
        stoppedUntil: 0,
        suspendedAt: undefined,
        generation: 0
      }
      this.contenders.push(contender)
      this.after(this.random() * 3000, contender, () => this.attempt(contender))
      this.trouble(contender)
    }
  }

  moment(contender: Contender): Election.Moment {
    const stood = contender.missed +
      (contender.suspendedAt === undefined ? 0 : this.now - contender.suspendedAt)
    return {
      uptime: Math.floor((this.now - stood) * contender.rate + contender.uptimeOffset),
      wall: Math.floor(this.now + contender.wallOffset)
    }
  }

  at(time: number, run: () => void) {
    this.events.push({ at: time, run })
  }

  /** In a contender's own time: not while it is stopped, and not in the next life. */
  after(millis: number, contender: Contender, run: () => void) {
    const { generation } = contender
    const due = () => {
      if (contender.generation !== generation) return
      if (this.now < contender.stoppedUntil) this.at(contender.stoppedUntil, due)
      else run()
    }
    this.at(this.now + millis, due)
  }

  trouble(contender: Contender) {
    if (this.now > troubled) {
      contender.weather = "fair"
      return
    }
    const dice = this.random()
    contender.weather = dice < 0.5 ? "fair" : dice < 0.7 ? "slow" : dice < 0.85 ? "deaf" : "cut"
    const what = this.random()
    const lasts = this.random() * 40_000
    if (what < 0.1) contender.stoppedUntil = this.now + lasts
    else if (what < 0.2) {
      contender.stoppedUntil = this.now + lasts
      contender.suspendedAt = this.now
      this.at(this.now + lasts, () => {
        contender.missed += lasts
        contender.suspendedAt = undefined
      })
    } else if (what < 0.25) {
      contender.generation++
      contender.election = Election.begin(`${contender.election.identity}'`, where)
      this.after(this.random() * 5000, contender, () => this.attempt(contender))
    }
    this.at(this.now + lasts + this.random() * 20_000, () => this.trouble(contender))
  }

  apply(write: Election.Write | undefined): Lease | "conflict" | undefined {
    if (write === undefined) return this.object
    const base = decode({ metadata: { resourceVersion: "none" }, ...write.body })
    if (
      write.method === "POST"
        ? this.object !== undefined
        : base?.object["metadata"] !== this.object?.object["metadata"]
    ) return "conflict"
    this.object = decode({ ...write.body, metadata: { ...where, resourceVersion: String(++this.version) } })
    return this.object
  }

  /** A request that may be lost on its way, or its answer; without an answer within five seconds it has failed. */
  send(
    contender: Contender,
    write: Election.Write | undefined,
    answered: (lease: Lease | "conflict" | undefined) => void,
    lost: () => void
  ) {
    const { weather } = contender
    const delay = () => this.random() * (weather === "slow" ? 12_000 : 50)
    let open = true
    this.after(5000, contender, () => {
      if (open) lost()
      open = false
    })
    if (weather === "cut" && this.random() < 0.95) return
    this.at(this.now + delay(), () => {
      const answer = this.apply(write)
      if (weather === "deaf" && this.random() < 0.8) return
      this.after(delay(), contender, () => {
        // what arrives together with the end of a pause may come before the timer
        if (open) answered(answer)
        open = false
      })
    })
  }

  attempt(contender: Contender) {
    const now = () => this.moment(contender)
    const rest = () => {
      if (Election.remaining(contender.election, now()) === 0) contender.election = Election.gaveUp(contender.election)
      this.after(Election.pauseOf(contender.election, now(), this.random()), contender, () => this.attempt(contender))
    }
    const write = (body: Election.Write, failed: () => void) => {
      const begun = now()
      contender.election = Election.sent(contender.election)
      this.send(contender, body, (answer) => {
        if (answer === "conflict" || answer === undefined) return failed()
        contender.election = Election.written(contender.election, begun, answer, now())
        if (contender.election.lead !== undefined) this.wins++
        rest()
      }, failed)
    }
    const look = () =>
      this.send(contender, undefined, (answer) => {
        if (answer === "conflict") return rest()
        contender.election = Election.read(contender.election, answer, now())
        const claim = Election.claim(contender.election, now())
        if (claim === undefined) rest()
        else write(claim, rest)
      }, rest)
    if (Election.remaining(contender.election, now()) === 0) contender.election = Election.gaveUp(contender.election)
    const renewal = Election.renewal(contender.election, now())
    if (renewal === undefined) look()
    else write(renewal, look)
  }

  writers(): ReadonlyArray<string> {
    return this.contenders
      .filter((it) => Election.mayWrite(it.election, this.moment(it)))
      .map((it) => it.election.identity)
  }

  /** Every history of who may write: it begins with an event only, so that after each of them is often enough. */
  run(): void {
    while (this.now < troubled + calm + stay) {
      let first = 0
      for (let index = 1; index < this.events.length; index++) {
        if ((this.events[index]?.at ?? 0) < (this.events[first]?.at ?? 0)) first = index
      }
      const [event] = this.events.splice(first, 1)
      if (event === undefined) return
      this.now = Math.max(this.now, event.at)
      event.run()
      const writers = this.writers()
      assert.isAtMost(writers.length, 1, `at ${this.now} ms: ${writers.join(", ")}`)
    }
  }
}

it.effect.prop(
  "at most one may write at any instant, and one does when all is well again",
  [Schema.Int, Schema.Literals([2, 3, 4])],
  ([seed, count]) =>
    Effect.sync(() => {
      const world = new World(seed, count)
      world.run()
      assert.strictEqual(world.writers().length, 1)
      assert.isAbove(world.wins, 20)
    }),
  { arbitrary: { runs: 150 } }
)
