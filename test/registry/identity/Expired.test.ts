// Which refusals say that a login or token has ended.
import { assert, describe, it } from "@effect/vitest"
import { saysExpired } from "../../../src/registry/identity/Expired.ts"

describe("a refusal", () => {
  it.each<[number, string, boolean]>([
    [
      403,
      "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"Your authorization token has expired. Reauthenticate\"}]}",
      true
    ],
    [400, "Your Authorization Token has expired. Please reauthenticate and try again.", true],
    [401, "expired token", true],
    [403, "User: x is not authorized to perform: ecr:GetDownloadUrlForLayer", false],
    [403, "the trial of this account has expired", false],
    [404, "Your authorization token has expired", false],
    [500, "Your authorization token has expired", false],
    [403, "", false],
    [403, `${"x".repeat(10_000)} token has expired`, false]
  ])("%s %s: %s", (status, text, expected) => {
    assert.strictEqual(saysExpired({ status, body: Buffer.from(text) }), expected)
  })
})
