// Clients that are broken, slow or hostile: each loses its own connection, and nobody else notices.
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as net from "node:net"
import * as tls from "node:tls"
import { handshakeTrouble } from "../../../src/admission/server/HandshakeTrouble.ts"
import { makeServer } from "../../../src/admission/server/Listening.ts"
import { makeRoom } from "../../../src/admission/server/RequestBody.ts"
import { serverLimits } from "../../../src/admission/server/ServerLimits.ts"
import { eventually } from "../../support/Eventually.ts"
import { reviewOf } from "../Reviews.ts"
import { type Answer, head, keepAlive, recording, responseOf, serve } from "./Serving.ts"

const mebi = 1024 * 1024
const body = JSON.stringify(reviewOf())

// what lasts a while within Node is waited for in real time
const live = TestClock.withLive

const fine = Effect.fnUntraced(function*(post: () => Effect.Effect<Answer, unknown>) {
  assert.strictEqual(responseOf(yield* post())["allowed"], true)
})

describe("a body", () => {
  it.effect("that is announced as too large is refused before it is sent", () =>
    Effect.gen(function*() {
      const { observed, post, speak } = yield* serve({ handler: () => Effect.die("asked") })
      const { ended, socket } = yield* speak
      socket.write(head({ "content-length": 8 * mebi }))
      const heard = yield* ended
      assert.match(heard, /^HTTP\/1\.1 413 [^]*connection: close[^]*the body is larger than 7340032 bytes\n$/i)
      assert.deepStrictEqual(observed.map((it) => it.outcome), ["rejected"])
      assert.strictEqual((yield* post({ method: "GET" })).status, 405)
    }))

  it.effect("that turns out to be too large is read no further", () =>
    Effect.gen(function*() {
      const { observed, post, speak } = yield* serve({ limits: { mostBody: 1000 } })
      const { ended, socket } = yield* speak
      socket.write(head({ "transfer-encoding": "chunked" }))
      socket.write(`400\r\n${"x".repeat(1024)}\r\n`)
      assert.match(yield* ended, /^HTTP\/1\.1 413 /)
      assert.deepStrictEqual(observed.map((it) => it.outcome), ["rejected"])
      yield* fine(() => post({ body: JSON.stringify(reviewOf({ object: null })) }))
    }))

  it.effect("of eight mebibytes at once harms nobody", () =>
    Effect.gen(function*() {
      const { observed, post } = yield* serve()
      // the answer can be lost with a connection on which the client still writes
      const status = yield* post({ body: Buffer.alloc(8 * mebi, "x") }).pipe(
        Effect.map((it) => it.status),
        Effect.orElseSucceed(() => 413)
      )
      assert.strictEqual(status, 413)
      assert.deepStrictEqual(observed.map((it) => it.outcome), ["rejected"])
      yield* fine(post)
    }))

  it.effect("of almost seven mebibytes is understood", () =>
    Effect.gen(function*() {
      const { post } = yield* serve()
      yield* fine(() => post({ body: JSON.stringify(reviewOf({ object: "x".repeat(6.9 * mebi) })) }))
    }))

  it.effect("that is shorter than announced gets no answer once the client is gone", () =>
    Effect.gen(function*() {
      const { observed, post, speak } = yield* serve({ handler: () => Effect.die("asked") })
      for (const stop of ["end", "destroy"] as const) {
        const { ended, heard, socket } = yield* speak
        socket.write(head({ "content-length": body.length + 1 }) + body)
        yield* live(eventually("nothing was sent", () => socket.bytesWritten > body.length && !socket.connecting))
        socket[stop]()
        yield* ended
        assert.notMatch(heard(), /200 OK/)
      }
      assert.deepStrictEqual(observed, [])
      assert.strictEqual((yield* post({ path: "/other" })).status, 404)
    }))

  it.effect("that is longer than announced is cut there, and the rest is no request", () =>
    Effect.gen(function*() {
      const { observed, speak } = yield* serve()
      const { ended, socket } = yield* speak
      socket.write(`${head({ "content-length": body.length })}${body}{"more":"of it"}`)
      const heard = yield* ended
      assert.notInclude(heard, "of it")
      assert.isAtMost(observed.length, 1)
      assert.isAtMost([...heard.matchAll(/HTTP\/1\.1 200/g)].length, 1)
    }))

  it.effect("with two lengths is refused", () =>
    Effect.gen(function*() {
      const { observed, speak } = yield* serve()
      const { ended, socket } = yield* speak
      socket.write(`${head({ "content-length": body.length, "transfer-encoding": "chunked" })}${body}`)
      assert.match(yield* ended, /^HTTP\/1\.1 400 /)
      assert.deepStrictEqual(observed, [])
    }))

  it.effect("that drips is given up", () =>
    Effect.gen(function*() {
      const { observed, post, speak } = yield* serve({
        limits: { headersTimeout: 300, requestTimeout: 400, checkInterval: 50 }
      })
      const { ended, socket } = yield* speak
      socket.write(head({ "content-length": body.length }))
      const drip = Effect.forever(Effect.andThen(
        Effect.sync(() => void (socket.writable && socket.write(" "))),
        Effect.sleep("20 millis")
      ))
      const heard = yield* live(Effect.raceFirst(ended, drip))
      assert.match(heard, /^HTTP\/1\.1 408 /)
      assert.deepStrictEqual(observed, [])
      yield* fine(post)
    }))

  it.effect("that comes in single bytes is understood all the same", () =>
    Effect.gen(function*() {
      const { observed, speak } = yield* serve()
      const { heard, socket } = yield* speak
      socket.setNoDelay(true)
      for (const byte of head({ "content-length": body.length }) + body) {
        yield* Effect.callback<void>((resume) => void socket.write(byte, () => resume(Effect.void)))
      }
      yield* live(eventually("no answer", () => heard().includes("\"allowed\":true")))
      assert.deepStrictEqual(observed.map((it) => it.outcome), ["answered"])
    }))
})

describe("the room for bodies", () => {
  it.effect("is for all together: beyond it a request is to come again", () =>
    Effect.gen(function*() {
      const asked = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      const { post } = yield* serve({
        limits: { mostBodies: 10_000 },
        handler: () => Effect.as(Effect.andThen(Deferred.succeed(asked, undefined), Deferred.await(go)), {})
      })
      const large = { body: JSON.stringify(reviewOf({ object: "x".repeat(6000) })) }
      const first = yield* Effect.forkChild(post(large))
      yield* Deferred.await(asked)
      const second = yield* post(large)
      assert.deepStrictEqual([second.status, second.headers["retry-after"], second.headers["connection"]], [
        503,
        "1",
        "close"
      ])
      yield* Deferred.succeed(go, undefined)
      assert.strictEqual((yield* Fiber.join(first)).status, 200)
      yield* fine(() => post(large))
    }))

  it("comes back, whatever its holders do", () => {
    const hold = makeRoom(10)
    const [one, other] = [hold(), hold()]
    assert.deepStrictEqual([one.take(6), other.take(6), other.take(4), one.take(1)], [true, false, true, false])
    one.release()
    one.release()
    assert.deepStrictEqual([other.take(7), other.take(6)], [false, true])
  })

  it.effect("is not held by those who have gone", () =>
    Effect.gen(function*() {
      const { post, speak } = yield* serve({ limits: { mostBodies: 10_000 } })
      for (let count = 0; count < 5; count++) {
        const { ended, socket } = yield* speak
        socket.write(head({ "content-length": 9000 }) + "x".repeat(8000))
        yield* live(eventually("nothing was sent", () => socket.bytesWritten > 8000 && !socket.connecting))
        socket.end()
        yield* ended
      }
      yield* fine(() => post({ body: JSON.stringify(reviewOf({ object: "x".repeat(6000) })) }))
    }))
})

describe("a connection", () => {
  it("has the limits that are meant", () => {
    const server = makeServer(serverLimits)
    assert.deepStrictEqual(
      [server.keepAliveTimeout, server.headersTimeout, server.requestTimeout, server.maxConnections, server.timeout],
      [95_000, 32_000, 35_000, 512, 60_000]
    )
  })

  it.effect("whose head never ends is given up", () =>
    Effect.gen(function*() {
      const { post, speak } = yield* serve({ limits: { headersTimeout: 300, requestTimeout: 400, checkInterval: 50 } })
      const { ended, socket } = yield* speak
      socket.write("POST /mutate HTTP/1.1\r\nhost: x\r\nx-more: ")
      assert.match(yield* ended, /^HTTP\/1\.1 408 /)
      yield* fine(post)
    }))

  it.effect("whose head is too large is refused", () =>
    Effect.gen(function*() {
      const { observed, post, speak } = yield* serve()
      const { ended, socket } = yield* speak
      socket.write(head({ "x-large": "x".repeat(70_000) }))
      // the answer can be lost with a connection on which the client still writes
      assert.match(yield* ended, /^(?:HTTP\/1\.1 431 |$)/)
      assert.deepStrictEqual(observed, [])
      yield* fine(() => post({ headers: { "x-large": "x".repeat(60_000) } }))
    }))

  it.effect("on which nothing or no TLS is spoken is closed", () => {
    const { layer, lines } = recording()
    return Effect.gen(function*() {
      const { port, post } = yield* serve({ limits: { handshakeTimeout: 200 } })
      const at = yield* port
      for (const text of ["", "GET / HTTP/1.1\r\n\r\n", "\u0000\u0001"]) {
        yield* Effect.callback<void>((resume) => {
          const socket = net.connect(at, "127.0.0.1", () => void socket.write(text))
          socket.on("error", () => undefined)
          socket.on("close", () => resume(Effect.void))
          socket.resume()
        })
      }
      const said = lines.filter((it) => it.includes("came to no TLS handshake"))
      assert.isAtLeast(said.length, 1)
      assert.deepStrictEqual([...new Set(said)], said)
      yield* fine(post)
    }).pipe(Effect.provide(layer))
  })

  it.effect("whose client does not read its answer is closed", () =>
    Effect.gen(function*() {
      const { observed, post, speak } = yield* serve({
        limits: { stallTimeout: 300, mostConnections: 1 },
        handler: ({ name }) => Effect.succeed(name === "" ? {} : { auditAnnotations: { large: "x".repeat(32 * mebi) } })
      })
      const { ended, socket } = yield* speak
      const named = JSON.stringify(reviewOf({ name: "large" }))
      socket.pause()
      socket.write(head({ "content-length": named.length }) + named)
      yield* live(eventually("no answer", () => observed.length === 1))
      // there is room for one connection, and so for nobody else before it is closed
      yield* live(eventually("it is not closed", Effect.isSuccess(post())))
      socket.resume()
      assert.isBelow((yield* ended).length, 32 * mebi)
    }).pipe(Effect.provide(recording().layer)))

  it.effect("that asks for something else than HTTP gets nothing", () =>
    Effect.gen(function*() {
      const { observed, post, speak } = yield* serve({ handler: () => Effect.succeed({}) })
      for (
        const text of [
          "CONNECT elsewhere:443 HTTP/1.1\r\nhost: x\r\n\r\n",
          "GET /mutate HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
          "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
          "POST /mutate HTTP/1.1\r\n\r\n",
          "\u0000\u0001\u0002"
        ]
      ) {
        const { ended, socket } = yield* speak
        socket.write(text)
        assert.notMatch(yield* ended, /^HTTP\/1\.1 [123]/)
      }
      assert.isTrue(observed.every((it) => it.outcome === "rejected"))
      yield* fine(post)
    }))

  it.effect("with an old protocol is refused, and said once", () => {
    const { layer, lines } = recording()
    return Effect.gen(function*() {
      const { port, post } = yield* serve()
      const at = yield* port
      for (let count = 0; count < 3; count++) {
        yield* Effect.callback<void>((resume) => {
          const options = { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "ALL:@SECLEVEL=0" } as const
          const socket = tls.connect({ host: "127.0.0.1", port: at, rejectUnauthorized: false, ...options })
          socket.on("error", () => resume(Effect.void))
          socket.on("secureConnect", () => resume(Effect.die("an old protocol is spoken")))
        })
      }
      const said = () => lines.filter((it) => it.includes("UNSUPPORTED_PROTOCOL"))
      yield* live(eventually("nothing is said", () => said().length === 1))
      yield* fine(post)
      assert.strictEqual(said().length, 1)
    }).pipe(Effect.provide(layer))
  })

  it("whose client does not trust us is worth a hint, and one that said nothing is not", () => {
    for (const code of ["ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", "ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE"]) {
      assert.match(handshakeTrouble(code) ?? "", /caBundle/)
    }
    assert.match(handshakeTrouble("ERR_SSL_WRONG_VERSION_NUMBER") ?? "", /no TLS handshake \(ERR_SSL_WRONG/)
    for (const code of [undefined, "ECONNRESET", "ERR_TLS_HANDSHAKE_TIMEOUT"]) {
      assert.isUndefined(handshakeTrouble(code))
    }
  })

  it.effect("too many is closed and said, and the others go on", () => {
    const { layer, lines } = recording()
    return Effect.gen(function*() {
      const { post, speak } = yield* serve({ limits: { mostConnections: 2 } })
      const agent = yield* keepAlive({ maxSockets: 1 })
      yield* fine(() => post({ agent }))
      const other = yield* speak
      yield* live(eventually("no handshake", () => other.socket.authorized))
      const { ended } = yield* speak
      assert.strictEqual(yield* ended, "")
      assert.strictEqual(lines.filter((it) => it.includes("has 2 connections")).length, 1)
      yield* fine(() => post({ agent }))
      other.socket.end()
      yield* other.ended
      yield* fine(post)
    }).pipe(Effect.provide(layer))
  })
})
