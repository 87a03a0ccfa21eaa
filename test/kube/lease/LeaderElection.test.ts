import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Metric, Stream, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { KubeClient } from "../../../src/kube/KubeClient.ts"
import { LeaderElection } from "../../../src/kube/lease/LeaderElection.ts"
import { leader, leaderTransitions } from "../../../src/telemetry/Metrics.ts"
import { fakeApi, json, refuse, testing } from "../FakeApi.ts"
import { LeaseServer, type Network } from "./LeaseServer.ts"
import { type Replica, replica } from "./Replica.ts"

const step = TestClock.adjust("100 millis")
/** Lets time go on in small steps, and looks after each that no two may write. */
const live = (seconds: number, ...replicas: ReadonlyArray<Replica>) =>
  Effect.replicateEffect(
    Effect.gen(function*() {
      yield* step
      const writers = yield* Effect.filter(replicas, (it) => it.mayWrite)
      assert.isAtMost(writers.length, 1, writers.map((it) => it.identity).join(", "))
    }),
    seconds * 10,
    { discard: true }
  )

/** Seconds until something holds. */
const secondsUntil = Effect.fnUntraced(function*(holds: Effect.Effect<boolean>, ...replicas: ReadonlyArray<Replica>) {
  let waited = 0
  while (!(yield* holds)) {
    assert.isBelow(waited, 120)
    yield* live(0.1, ...replicas)
    waited += 0.1
  }
  return waited
})

const first = Effect.fnUntraced(function*(server: LeaseServer) {
  const it = yield* replica(server, "a")
  yield* live(1, it)
  assert.isTrue(yield* it.mayWrite)
  return it
})

describe("one replica", () => {
  it.effect("makes the lease, leads, and renews it every two seconds with one request", () =>
    Effect.gen(function*() {
      const server = new LeaseServer()
      const a = yield* first(server)
      assert.isTrue(yield* a.leads)
      assert.strictEqual(yield* a.election.leader, "a")
      const before = a.link.requests.length
      yield* live(60, a)
      const later = a.link.requests.slice(before)
      assert.deepStrictEqual([...new Set(later.map((request) => request.method))], ["PUT"])
      assert.strictEqual(later.length, 30)
      assert.isTrue(a.link.requests.every((request) => request.purpose === "lease" && request.once === true))
      assert.deepStrictEqual(Object.keys(server.stored?.metadata ?? {}).toSorted(), [
        "labels",
        "name",
        "namespace",
        "resourceVersion"
      ])
      assert.deepStrictEqual(a.lines, ["Info this replica leads now, as a"])
      assert.strictEqual((yield* Metric.value(leader).pipe(Effect.provideContext(a.context))).value, 1)
    }))

  it.effect("tells whoever begins and ends something with the lead", () =>
    Effect.gen(function*() {
      const server = new LeaseServer()
      const a = yield* replica(server, "a")
      const told: Array<boolean> = []
      yield* Effect.forkScoped(
        Stream.runForEach(SubscriptionRef.changes(a.election.leads), (leads) => Effect.sync(() => told.push(leads)))
      )
      yield* live(1, a)
      a.link.network = "cut"
      yield* live(15, a)
      a.link.network = "fair"
      yield* live(5, a)
      assert.deepStrictEqual(told.slice(-3), [true, false, true])
      const turns = yield* Metric.value(leaderTransitions).pipe(Effect.provideContext(a.context))
      assert.strictEqual(turns.count, 3)
    }))

  for (const network of ["cut", "silent", "refused", "garbage", "forbidden", "absent"] as const) {
    it.effect(`gives up ten seconds after its last renewal while the network is: ${network}`, () =>
      Effect.gen(function*() {
        const server = new LeaseServer()
        const a = yield* first(server)
        yield* live(3.5, a)
        a.link.network = network
        yield* live(8, a)
        assert.isTrue(yield* a.mayWrite)
        // its last renewal was begun two seconds before at most
        yield* live(2, a)
        assert.isFalse(yield* a.mayWrite)
        assert.isFalse(yield* a.leads)
        assert.isUndefined(yield* a.election.check)
        yield* live(60, a)
        const said = a.lines.filter((line) => line.startsWith("Warn"))
        assert.strictEqual(said.length, 2, said.join("\n"))
        assert.match(said.join("\n"), /gave up the lead: no renewal of the lease ns\/lease succeeded for 10 s/)
        // and competes on, if need be after a request that is never answered
        a.link.network = "fair"
        yield* live(10, a)
        assert.isTrue(yield* a.mayWrite)
      }))
  }

  it.effect("leads on over answers that are slow, and over those that are lost for a while", () =>
    Effect.gen(function*() {
      const server = new LeaseServer()
      const a = yield* first(server)
      a.link.network = "slow"
      yield* live(30, a)
      for (let time = 0; time < 5; time++) {
        a.link.network = "deaf"
        yield* live(5, a)
        a.link.network = "fair"
        yield* live(5, a)
      }
      assert.isTrue(yield* a.leads)
      assert.deepStrictEqual(server.holders, ["a"])
      assert.strictEqual(server.stored?.spec.leaseTransitions, 0)
    }))

  it.effect("does not lead by a takeover whose answer was lost, until the next one is answered", () =>
    Effect.gen(function*() {
      const server = new LeaseServer()
      const a = yield* replica(server, "a")
      a.link.network = "deaf"
      yield* live(20, a)
      assert.deepStrictEqual([server.holders, yield* a.leads, yield* a.mayWrite], [["a"], false, false])
      // nor does anybody else
      const b = yield* replica(server, "b")
      yield* live(5, a, b)
      assert.deepStrictEqual([yield* b.leads, yield* b.election.leader], [false, "a"])
      a.link.network = "fair"
      yield* live(5, a, b)
      assert.deepStrictEqual([yield* a.mayWrite, server.stored?.spec.leaseTransitions], [true, 0])
    }))

  it.effect("believes no answer that names another", () =>
    Effect.gen(function*() {
      const server = new LeaseServer()
      const a = yield* replica(server, "a")
      a.link.network = "lying"
      yield* live(30, a)
      assert.isFalse(yield* a.leads)
      a.link.network = "fair"
      yield* live(20, a)
      assert.isTrue(yield* a.leads)
      a.link.network = "lying"
      yield* live(3, a)
      assert.isFalse(yield* a.leads)
      assert.match(a.lines.join("\n"), /gave up the lead: the API server has liar as the leader/)
    }))

  it.effect("says once that it has no rights, and tries on", () =>
    Effect.gen(function*() {
      const server = new LeaseServer()
      const a = yield* replica(server, "a")
      a.link.network = "forbidden"
      yield* live(120, a)
      assert.strictEqual(a.lines.length, 1, a.lines.join("\n"))
      assert.match(a.lines[0] ?? "", /^Warn this replica cannot lead unless the lease ns\/lease can be had; .* 403 /)
      assert.isFalse(yield* a.leads)
      assert.isUndefined(yield* a.election.leader)
      assert.isAtLeast(a.link.requests.length, 20)
    }))

  it.effect("makes a lease again that somebody deleted, and leads on", () =>
    Effect.gen(function*() {
      const server = new LeaseServer()
      const a = yield* first(server)
      server.stored = undefined
      yield* live(5, a)
      assert.isTrue(yield* a.mayWrite)
      assert.deepStrictEqual(server.holders, ["a", "a"])
      assert.strictEqual(a.lines.length, 1)
    }))

  it.effect("gives up at once when somebody makes another the leader by hand", () =>
    Effect.gen(function*() {
      const server = new LeaseServer()
      const a = yield* first(server)
      server.edit({ holderIdentity: "b" })
      yield* live(2.5, a)
      assert.isFalse(yield* a.mayWrite)
      assert.strictEqual(yield* a.election.leader, "b")
      assert.deepStrictEqual(a.lines.slice(1), [
        "Warn gave up the lead: the API server has b as the leader",
        "Info b leads"
      ])
    }))
})

describe("after a stall", () => {
  it.effect("whoever asks first gets no, before any timer has run", () =>
    Effect.gen(function*() {
      const server = new LeaseServer()
      const a = yield* first(server)
      // the clocks go on while nothing runs
      a.skew.stood -= 60_000
      a.skew.wall += 60_000
      assert.isFalse(yield* a.mayWrite)
      assert.strictEqual(yield* a.election.leader, "a")
      assert.match((yield* a.election.check) ?? "", /has not renewed its lease/)
      yield* live(2.5, a)
      assert.isTrue(yield* a.mayWrite)
      assert.isUndefined(yield* a.election.check)
      assert.match(a.lines.join("\n"), /gave up the lead: no renewal/)
    }))

  it.effect("an answer that comes late does not make it the leader", () =>
    Effect.gen(function*() {
      const server = new LeaseServer()
      const a = yield* replica(server, "a")
      a.link.network = "slow"
      yield* secondsUntil(Effect.sync(() => a.link.requests.length === 2), a)
      assert.strictEqual(a.link.requests[1]?.method, "POST")
      a.skew.stood -= 60_000
      a.skew.wall += 60_000
      yield* live(1, a)
      assert.deepStrictEqual([server.holders, yield* a.leads, yield* a.mayWrite], [["a"], false, false])
    }))

  it.effect("of the whole machine, in which uptime stood still, the wall clock says no", () =>
    Effect.gen(function*() {
      const server = new LeaseServer()
      const a = yield* first(server)
      a.skew.wall += 3_600_000
      assert.isFalse(yield* a.mayWrite)
      yield* live(2.5, a)
      assert.isTrue(yield* a.mayWrite)
    }))
})

describe("two replicas", () => {
  const hours = 3_600_000

  it.effect("have one leader, and both know it, however far their clocks are apart", () =>
    Effect.gen(function*() {
      const server = new LeaseServer()
      const a = yield* first(server)
      const b = yield* replica(server, "b", 7 * hours)
      const c = yield* replica(server, "c", -9 * hours)
      yield* live(120, a, b, c)
      assert.deepStrictEqual(server.holders, ["a"])
      assert.deepStrictEqual([yield* b.election.leader, yield* c.election.leader], ["a", "a"])
      assert.deepStrictEqual([b.lines, c.lines], [["Info a leads"], ["Info a leads"]])
    }))

  for (const skew of [0, 5 * hours, -5 * hours]) {
    it.effect(`the other takes over soon after the lease of a killed one ran out, ${skew / hours} h off`, () =>
      Effect.gen(function*() {
        const server = new LeaseServer()
        const a = yield* first(server)
        const b = yield* replica(server, "b", skew)
        const c = yield* replica(server, "c", -skew)
        yield* live(20, a, b, c)
        yield* a.kill
        const waited = yield* secondsUntil(
          Effect.map(Effect.all([b.mayWrite, c.mayWrite]), (writers) => writers.includes(true)),
          a,
          b,
          c
        )
        // fifteen from when it was seen last, which was asked for every 2 to 4.4 s; the last renewal is up to two old
        assert.isAtLeast(waited, 12.9)
        assert.isAtMost(waited, 19.5)
        yield* live(30, a, b, c)
        assert.strictEqual(server.holders.length, 2)
        assert.strictEqual(server.stored?.spec.leaseTransitions, 1)
      }))
  }

  it.effect("the next one is in within some seconds when the leader releases", () =>
    Effect.gen(function*() {
      const server = new LeaseServer()
      const a = yield* first(server)
      const b = yield* replica(server, "b")
      yield* live(20, a, b)
      yield* a.stop
      assert.isFalse(yield* a.mayWrite)
      assert.deepInclude(server.stored?.spec, { holderIdentity: "", leaseDurationSeconds: 1 })
      assert.match(server.stored?.spec.renewTime ?? "", /\.\d{6}Z$/)
      assert.isAtMost(yield* secondsUntil(b.mayWrite, a, b), 4.5)
      assert.deepStrictEqual(server.holders, ["a", "", "b"])
      assert.include(a.lines, "Info gave up the lead: this replica stops")
    }))

  it.effect("the next one is in as soon as the leader says that it writes no more, and its end changes nothing then", () =>
    Effect.gen(function*() {
      const server = new LeaseServer()
      const a = yield* first(server)
      const b = yield* replica(server, "b")
      yield* live(20, a, b)
      yield* a.leave
      assert.deepStrictEqual([yield* a.leads, yield* a.mayWrite], [false, false])
      assert.isAtMost(yield* secondsUntil(b.mayWrite, a, b), 4.5)
      const before = a.link.requests.length
      yield* live(30, a, b)
      yield* a.stop
      assert.strictEqual(a.link.requests.length, before)
      assert.deepStrictEqual(server.holders, ["a", "", "b"])
    }))

  it.effect("it is released also where the fiber was ended before", () =>
    Effect.gen(function*() {
      const server = new LeaseServer()
      const a = yield* first(server)
      yield* a.kill
      yield* live(5, a)
      a.link.network = "fair"
      yield* a.stop
      assert.deepStrictEqual(server.holders, ["a", ""])
      assert.deepStrictEqual([yield* a.leads, yield* a.mayWrite], [false, false])
    }))

  it.effect("nobody releases what is another's", () =>
    Effect.gen(function*() {
      const server = new LeaseServer()
      const a = yield* first(server)
      const b = yield* replica(server, "b")
      yield* live(5, a, b)
      const before = b.link.requests.length
      yield* b.stop
      assert.strictEqual(b.link.requests.length, before)
      server.edit({ holderIdentity: "c" })
      yield* a.stop
      assert.strictEqual(server.stored?.spec.holderIdentity, "c")
    }))

  it.effect("a release that is not answered ends within five seconds, and starts nothing again", () =>
    Effect.gen(function*() {
      const server = new LeaseServer()
      const a = yield* first(server)
      a.link.network = "silent"
      const stopping = yield* Effect.forkChild(a.stop)
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(stopping)
      assert.match(a.lines.join("\n"), /the lease ns\/lease was not released, so that the next replica waits for it/)
      a.link.network = "fair"
      const before = a.link.requests.length
      yield* live(30, a)
      assert.deepStrictEqual([yield* a.leads, a.link.requests.length], [false, before])
    }))

  it.effect("a release that is overtaken by a renewal is made again", () =>
    Effect.gen(function*() {
      const server = new LeaseServer()
      const a = yield* first(server)
      a.link.network = "slow"
      const stopping = yield* Effect.forkChild(a.stop)
      yield* TestClock.adjust("1500 millis")
      server.edit({ renewTime: "2030-01-01T00:00:00.000000Z" })
      yield* TestClock.adjust("3500 millis")
      yield* Fiber.join(stopping)
      assert.strictEqual(server.stored?.spec.holderIdentity, "")
    }))

  it.effect("one that is cut off stops before the other begins, and follows when it is back", () =>
    Effect.gen(function*() {
      const server = new LeaseServer()
      const a = yield* first(server)
      const b = yield* replica(server, "b")
      yield* live(20, a, b)
      a.link.network = "cut"
      yield* live(12, a, b)
      assert.deepStrictEqual([yield* a.mayWrite, yield* b.mayWrite], [false, false])
      yield* live(10, a, b)
      assert.isTrue(yield* b.mayWrite)
      a.link.network = "fair"
      yield* live(10, a, b)
      assert.deepStrictEqual([yield* a.mayWrite, yield* b.mayWrite], [false, true])
      assert.strictEqual(yield* a.election.leader, "b")
    }))

  it.effect("one that stood still for a minute does not write again", () =>
    Effect.gen(function*() {
      const server = new LeaseServer()
      const a = yield* first(server)
      const b = yield* replica(server, "b")
      yield* live(20, a, b)
      // its timers run, but reach nobody: as good as stopped
      a.link.network = "silent"
      yield* secondsUntil(b.mayWrite, a, b)
      a.link.network = "fair"
      yield* live(10, a, b)
      assert.isFalse(yield* a.mayWrite)
      assert.deepStrictEqual(server.holders, ["a", "b"])
    }))

  it.effect("never write both, whatever their networks do", () =>
    Effect.gen(function*() {
      const networks: ReadonlyArray<Network> = ["fair", "slow", "silent", "cut", "deaf", "refused", "garbage", "fair"]
      const server = new LeaseServer()
      const replicas = [yield* replica(server, "a"), yield* replica(server, "b", hours), yield* replica(server, "c")]
      for (let round = 0; round < 40; round++) {
        for (const [index, it] of replicas.entries()) {
          // every pair of networks meets
          it.link.network = networks[(round * (index + 1) + (round >> 3) * index) % networks.length] ?? "fair"
        }
        yield* live(7, ...replicas)
      }
      for (const it of replicas) it.link.network = "fair"
      yield* live(30, ...replicas)
      const writers = yield* Effect.filter(replicas, (it) => it.mayWrite)
      assert.strictEqual(writers.length, 1)
      assert.isAbove(server.holders.length, 3)
    }))
})

describe("over real sockets", () => {
  const lease = (holderIdentity: string, resourceVersion: string) =>
    json(200, {
      kind: "Lease",
      metadata: { namespace: "ns", name: "lease", resourceVersion },
      spec: { holderIdentity, leaseDurationSeconds: 15, renewTime: resourceVersion }
    })

  it.live("a connection that answers no more does not hold up the next request", () =>
    Effect.gen(function*() {
      const api = yield* fakeApi([
        refuse(404, "NotFound"),
        // made, and never answered
        () => undefined,
        (_, response) => response.socket?.destroy(),
        lease("a", "1"),
        lease("a", "2")
      ])
      const scope = yield* Effect.scope
      const context = yield* Layer.buildWithScope(
        LeaderElection.layer({
          namespace: "ns",
          name: "lease",
          identity: "a",
          run: (_, effect) => Effect.asVoid(Effect.forkIn(Effect.orDie(effect), scope))
        }).pipe(Layer.provide(KubeClient.layerFrom({ server: api.server }))),
        scope
      )
      const { changes } = SubscriptionRef
      yield* changes(Context.get(context, LeaderElection).leads).pipe(
        Stream.takeUntil((leads) => leads),
        Stream.runDrain
      )
      assert.deepStrictEqual(api.calls.map((call) => call.method), ["GET", "POST", "GET", "GET", "PUT"])
      assert.include(api.calls[4]?.body, "\"resourceVersion\":\"1\"")
    }).pipe(Effect.provide(testing)))
})
