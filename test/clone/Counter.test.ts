// What a tree comes to: the sums of reports and of progress bars are of the same counter, so they agree.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Counter, type How } from "../../src/clone/Counter.ts"
import { Progress } from "../../src/clone/Progress.ts"
import type { Digest } from "../../src/image/Digest.ts"
import { layerOf } from "../support/TestImages.ts"

const blobs = ["a", "b", "c"].map((it, at) => ({
  mediaType: "x",
  digest: layerOf(it).digest as Digest,
  size: 10 ** at,
  foreign: false
}))
const [a, b, c] = blobs as [(typeof blobs)[0], (typeof blobs)[0], (typeof blobs)[0]] // three names above

describe("a counter", () => {
  it("counts each blob once, by what became of it last", () => {
    const counter = new Counter()
    for (const it of [a, b, c, a]) counter.expect(it)
    assert.deepStrictEqual(counter.total, { blobs: 3, bytes: 111 })
    counter.settle(a, "present")
    counter.settle(b, "mounted")
    assert.deepStrictEqual(counter.blobs, { uploaded: 0, mounted: 1, present: 1 })
    // the registry had said that it is there, and it was not
    counter.settle(a, "uploaded")
    counter.settle(c, "left")
    assert.deepStrictEqual(counter.blobs, { uploaded: 1, mounted: 1, present: 0 })
    assert.deepStrictEqual(counter.bytes, { uploaded: 1, mounted: 10, present: 0 })
  })

  it("does not call present what it has seen moved", () => {
    const counter = new Counter()
    counter.settle(a, "uploaded")
    counter.settle(a, "present")
    assert.deepStrictEqual(counter.blobs, { uploaded: 1, mounted: 0, present: 0 })
  })

  it("shows bytes on their way until they arrive, and takes back those that were in vain", () => {
    const counter = new Counter()
    counter.expect(c)
    counter.move(c.digest, 60)
    assert.deepStrictEqual(counter.done, { blobs: 0, bytes: 60 })
    counter.move(c.digest, -60)
    counter.move(c.digest, 100)
    assert.deepStrictEqual(counter.done, { blobs: 0, bytes: 100 })
    counter.settle(c, "uploaded")
    assert.deepStrictEqual(counter.done, { blobs: 1, bytes: 100 })
  })

  it("counts what was seen before as there", () => {
    const counter = new Counter()
    counter.remember(4, 1000)
    counter.expect(b)
    assert.deepStrictEqual(counter.total, { blobs: 5, bytes: 1010 })
    assert.deepStrictEqual(counter.done, { blobs: 4, bytes: 1000 })
    assert.deepStrictEqual(counter.bytes, { uploaded: 0, mounted: 0, present: 1000 })
  })

  const Way = Schema.Literals(["uploaded", "mounted", "present", "left"])
  const Step = Schema.Struct({ blob: Schema.Literals([0, 1, 2]), how: Way })
  it.effect.prop(
    "is done with no more than there is, whatever becomes of it",
    [Schema.Array(Step)],
    ([steps]) =>
      Effect.sync(() => {
        const counter = new Counter()
        const last = new Map<number, How>()
        for (const { blob, how } of steps) {
          counter.settle(blobs[blob] ?? a, how)
          last.set(blob, how)
        }
        const { blobs: by, done, total } = counter
        assert.deepStrictEqual(done, total)
        assert.strictEqual(total.blobs, last.size)
        assert.isAtMost(by.uploaded + by.mounted + by.present, total.blobs)
      })
  )
})

it("the progress of a copy is that of all that is walked for it, and stays what it was when it was asked for", () => {
  const image = { registry: "docker.io", repository: "library/nginx", tag: "1" }
  const progress = new Progress(image, image)
  const ofImage = progress.count()
  const ofSignature = progress.count()
  ofImage.expect(b)
  ofSignature.settle(a, "mounted")
  ofImage.manifests.total = 2
  ofSignature.manifests.total = ofSignature.manifests.done = 1
  const { now } = progress
  ofImage.settle(b, "uploaded")
  assert.deepStrictEqual(now, {
    source: image,
    backup: image,
    startedAt: 0,
    blobs: { total: 2, done: 1 },
    bytes: { total: 11, done: 1 },
    manifests: { total: 3, done: 1 }
  })
})
