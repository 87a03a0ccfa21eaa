import { assert, describe, it } from "@effect/vitest"
import { shownBytes } from "../../src/image/ShownBytes.ts"

describe("a number of bytes", () => {
  it.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1 KiB"],
    [1536, "1.5 KiB"],
    [1024 ** 2 - 1, "1 MiB"],
    [20 * 1024 ** 3, "20 GiB"]
  ])("%d is %s", (count, shown) => assert.strictEqual(shownBytes(count), shown))

  it("may be more than is counted exactly: registries claim what they like", () => {
    assert.strictEqual(shownBytes(8 * Number.MAX_SAFE_INTEGER), "64 PiB")
  })
})
