import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { LookupFunction } from "node:net"
import { makeJudgeHost } from "../../../src/registry/transport/BehindProxy.ts"

/** Judges hosts that resolve to these addresses, if to any, and counts how often the resolver is asked. */
const judging = (...addresses: ReadonlyArray<string>) => {
  let asked = 0
  const lookup: LookupFunction = (hostname, _, callback) => {
    asked++
    if (addresses.length === 0) return callback(new Error(`no such name: ${hostname}`), "", 0)
    callback(null, addresses.map((address) => ({ address, family: 4 })))
  }
  const judge = makeJudgeHost(lookup)
  const refusedOf = (hostname: string, open = false) =>
    Effect.callback<string | undefined>((resume) =>
      judge(hostname, open, (refused) => resume(Effect.succeed(refused?.address)))
    )
  return { refusedOf, asked: () => asked }
}

describe("a host behind a proxy", () => {
  it.live("is refused by any address that is not public, a literal without a question", () =>
    Effect.gen(function*() {
      const mixed = judging("8.8.8.8", "10.0.0.1")
      assert.strictEqual(yield* mixed.refusedOf("a.test"), "10.0.0.1")
      assert.strictEqual(mixed.asked(), 1)
      assert.strictEqual(yield* mixed.refusedOf("169.254.169.254"), "169.254.169.254")
      assert.strictEqual(yield* mixed.refusedOf("[::1]"), "::1")
      assert.strictEqual(mixed.asked(), 1)
      assert.isUndefined(yield* judging("8.8.8.8").refusedOf("a.test"))
    }))

  it.live("may be anywhere where it is configured to be", () =>
    Effect.gen(function*() {
      const mixed = judging("10.0.0.1")
      assert.isUndefined(yield* mixed.refusedOf("a.test", true))
      assert.isUndefined(yield* mixed.refusedOf("10.0.0.1", true))
      assert.strictEqual(mixed.asked(), 0)
    }))

  it.live("that does not resolve here is the proxy's to judge, and is not asked for again for a while", () =>
    Effect.gen(function*() {
      const nowhere = judging()
      for (const name of ["a.test", "a.test", "b.test"]) assert.isUndefined(yield* nowhere.refusedOf(name))
      assert.strictEqual(nowhere.asked(), 2)
    }))
})
