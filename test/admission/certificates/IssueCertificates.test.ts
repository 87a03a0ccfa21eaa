import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { SecureRandom } from "effect/crypto"
import { TestClock } from "effect/testing"
import { createPrivateKey, X509Certificate } from "node:crypto"
import * as https from "node:https"
import type { AddressInfo } from "node:net"
import { issueAuthority, issueLeaf, type KeyPair } from "../../../src/admission/certificates/IssueCertificates.ts"
import { made, names } from "./World.ts"

const hour = 3_600_000
const day = 24 * hour

/** Serves once with the pair; answers the code of the error that a client sees, or what it reads. */
const handshake = (pair: KeyPair, ca: string, host: string, servername?: string) =>
  Effect.acquireUseRelease(
    Effect.callback<https.Server>((resume) => {
      const server = https.createServer(
        { cert: pair.certificate, key: Redacted.value(pair.key) },
        (_, response) => response.end("served")
      )
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.callback<string>((resume) => {
        // a listening TCP server has an address that is no string
        const { port } = server.address() as AddressInfo
        https.get({
          host,
          port,
          ca,
          rejectUnauthorized: true,
          agent: false,
          ...(servername === undefined ? {} : { servername })
        }, (response) => {
          response.setEncoding("utf8").on("data", (text: string) => resume(Effect.succeed(text)))
        }).on("error", (error: NodeJS.ErrnoException) => resume(Effect.succeed(error.code ?? error.message)))
      }),
    (server) => Effect.sync(() => server.closeAllConnections()).pipe(Effect.andThen(Effect.sync(() => server.close())))
  )

const issued = Effect.gen(function*() {
  const authority = yield* issueAuthority
  return { authority, leaf: yield* issueLeaf(authority, names) }
})

describe("issued certificates", () => {
  it.effect("are what they are meant to be", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(Date.UTC(2030, 0, 1))
      const { authority, leaf } = yield* issued
      const ca = new X509Certificate(authority.certificate)
      const cert = new X509Certificate(leaf.certificate)
      assert.isTrue(ca.ca)
      assert.isTrue(ca.verify(ca.publicKey))
      assert.isTrue(ca.checkPrivateKey(createPrivateKey(Redacted.value(authority.key))))
      assert.strictEqual(ca.validFromDate.getTime(), Date.UTC(2030, 0, 1) - hour)
      assert.strictEqual(ca.validToDate.getTime(), Date.UTC(2031, 0, 1))
      assert.isFalse(cert.ca)
      assert.isTrue(cert.checkIssued(ca) && cert.verify(ca.publicKey))
      assert.isTrue(cert.checkPrivateKey(createPrivateKey(Redacted.value(leaf.key))))
      assert.strictEqual(cert.validFromDate.getTime(), Date.UTC(2030, 0, 1) - hour)
      assert.strictEqual(cert.validToDate.getTime(), Date.UTC(2030, 0, 1) + 7 * day)
      assert.deepStrictEqual(cert.keyUsage, ["1.3.6.1.5.5.7.3.1"])
      assert.strictEqual(
        cert.subjectAltName,
        "DNS:webhook, DNS:webhook.cloner.svc, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1"
      )
      assert.include(leaf.key.toString(), "redacted")
    }).pipe(made))

  it.effect("end with their authority at the latest", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(Date.UTC(2030, 0, 1))
      const authority = yield* issueAuthority
      yield* TestClock.adjust("363 days")
      const leaf = new X509Certificate((yield* issueLeaf(authority, names)).certificate)
      assert.strictEqual(leaf.validToDate.getTime(), Date.UTC(2031, 0, 1))
    }).pipe(made))

  it.effect("have serial numbers that are positive, long, and never the same", () =>
    Effect.gen(function*() {
      const all = yield* Effect.forEach(Array.from({ length: 40 }), () => issueAuthority)
      const serials = all.map((it) => new X509Certificate(it.certificate).serialNumber)
      assert.strictEqual(new Set(serials).size, 40)
      for (const serial of serials) assert.match(serial, /^[4-7][0-9A-F]{31}$/)
    }).pipe(made))

  it.effect("have positive serial numbers whatever the random source says", () =>
    Effect.forEach([0x00, 0x80, 0xff], (byte) =>
      Effect.gen(function*() {
        const source = Effect.provideService(
          issueAuthority,
          SecureRandom.SecureRandom,
          {
            ...(yield* SecureRandom.SecureRandom),
            randomBytes: (size) => Effect.succeed(new Uint8Array(size).fill(byte))
          }
        )
        assert.match(new X509Certificate((yield* source).certificate).serialNumber, /^[4-7][0-9A-F]{31}$/)
      })).pipe(made))

  it.live("are trusted over TLS by whoever trusts the authority, under their names alone", () =>
    Effect.gen(function*() {
      const { authority, leaf } = yield* issued
      const other = yield* issueAuthority
      const ca = authority.certificate
      assert.strictEqual(yield* handshake(leaf, ca, "127.0.0.1", "webhook.cloner.svc"), "served")
      assert.strictEqual(yield* handshake(leaf, ca, "127.0.0.1"), "served")
      assert.strictEqual(yield* handshake(leaf, `${other.certificate}${ca}`, "127.0.0.1"), "served")
      assert.strictEqual(
        yield* handshake(leaf, ca, "127.0.0.1", "webhook.elsewhere.svc"),
        "ERR_TLS_CERT_ALTNAME_INVALID"
      )
      assert.match(yield* handshake(leaf, other.certificate, "127.0.0.1"), /UNABLE_TO_|SELF_SIGNED/)
      const elsewhere = yield* issueLeaf(authority, ["10.0.0.1"])
      assert.strictEqual(yield* handshake(elsewhere, ca, "127.0.0.1"), "ERR_TLS_CERT_ALTNAME_INVALID")
    }).pipe(made))

  it.effect("are refused, as an error, with a key that cannot sign", () =>
    Effect.gen(function*() {
      const authority = yield* issueAuthority
      const error = yield* Effect.flip(issueLeaf({ ...authority, key: Redacted.make("no key") }, names))
      assert.match(error.message, /^a certificate for webhook, .* cannot be issued: /)
    }).pipe(made))
})
