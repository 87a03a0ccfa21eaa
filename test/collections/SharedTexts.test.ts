import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { SharedTexts } from "../../src/collections/SharedTexts.ts"

describe("shared texts", () => {
  it.prop("are what was given, however many there are", [Schema.Array(Schema.String)], ([texts]) => {
    const shared = new SharedTexts(3)
    for (const it of [...texts, "long".repeat(100), ...texts]) assert.strictEqual(shared.of(it), it)
  })
})
