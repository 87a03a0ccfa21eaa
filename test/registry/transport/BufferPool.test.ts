// Buffers that come back to where they belong.
import { assert, describe, it } from "@effect/vitest"
import { BufferPool } from "../../../src/registry/transport/BufferPool.ts"

describe("BufferPool", () => {
  it("hands a buffer out again once it is given back, by any slice of it", () => {
    const pool = new BufferPool(1024, 2)
    const one = pool.take()
    assert.notStrictEqual(pool.take(), one)
    assert.isTrue(pool.owns(one.subarray(10, 20)))
    pool.give(one.subarray(10, 20))
    assert.strictEqual(pool.take(), one)
  })

  it("keeps no more than it should, nor what is not its own or was disowned", () => {
    const pool = new BufferPool(1024, 1)
    const [one, two, three] = [pool.take(), pool.take(), pool.take()]
    pool.disown(three)
    pool.give(three)
    pool.give(Buffer.alloc(1024))
    assert.isFalse(pool.owns(three))
    pool.give(one)
    pool.give(two)
    assert.strictEqual(pool.take(), one)
    assert.notStrictEqual(pool.take(), two)
  })

  it("hands a buffer out again only when the last of those who share it has given it back", () => {
    const pool = new BufferPool(1024, 2)
    const one = pool.take()
    pool.share(one.subarray(0, 100))
    pool.share(one.subarray(100, 200))
    pool.give(one.subarray(0, 100))
    pool.give(one)
    assert.notStrictEqual(pool.take(), one)
    pool.give(one.subarray(100, 200))
    assert.strictEqual(pool.take(), one)
  })
})
