// What a registry's refusal says of a part of a copy: damage is only what the registry itself has said of it.
import { assert, describe, it } from "@effect/vitest"
import { checkOf } from "../../../src/clone/verify/Damage.ts"
import { registryError, type RegistryReason } from "../../../src/registry/RegistryError.ts"

describe("a part of a copy", () => {
  it.each<[string, RegistryReason, string]>([
    ["GET manifest", "NotFound", "missing"],
    ["GET blob", "NotFound", "missing"],
    ["GET manifest", "Corrupt", "corrupt"],
    ["GET manifest", "Unreadable", "unreadable"],
    ["GET manifest", "TooLarge", "unreadable"],
    // nobody has said anything of the part
    ["GET token", "NotFound", "unknown"],
    ["GET token", "Unauthorized", "unknown"],
    ["GET manifest", "Denied", "unknown"],
    ["GET manifest", "Unavailable", "unknown"]
  ])("whose %s fails with %s is %s", (operation, reason, expected) => {
    const check = checkOf(registryError({ operation, target: "b.test/app:1", reason, detail: "HTTP 4xx" }))
    assert.strictEqual(check._tag === "Wrong" ? check.fault : "unknown", expected)
    // what is not known says to whom it happened
    if (check._tag === "Unknown") assert.include(check.detail, "b.test/app:1")
  })
})
