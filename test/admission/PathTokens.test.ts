import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Authority, bundleOf } from "../../src/admission/certificates/Authority.ts"
import { issueAuthority } from "../../src/admission/certificates/IssueCertificates.ts"
import { splitToken, tokensOf, withToken } from "../../src/admission/PathTokens.ts"
import { made } from "./certificates/World.ts"

const path = "/mutate/v1/pods"

describe("the path of a webhook", () => {
  it.effect("ends in what every replica has known longest, whatever step of a rotation is being made", () =>
    Effect.gen(function*() {
      const current = yield* issueAuthority
      const next = yield* issueAuthority
      const steps: ReadonlyArray<Authority> = [
        { _tag: "Settled", current },
        { _tag: "Announced", current, next },
        { _tag: "Switched", current: next, previous: [current.certificate], since: 0 },
        { _tag: "Settled", current: next }
      ]
      for (const [at, step] of steps.entries()) {
        const asked = splitToken(withToken(path, bundleOf(step)))
        assert.strictEqual(asked.path, path)
        // a replica that has not looked since the step before answers as well
        for (const known of [step, steps[at - 1] ?? step]) assert.include(tokensOf(bundleOf(known)), asked.token)
      }
    }).pipe(made))

  it.effect("tells nothing of the certificate, and is another for each", () =>
    Effect.gen(function*() {
      const [one = "", other = ""] = tokensOf((yield* issueAuthority).certificate + (yield* issueAuthority).certificate)
      assert.notStrictEqual(one, other)
      // with others the API server refuses the configuration
      for (const token of [one, other]) assert.match(token, /^[a-z0-9]{40}$/)
    }).pipe(made))
})
