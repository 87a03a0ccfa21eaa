import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Result, Schema } from "effect"
import { generateKeyPairSync } from "node:crypto"
import {
  type Authority,
  bundleOf,
  decode,
  encode,
  type SecretData
} from "../../../src/admission/certificates/Authority.ts"
import { issueAuthority, issueLeaf, type KeyPair } from "../../../src/admission/certificates/IssueCertificates.ts"
import { makeCertificates } from "../../kube/Certificates.ts"
import { base64, made, names } from "./World.ts"

/** As `encode` has it, but for the keys, whose values a comparison does not look at. */
const shown = (authority: Authority) => {
  const pair = ({ certificate, key }: KeyPair) => ({ certificate, key: Redacted.value(key) })
  return {
    ...authority,
    current: pair(authority.current),
    ...(authority._tag === "Announced" ? { next: pair(authority.next) } : {})
  }
}

const threeAuthorities = Effect.all([issueAuthority, issueAuthority, issueAuthority])

const reasonOf = (data: SecretData) =>
  Result.match(decode(data), { onSuccess: (it) => it._tag, onFailure: (it) => `${it.reason}: ${it.message}` })

const Choice = Schema.Struct({
  tag: Schema.Literals(["Settled", "Announced", "Switched"]),
  first: Schema.Literals([0, 1, 2]),
  previous: Schema.Literals([1, 2]),
  since: Schema.UndefinedOr(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 8.64e15 })))
})

const authorityOf = (pool: ReadonlyArray<KeyPair>, choice: typeof Choice.Type): Authority => {
  const [current, next, last] = [0, 1, 2].map((it) => pool[(choice.first + it) % 3])
  if (current === undefined || next === undefined || last === undefined) return assert.fail("three authorities")
  switch (choice.tag) {
    case "Settled":
      return { _tag: "Settled", current }
    case "Announced":
      return { _tag: "Announced", current, next }
    case "Switched":
      return {
        _tag: "Switched",
        current,
        previous: [next, last].slice(0, choice.previous).map((it) => it.certificate),
        since: choice.since
      }
  }
}

describe("the authority in a Secret", () => {
  const pool = Effect.runSync(Effect.cached(threeAuthorities.pipe(made)))

  it.effect.prop(
    "is the same when it has been written and read",
    { choice: Choice },
    ({ choice }) =>
      Effect.gen(function*() {
        const authority = authorityOf(yield* pool, choice)
        const read = Result.getOrThrow(decode(encode(authority)))
        assert.deepStrictEqual(shown(read), shown(authority))
        assert.strictEqual(bundleOf(read), bundleOf(authority))
      })
  )

  it.effect.prop("is never taken from data of which a part is missing or changed", {
    choice: Choice,
    victim: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 59 })),
    how: Schema.Literals(["gone", "empty", "cut", "noise"])
  }, ({ choice, how, victim }) =>
    Effect.gen(function*() {
      const authority = authorityOf(yield* pool, { ...choice, since: undefined })
      const data = encode(authority)
      const name = Object.keys(data)[victim % Object.keys(data).length] ?? ""
      const { [name]: text = "", ...rest } = data
      const damaged = how === "gone"
        ? rest
        : { ...rest, [name]: how === "empty" ? "" : how === "cut" ? text.slice(0, text.length * 0.4) : "?!" }
      assert.match(reasonOf(damaged), /^(Incomplete|Damaged): /)
    }))

  it.effect.prop("is read from anything at all without a defect", {
    data: Schema.Record(
      Schema.Literals(["ca.crt", "tls.crt", "tls.key", "next.crt", "next.key", "switched-at", "other"]),
      Schema.String
    )
  }, ({ data }) => Effect.sync(() => assert.isTrue(Result.isFailure(decode(data)))))

  it.effect("publishes the next authority before the current one, and the previous ones behind it", () =>
    Effect.gen(function*() {
      const [one, two, three] = yield* pool
      assert.strictEqual(
        bundleOf({ _tag: "Announced", current: one, next: two }),
        two.certificate + one.certificate
      )
      assert.strictEqual(
        bundleOf({ _tag: "Switched", current: three, previous: [two.certificate], since: 0 }),
        three.certificate + two.certificate
      )
    }))

  it.effect("tells apart what is wrong with it", () =>
    Effect.gen(function*() {
      const [one, two] = yield* pool
      const data = encode({ _tag: "Settled", current: one })
      const announced = encode({ _tag: "Announced", current: one, next: two })
      const other = encode({ _tag: "Settled", current: two })
      assert.strictEqual(reasonOf({}), "Incomplete: tls.crt is missing")
      assert.strictEqual(reasonOf({ ...data, "tls.key": "" }), "Incomplete: tls.key is missing")
      assert.strictEqual(
        reasonOf({ ...data, "tls.key": other["tls.key"] ?? "" }),
        "Mismatched: tls.crt and tls.key belong to different pairs"
      )
      assert.strictEqual(
        reasonOf({ ...data, "ca.crt": other["ca.crt"] ?? "" }),
        "Incomplete: ca.crt does not have the certificate of tls.crt"
      )
      assert.strictEqual(
        reasonOf({ ...data, "tls.crt": base64("hello") }),
        "Damaged: tls.crt is not one PEM certificate"
      )
      assert.strictEqual(
        reasonOf({ ...data, "tls.crt": announced["ca.crt"] ?? "" }),
        "Damaged: tls.crt is not one PEM certificate"
      )
      assert.match(reasonOf({ ...announced, "ca.crt": data["ca.crt"] ?? "" }), /^Incomplete: ca.crt has other/)
      assert.strictEqual(reasonOf({ ...announced, "next.key": "" }), "Incomplete: next.key is missing")
    }))

  it.effect("is not taken with an RSA key beside its certificate, which TLS servers take without a word", () =>
    Effect.gen(function*() {
      const [one] = yield* pool
      const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
      const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString()
      assert.match(reasonOf({ ...encode({ _tag: "Settled", current: one }), "tls.key": base64(key) }), /^Mismatched/)
    }))

  it.effect("is no certificate of a server, nor one that somebody else has signed", () =>
    Effect.gen(function*() {
      const [one] = yield* pool
      const leaf = yield* issueLeaf(one, names)
      assert.strictEqual(
        reasonOf(encode({ _tag: "Settled", current: leaf })),
        "NotAuthority: tls.crt is no self-signed authority"
      )
      const { server } = yield* Effect.promise(makeCertificates)
      const foreign = { certificate: server.cert, key: Redacted.make(server.key) }
      assert.match(reasonOf(encode({ _tag: "Settled", current: foreign })), /^NotAuthority/)
    }).pipe(made))

  it.effect("keeps its key out of what is logged", () =>
    Effect.gen(function*() {
      const [one, two] = yield* pool
      const text = JSON.stringify(decode(encode({ _tag: "Announced", current: one, next: two })))
      assert.notInclude(text, "PRIVATE")
    }))
})
