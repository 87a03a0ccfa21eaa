// What the webhook server answers over real TLS: decisions, handlers that fail, and requests that are none.
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import type { AdmissionRequest } from "../../../src/admission/Review.ts"
import { patienceOf } from "../../../src/admission/server/ReviewExchange.ts"
import { eventually } from "../../support/Eventually.ts"
import { reviewOf } from "../Reviews.ts"
import { head, keepAlive, recording, responseOf, serve, token } from "./Serving.ts"

const uid = reviewOf().request.uid

describe("the webhook server", () => {
  it.effect("hands the request to the path's handler and answers what that decides", () =>
    Effect.gen(function*() {
      const seen: Array<AdmissionRequest> = []
      const { observed, post } = yield* serve({
        handler: (request) =>
          Effect.sync(() => {
            seen.push(request)
            return { patch: [{ op: "replace", path: "/a", value: 1 }], warnings: ["w"] }
          })
      })
      const answer = yield* post()
      assert.strictEqual(answer.status, 200)
      assert.deepStrictEqual(responseOf(answer), {
        uid,
        allowed: true,
        patchType: "JSONPatch",
        patch: Buffer.from("[{\"op\":\"replace\",\"path\":\"/a\",\"value\":1}]").toString("base64"),
        warnings: ["w"]
      })
      assert.deepStrictEqual(seen.map((it) => [it.namespace, it.object]), [["shop", reviewOf().request.object]])
      assert.deepStrictEqual(observed, [{ path: "/mutate", outcome: "answered", millis: 0 }])
    }))

  it.effect("says what the answer is, that nobody may store it, and not who we are", () =>
    Effect.gen(function*() {
      const { post } = yield* serve()
      const { body, headers } = yield* post()
      assert.strictEqual(headers["content-type"], "application/json")
      assert.strictEqual(headers["content-length"], String(Buffer.byteLength(body)))
      assert.strictEqual(headers["cache-control"], "no-store")
      assert.isUndefined(headers["server"])
      assert.isUndefined(headers["x-powered-by"])
    }))

  it.effect("keeps connections, longer than the API server does", () =>
    Effect.gen(function*() {
      const { post } = yield* serve()
      const agent = yield* keepAlive({ maxSockets: 1 })
      let opened = 0
      const connect = agent.createConnection.bind(agent)
      agent.createConnection = (...given) => {
        opened++
        return connect(...given)
      }
      for (let count = 0; count < 5; count++) {
        const { headers, status } = yield* post({ agent })
        assert.deepStrictEqual([status, headers["connection"], headers["keep-alive"]], [
          200,
          "keep-alive",
          "timeout=95"
        ])
      }
      assert.strictEqual(opened, 1)
    }))

  it.effect("answers 200 at once", () =>
    Effect.gen(function*() {
      const { observed, post } = yield* serve({ handler: () => Effect.as(Effect.yieldNow, { warnings: ["w"] }) })
      const answers = yield* Effect.forEach(
        Array.from({ length: 200 }, (_, at) => `uid-${at}`),
        (it) => Effect.map(post({ body: JSON.stringify(reviewOf({ uid: it })) }), (answer) => [it, answer] as const),
        { concurrency: "unbounded" }
      )
      for (const [it, answer] of answers) {
        assert.deepStrictEqual(responseOf(answer), { uid: it, allowed: true, warnings: ["w"] })
      }
      assert.strictEqual(observed.filter((it) => it.outcome === "answered").length, 200)
    }))

  it.effect("lets DELETE and CONNECT pass without asking anybody", () =>
    Effect.gen(function*() {
      const { post } = yield* serve({ handler: () => Effect.die("asked") })
      for (const operation of ["DELETE", "CONNECT"]) {
        const answer = yield* post({ body: JSON.stringify(reviewOf({ operation, object: null })) })
        assert.deepStrictEqual(responseOf(answer), { uid, allowed: true })
      }
    }))
})

describe("a handler", () => {
  it.effect("that dies leaves the object unchanged, and is logged without it", () => {
    const { layer, lines } = recording()
    return Effect.gen(function*() {
      const { observed, post } = yield* serve({ handler: () => Effect.die(new Error("a defect")) })
      const body = JSON.stringify(reviewOf({ object: { data: "hunter2" }, name: `x\n${"y".repeat(9999)}` }))
      assert.deepStrictEqual(responseOf(yield* post({ body })), {
        uid,
        allowed: true,
        warnings: ["image-cloner: internal error, image left unchanged"]
      })
      assert.deepStrictEqual(observed.map((it) => it.outcome), ["failed"])
      const line = lines.find((it) => it.includes("/mutate failed")) ?? ""
      assert.match(line, /CREATE pods "shop\/x\\ny+", request "705ab4f5.*a defect/s)
      assert.notInclude(line, "hunter2")
      assert.isBelow(line.length, 3000)
    }).pipe(Effect.provide(layer))
  })

  it.effect("that throws at once, or answers what cannot be written, has failed as well", () => {
    const cycle: Record<string, unknown> = {}
    cycle["self"] = cycle
    return Effect.gen(function*() {
      const { observed, post } = yield* serve({
        handler: ({ name }) => {
          if (name === "throws") throw new Error("thrown")
          return Effect.succeed({ patch: [{ op: "add", path: "/a", value: cycle }] })
        }
      })
      for (const name of ["throws", "writes"]) {
        assert.strictEqual(responseOf(yield* post({ body: JSON.stringify(reviewOf({ name })) }))["allowed"], true)
      }
      assert.deepStrictEqual(observed.map((it) => it.outcome), ["failed", "failed"])
    }).pipe(Effect.provide(recording().layer))
  })

  for (
    const [kind, change] of [["", Effect.interruptible], [" and cannot be stopped", Effect.uninterruptible]] as const
  ) {
    it.effect(`that never answers${kind} leaves the object unchanged in time`, () =>
      Effect.gen(function*() {
        const asked = yield* Deferred.make<void>()
        const free = yield* Deferred.make<void>()
        const { observed, post } = yield* serve({
          handler: () => change(Effect.as(Effect.andThen(Deferred.succeed(asked, undefined), Deferred.await(free)), {}))
        })
        const answer = yield* Effect.forkChild(post())
        yield* Deferred.await(asked)
        yield* TestClock.adjust("3999 millis")
        assert.deepStrictEqual(observed, [])
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(responseOf(yield* Fiber.join(answer)), {
          uid,
          allowed: true,
          warnings: ["image-cloner: no decision in time, image left unchanged"]
        })
        assert.deepStrictEqual(observed, [{ path: "/mutate", outcome: "late", millis: 4000 }])
        yield* Deferred.succeed(free, undefined)
      }))
  }

  it.effect("has less time where the body took some", () =>
    Effect.gen(function*() {
      const asked = yield* Deferred.make<void>()
      const { observed, speak } = yield* serve({
        handler: () => Effect.andThen(Deferred.succeed(asked, undefined), Effect.never)
      })
      const { heard, socket } = yield* speak
      const body = JSON.stringify(reviewOf())
      const lived = TestClock.withLive
      socket.write(head({ "content-length": body.length, "expect": "100-continue" }))
      // which Node sends as it hands the request to us
      yield* lived(eventually("the head has not arrived", () => heard().includes("100 Continue")))
      yield* TestClock.adjust("3 seconds")
      socket.write(body)
      yield* Deferred.await(asked)
      yield* TestClock.adjust("1 second")
      yield* lived(eventually("no answer", () => heard().includes("no decision in time")))
      assert.deepStrictEqual(observed, [{ path: "/mutate", outcome: "late", millis: 4000 }])
    }))

  it.effect("ends with its client", () =>
    Effect.gen(function*() {
      let ended = false
      const asked = yield* Deferred.make<void>()
      const { observed, speak } = yield* serve({
        handler: () =>
          Effect.andThen(Deferred.succeed(asked, undefined), Effect.never).pipe(
            Effect.onInterrupt(() => Effect.sync(() => void (ended = true)))
          )
      })
      const { socket } = yield* speak
      const body = JSON.stringify(reviewOf())
      socket.write(head({ "content-length": body.length }) + body)
      yield* Deferred.await(asked)
      socket.destroy()
      yield* eventually("the handler goes on", () => ended).pipe(TestClock.withLive)
      assert.deepStrictEqual(observed, [])
    }))

  it("has four fifths of the time that the API server waits, and never more than its own", () => {
    const cases: ReadonlyArray<readonly [string, number]> = [
      ["timeout=1s", 800],
      ["timeout=2.5s", 2000],
      ["timeout=500ms", 400],
      ["timeout=5s", 4000],
      ["timeout=30s", 4000],
      ["timeout=1m0s", 4000],
      ["timeout=0s", 0],
      ["timeout=-1s", 4000],
      ["timeout=NaN", 4000],
      ["timeout=", 4000],
      ["timeout=%zz", 4000],
      ["", 4000],
      ["a=b&timeout=1s&timeout=9s", 800]
    ]
    for (const [query, millis] of cases) assert.strictEqual(patienceOf(query, 4000), millis, query)
  })
})

describe("what is told of answers", () => {
  it.effect("does not cost an answer where it dies", () => {
    const { layer, lines } = recording()
    return Effect.gen(function*() {
      const { post } = yield* serve({ observe: () => Effect.die("a defect") })
      const agent = yield* keepAlive({ maxSockets: 1 })
      for (let count = 0; count < 2; count++) assert.strictEqual((yield* post({ agent })).status, 200)
      assert.strictEqual(lines.filter((it) => it.includes("has a defect")).length, 2)
    }).pipe(Effect.provide(layer))
  })
})

describe("a request that is no review", () => {
  it.effect("is told what is wrong with it, and repeats nothing", () =>
    Effect.gen(function*() {
      const { observed, post } = yield* serve({ handler: () => Effect.die("asked") })
      const cases = [
        [{ path: "/other" }, 404, "no webhook is at this path\n"],
        [{ path: `/other/${token}` }, 404, "no webhook is at this path\n"],
        // who does not know the token learns nothing, not even whether there is a webhook
        ...["/mutate", "/mutate/", "/mutate/secret", `/mutate/${token}/`, `/mutate/x/${token}`, `/${token}`].map((
          path
        ) => [{ path }, 404, "no webhook is at this path\n"] as const),
        [{ method: "GET", body: "" }, 405, "only POST is understood\n"],
        [{ method: "PUT" }, 405, "only POST is understood\n"],
        [{ headers: { "content-type": "text/json" } }, 415, "only application/json is understood\n"],
        [{ body: "" }, 400, "the body is not JSON\n"],
        [{ body: "{\"hunter2" }, 400, "the body is not JSON\n"],
        [{ body: Buffer.from([0x22, 0xFF, 0x22]) }, 400, "the body is not JSON\n"],
        [{ body: "{\"hunter2\":1}" }, 400, "the body is no AdmissionReview\n"],
        [{ body: JSON.stringify({ ...reviewOf(), apiVersion: "admission.k8s.io/v1beta1" }) }, 400, "only Admission"],
        [{ body: JSON.stringify(reviewOf({ uid: "" })) }, 400, "the request has no uid\n"],
        [{ body: "[".repeat(100_000) }, 400, "the body is not JSON\n"],
        // it would take a hundred megabytes, and all else would wait for it
        [{ body: `[${"[],".repeat(400_000)}[]]` }, 400, "the body has too many values\n"]
      ] as const
      for (const [it, status, text] of cases) {
        const answer = yield* post(it)
        assert.deepStrictEqual([answer.status, answer.body.slice(0, text.length)], [status, text])
        assert.notInclude(answer.body, "hunter2")
        assert.strictEqual(answer.headers["content-type"], "text/plain; charset=utf-8")
        assert.strictEqual(answer.headers["cache-control"], "no-store")
      }
      assert.strictEqual((yield* post({ method: "GET", body: "" })).headers["allow"], "POST")
      assert.deepStrictEqual([...new Set(observed.map((it) => it.outcome))], ["rejected"])
      assert.deepStrictEqual(new Set(observed.map((it) => it.path)), new Set(["", "/mutate"]))
    }))

  it.effect("takes a content type with a parameter", () =>
    Effect.gen(function*() {
      const { post } = yield* serve()
      const answer = yield* post({ headers: { "content-type": "Application/JSON; charset=utf-8" } })
      assert.strictEqual(answer.status, 200)
    }))
})
