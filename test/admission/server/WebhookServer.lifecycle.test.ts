// The webhook server's life: no pair yet, a new pair under load, a pair that is none, its end.
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Scope, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { generateKeyPairSync, X509Certificate } from "node:crypto"
import * as net from "node:net"
import * as tls from "node:tls"
import { selfCheck } from "../../../src/admission/server/SelfCheck.ts"
import { eventually } from "../../support/Eventually.ts"
import { reviewOf } from "../Reviews.ts"
import { head, keepAlive, recording, responseOf, serve, servingPair } from "./Serving.ts"

const live = TestClock.withLive
const body = JSON.stringify(reviewOf())

/** The subject of the certificate that is shown. */
const shown = Effect.fnUntraced(function*(port: number) {
  return yield* Effect.callback<string>((resume) => {
    const socket = tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
      resume(Effect.succeed(socket.getPeerX509Certificate()?.subject ?? ""))
      socket.end()
    })
    socket.on("error", (error) => resume(Effect.die(error)))
  })
})

const freePort = Effect.callback<number>((resume) => {
  const server = net.createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})

const isRefused = (port: number) =>
  Effect.callback<boolean>((resume) => {
    const socket = net.connect(port, "127.0.0.1", () => {
      socket.destroy()
      resume(Effect.succeed(false))
    })
    socket.on("error", () => resume(Effect.succeed(true)))
  })

describe("a serving pair", () => {
  it.effect("is waited for: nothing listens without one", () =>
    Effect.gen(function*() {
      const at = yield* freePort
      const { check, pair, port, post, server } = yield* serve({ unpaired: true, port: at })
      assert.strictEqual(yield* check, "it has no certificate yet")
      assert.isTrue(yield* isRefused(at))
      yield* SubscriptionRef.set(pair, Option.some(servingPair(server)))
      assert.strictEqual(yield* port, at)
      assert.isUndefined(yield* check)
      assert.strictEqual((yield* post()).status, 200)
      yield* SubscriptionRef.set(pair, Option.none())
      assert.isUndefined(yield* check)
    }))

  it.effect("is replaced under load without a call that fails", () =>
    Effect.gen(function*() {
      const { check, other, pair, port, post, server } = yield* serve()
      const agent = yield* keepAlive({ maxSockets: 4 })
      assert.match(yield* shown(yield* port), /CN=server/)
      let calls = 0
      const callOn = (options: Parameters<typeof post>[0]) =>
        Effect.gen(function*() {
          for (let count = 0; count < 60; count++) {
            assert.strictEqual(responseOf(yield* post(options))["allowed"], true)
            calls++
          }
        })
      // with connections that stay, and with a handshake each
      const load = yield* Effect.forkChild(
        Effect.all([callOn({ agent }), callOn({ agent }), callOn({}), callOn({}), callOn({})], {
          concurrency: "unbounded"
        })
      )
      for (let count = 1; count <= 10; count++) {
        yield* live(eventually("the load has ended", () => calls >= count * 20))
        yield* SubscriptionRef.set(pair, Option.some(servingPair(count % 2 === 1 ? other : server)))
      }
      yield* SubscriptionRef.set(pair, Option.some(servingPair(other)))
      yield* Fiber.join(load)
      assert.strictEqual(calls, 300)
      yield* live(eventually("the old one is shown", Effect.map(shown(yield* port), (it) => it.includes("CN=someone"))))
      assert.isUndefined(yield* check)
    }))

  it.effect("that is no pair is refused and said, and the old one stays", () => {
    const { layer, lines } = recording()
    return Effect.gen(function*() {
      const { check, other, pair, port, post, server } = yield* serve()
      const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({
        type: "pkcs8",
        format: "pem"
      })
      const wrong = [
        [{ cert: other.cert, key: server.key }, "belong to different pairs"],
        // which OpenSSL takes without a word
        [{ cert: other.cert, key: String(rsa) }, "belong to different pairs"],
        [{ cert: "nonsense", key: server.key }, "is no PEM certificate"],
        [{ cert: "", key: "" }, "is no PEM certificate"],
        [{ cert: other.cert, key: "hunter2" }, "no PEM private key"]
      ] as const
      for (const [it, problem] of wrong) {
        const before = lines.length
        yield* SubscriptionRef.set(pair, Option.some(servingPair(it)))
        yield* live(eventually("nothing is said", () => lines.length > before))
        assert.match(
          lines.at(-1) ?? "",
          new RegExp(`refuses its new certificate: .*${problem}; the old one stays in use`)
        )
        assert.match(yield* shown(yield* port), /CN=server/)
        assert.isUndefined(yield* check)
        assert.strictEqual((yield* post()).status, 200)
      }
      assert.notInclude(lines.join("\n"), "hunter2")
    }).pipe(Effect.provide(layer))
  })

  it.effect("that is no pair does not let it listen, and the next good one does", () => {
    const { layer, lines } = recording()
    return Effect.gen(function*() {
      const { check, other, pair, port, server } = yield* serve({ unpaired: true })
      yield* SubscriptionRef.set(pair, Option.some(servingPair({ cert: other.cert, key: server.key })))
      yield* live(eventually("nothing is said", () => lines.some((it) => it.includes("nothing listens until"))))
      assert.strictEqual(yield* check, "it has no certificate yet")
      yield* SubscriptionRef.set(pair, Option.some(servingPair(server)))
      yield* port
      assert.isUndefined(yield* check)
    }).pipe(Effect.provide(layer))
  })
})

describe("a port that is taken", () => {
  const taken = Effect.acquireRelease(
    Effect.callback<net.Server>((resume) => {
      const server = net.createServer().listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => server.close())
  )
  const portOf = (server: net.Server) => {
    const address = server.address()
    return typeof address === "object" && address !== null ? address.port : 0
  }

  it.effect("is said at the start, once", () => {
    const { layer, lines } = recording()
    return Effect.gen(function*() {
      const port = portOf(yield* taken)
      const error = yield* Effect.flip(serve({ port }))
      assert.strictEqual(error._tag, "ListenError")
      assert.match(error.message, new RegExp(`cannot listen on port ${port}: .*EADDRINUSE.*another one`))
      assert.deepStrictEqual(lines, [])
    }).pipe(Effect.provide(layer))
  })

  it.effect("ends the fiber that waits for a pair", () =>
    Effect.gen(function*() {
      const port = portOf(yield* taken)
      const ended = yield* Deferred.make<unknown>()
      const { pair, server } = yield* serve({
        port,
        unpaired: true,
        run: (_, effect) =>
          Effect.asVoid(Effect.forkDetach(Effect.catchCause(effect, (cause) => Deferred.succeed(ended, cause))))
      })
      yield* SubscriptionRef.set(pair, Option.some(servingPair(server)))
      assert.match(String(yield* Deferred.await(ended)), /ListenError/)
    }))
})

describe("the end", () => {
  /** A server whose scope is closed by the test, and a handler that waits for it. */
  const ending = Effect.gen(function*() {
    const asked = yield* Deferred.make<void>()
    const go = yield* Deferred.make<void>()
    const scope = yield* Scope.make()
    const serving = yield* serve({
      drainFor: Effect.succeed("10 seconds"),
      handler: ({ name }) =>
        name === "waits"
          ? Effect.as(Effect.andThen(Deferred.succeed(asked, undefined), Deferred.await(go)), {})
          : Effect.succeed({})
    }).pipe(Scope.provide(scope))
    return { ...serving, asked, go, close: Scope.close(scope, Exit.void) }
  })
  const waits = { body: JSON.stringify(reviewOf({ name: "waits" })) }

  it.effect("is not ready at once, goes on answering for a while, and answers who is in flight", () =>
    Effect.gen(function*() {
      const { asked, check, close, go, port, post } = yield* ending
      const at = yield* port
      const agent = yield* keepAlive({ maxSockets: 1 })
      assert.strictEqual((yield* post({ agent })).headers["connection"], "keep-alive")
      assert.isUndefined(yield* check)
      const closing = yield* Effect.forkChild(close, { startImmediately: true })
      assert.strictEqual(yield* check, "it is stopping")
      // on the connection that was idle, and on a new one
      for (let count = 0; count < 3; count++) {
        const { headers, status } = yield* post({ agent })
        assert.deepStrictEqual([status, headers["connection"]], [200, "close"])
      }
      yield* TestClock.adjust("9 seconds")
      assert.isFalse(yield* isRefused(at))
      const last = yield* Effect.forkChild(post(waits))
      yield* Deferred.await(asked)
      yield* TestClock.adjust("1 second")
      assert.isTrue(yield* isRefused(at))
      assert.isUndefined(closing.pollUnsafe())
      yield* Deferred.succeed(go, undefined)
      const { headers, status } = yield* Fiber.join(last)
      assert.deepStrictEqual([status, headers["connection"]], [200, "close"])
      yield* Fiber.join(closing)
    }))

  it.effect("waits for nobody who does not come to an end, nor for idle connections", () =>
    Effect.gen(function*() {
      const { close, post, speak } = yield* ending
      const agent = yield* keepAlive()
      yield* post({ agent })
      const { ended, socket } = yield* speak
      socket.write(head({ "content-length": body.length }) + body.slice(0, 10))
      yield* live(eventually("nothing was sent", () => socket.bytesWritten > 10 && !socket.connecting))
      const closing = yield* Effect.forkChild(close, { startImmediately: true })
      yield* TestClock.adjust("10 seconds")
      yield* post().pipe(Effect.flip)
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(closing)
      assert.strictEqual(yield* ended, "")
    }))

  it.effect("takes no time where nothing listens", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      yield* serve({ unpaired: true, drainFor: Effect.succeed("10 seconds") }).pipe(Scope.provide(scope))
      yield* Scope.close(scope, Exit.void)
    }))
})

describe("the handshake with itself", () => {
  it.effect("tells another certificate, an expired one, a closed port and a silent one", () =>
    Effect.gen(function*() {
      const { port, server } = yield* serve()
      const at = { host: "127.0.0.1", port: yield* port, notAfter: 1_000_000 }
      const fingerprint = new X509Certificate(server.cert).fingerprint256
      assert.isUndefined(yield* selfCheck({ ...at, fingerprint }))
      assert.strictEqual(
        yield* selfCheck({ ...at, fingerprint: "AA:BB" }),
        "it shows another certificate than the current one"
      )
      assert.strictEqual(yield* selfCheck({ ...at, fingerprint, notAfter: 0 }), "its certificate has expired")
      const closed = yield* freePort
      assert.match((yield* selfCheck({ ...at, fingerprint, port: closed })) ?? "", /^no TLS handshake.*ECONNREFUSED/)

      const silent = yield* Effect.acquireRelease(
        Effect.callback<net.Server>((resume) => {
          const it = net.createServer().listen(0, "127.0.0.1", () => resume(Effect.succeed(it)))
        }),
        (it) => Effect.sync(() => it.close())
      )
      const address = silent.address()
      const heard = Effect.callback<void>((resume) => void silent.once("connection", () => resume(Effect.void)))
      const listening = yield* Effect.forkChild(heard, { startImmediately: true })
      const asking = yield* Effect.forkChild(
        selfCheck({ ...at, fingerprint, port: typeof address === "object" && address !== null ? address.port : 0 })
      )
      yield* Fiber.join(listening)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(asking), "no TLS handshake with itself within a second")
    }))
})
