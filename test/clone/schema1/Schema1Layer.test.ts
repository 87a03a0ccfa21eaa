// Layers that are read for what they unpack to, from a registry that is a few lines here.
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { createHash, randomBytes } from "node:crypto"
import { createGzip, gzipSync } from "node:zlib"
import { countBytes, mostUnpacked, readLayer, UnfitLayer } from "../../../src/clone/schema1/Schema1Layer.ts"
import { digestOf } from "../../../src/image/Digest.ts"
import type { OpenBlob } from "../../../src/registry/api/Blobs.ts"
import { DispatchError } from "../../../src/registry/transport/DispatchError.ts"
import { defaultLimits, type Limits } from "../../../src/registry/Limits.ts"
import { tarOf } from "../../../sandbox/registry/Tar.ts"
import { emptyLayer } from "../../support/Schema1Images.ts"

const limits: Limits = {
  ...defaultLimits,
  retryBase: Duration.millis(1),
  retryCap: Duration.millis(2)
}

interface Served {
  readonly bytes: Buffer
  /** Default: the bytes'. */
  readonly size?: number | undefined
  /** Bytes a chunk. */
  readonly chunk?: number
  /** Changes what the nth opening serves. */
  readonly spoil?: (bytes: Buffer, opening: number) => Buffer
}

/** A blob that is served in chunks, each when the one before is asked for. */
const serve = ({ bytes, chunk = 7777, spoil = (it) => it, ...more }: Served) => {
  let openings = 0
  const open = (offset: number): Effect.Effect<OpenBlob> =>
    Effect.sync(() => {
      const served = spoil(bytes, openings++).subarray(offset)
      let at = 0
      let begin: Parameters<OpenBlob["start"]>[0] | undefined
      let paused = true
      const pump = () => {
        for (;;) {
          if (paused || begin === undefined) return
          if (at >= served.length) {
            paused = true
            begin.end()
            return
          }
          const next = served.subarray(at, at + chunk)
          at += next.length
          if (!begin.data(next)) paused = true
        }
      }
      const resume = () =>
        setImmediate(() => {
          paused = false
          pump()
        })
      return {
        size: "size" in more ? more.size : bytes.length,
        offset,
        start: (sink) => {
          begin = sink
          resume()
        },
        resume,
        rested: () => 0n,
        release: () => {},
        abort: () => {
          begin = undefined
        }
      }
    })
  return { open, openings: () => openings }
}

const read = (served: Served, left = mostUnpacked) =>
  readLayer({
    limits,
    budget: { left },
    digest: digestOf(served.bytes),
    size: served.bytes.length,
    target: "test/layer",
    open: serve(served).open
  })
const diffOf = (bytes: Buffer) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`
const refusal = (served: Served, left?: number) =>
  Effect.map(
    Effect.flip(read(served, left)),
    (error) => error instanceof UnfitLayer ? error.detail : assert.fail(error.message)
  )

const tar = tarOf("etc/file", randomBytes(300_000))

describe("a layer", () => {
  it.live("packed by gzip is told by what it unpacks to", () =>
    Effect.gen(function*() {
      const bytes = gzipSync(tar)
      assert.deepStrictEqual(yield* read({ bytes }), {
        size: bytes.length,
        diffId: diffOf(tar),
        gzip: true,
        empty: false
      })
    }))

  it.live("that comes in single bytes is the same", () =>
    Effect.gen(function*() {
      const short = tarOf("etc/file", randomBytes(3000))
      assert.strictEqual((yield* read({ bytes: gzipSync(short), chunk: 1 })).diffId, diffOf(short))
      assert.strictEqual((yield* read({ bytes: short, chunk: 1 })).diffId, diffOf(short))
    }))

  it.live("of several gzip members is one, zeros behind it or not", () =>
    Effect.gen(function*() {
      const members = Buffer.concat([gzipSync(tar.subarray(0, 1000)), gzipSync(tar.subarray(1000))])
      assert.strictEqual((yield* read({ bytes: members })).diffId, diffOf(tar))
      const padded = Buffer.concat([members, Buffer.alloc(100_000)])
      const content = yield* read({ bytes: padded })
      assert.deepStrictEqual([content.diffId, content.size], [diffOf(tar), padded.length])
    }))

  it.live("that is a plain tar is told by its own digest", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* read({ bytes: tar }), {
        size: tar.length,
        diffId: diffOf(tar),
        gzip: false,
        empty: false
      })
    }))

  it.live.each<[string, Buffer, boolean]>([
    ["docker's own empty layer", emptyLayer.bytes, true],
    ["nothing at all", Buffer.alloc(0), true],
    ["zeros", Buffer.alloc(600_000), true],
    ["packed zeros", gzipSync(Buffer.alloc(600_000)), true],
    ["zeros but for the last byte", Buffer.concat([Buffer.alloc(600_000), Buffer.from("x")]), false],
    ["three bytes", Buffer.from("abc"), false]
  ])("is known to be empty or not: %s", ([, bytes, empty]) =>
    Effect.gen(function*() {
      assert.strictEqual((yield* read({ bytes })).empty, empty)
    }))

  it.live.each<[string, Buffer]>([
    ["xz", Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 1, 2, 3])],
    ["bzip2", Buffer.from("BZh91AY&SY")],
    ["zstd", Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 1, 2, 3])]
  ])("packed by %s is refused by that name", ([name, bytes]) =>
    Effect.gen(function*() {
      assert.include(yield* refusal({ bytes }), name)
    }))

  it.live.each<[string, Buffer]>([
    ["is cut off", gzipSync(tar).subarray(0, 1000)],
    ["is garbage inside", Buffer.concat([gzipSync(tar).subarray(0, 1000), randomBytes(5000)])],
    ["has garbage behind it", Buffer.concat([gzipSync(tar), Buffer.from("garbage")])],
    ["is a magic number and no more", Buffer.from([0x1f, 0x8b])]
  ])("whose gzip %s is refused", ([, bytes]) =>
    Effect.gen(function*() {
      assert.match(yield* refusal({ bytes }), /cannot be unpacked/)
    }))

  it.live("that broke on the way is read again, and is not called unfit", () =>
    Effect.gen(function*() {
      const bytes = gzipSync(tar)
      const broken = Buffer.concat([bytes.subarray(0, 5000), Buffer.alloc(bytes.length - 5000)])
      const once = serve({ bytes, spoil: (it, opening) => opening === 0 ? broken : it })
      const options = { limits, digest: digestOf(bytes), size: bytes.length, target: "test/layer" }
      const budget = { left: tar.length }
      // what the broken one took of the budget comes back
      assert.strictEqual((yield* readLayer({ ...options, budget, open: once.open })).diffId, diffOf(tar))
      assert.deepStrictEqual([once.openings(), budget.left], [2, 0])
      const always = serve({ bytes, spoil: () => broken })
      const error = yield* Effect.flip(readLayer({ ...options, budget: { left: 1e9 }, open: always.open }))
      assert.strictEqual("reason" in error ? error.reason : error._tag, "Corrupt")
      assert.strictEqual(always.openings(), 2)
    }))
})

describe("a bomb", () => {
  /** So many MiB of zeros, packed. */
  const zeros = (mebibytes: number): Effect.Effect<Buffer> =>
    Effect.callback((resume) => {
      const gzip = createGzip({ level: 9, memLevel: 9 })
      const chunks: Array<Buffer> = []
      gzip.on("data", (chunk: Buffer) => chunks.push(chunk)).on("end", () =>
        resume(Effect.succeed(Buffer.concat(chunks))))
      const block = Buffer.alloc(1024 * 1024)
      let left = mebibytes
      const more = () => {
        while (left-- > 0) {
          if (!gzip.write(block)) {
            return
          }
        }
        gzip.end()
      }
      gzip.on("drain", more)
      more()
    })

  it.live(
    "that unpacks to more than a thousand times its size is refused once that is much",
    () =>
      Effect.gen(function*() {
        const bytes = yield* zeros(160)
        assert.isAbove(160 * 1024 * 1024 / bytes.length, 1000)
        assert.match(yield* refusal({ bytes }), /more than 1000 times/)
        // below 100 MiB nobody minds
        assert.isTrue((yield* read({ bytes: yield* zeros(64) })).empty)
      }),
    30_000
  )

  it.live("that exceeds what all layers may have together is refused, and its rest not unpacked", () =>
    Effect.gen(function*() {
      const budget = { left: 4 * 1024 * 1024 }
      const bytes = yield* zeros(64)
      const error = yield* Effect.flip(
        readLayer({
          limits,
          budget,
          digest: digestOf(bytes),
          size: bytes.length,
          target: "x",
          open: serve({ bytes }).open
        })
      )
      assert.match("detail" in error ? error.detail : "", /more than 20 GiB/)
      assert.isAbove(budget.left, -1024 * 1024)
    }))
})

describe("counting bytes", () => {
  const count = (served: Served) => countBytes({ limits, target: "x", open: serve(served).open })

  it.live("believes what the registry says, and else reads", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* count({ bytes: tar, size: 5 }), 5)
      assert.strictEqual(yield* count({ bytes: tar, size: undefined }), tar.length)
      assert.strictEqual(yield* count({ bytes: Buffer.alloc(0), size: undefined }), 0)
    }))

  it.live("gives up a blob that drips, or breaks off", () =>
    Effect.gen(function*() {
      const never: OpenBlob = {
        size: undefined,
        offset: 0,
        start: () => {},
        resume: () => {},
        rested: () => 0n,
        release: () => {},
        abort: () => {}
      }
      const once = { ...limits, attempts: 1, stallWindow: Duration.millis(50) }
      const silent = yield* Effect.flip(countBytes({ limits: once, target: "x", open: () => Effect.succeed(never) }))
      assert.strictEqual(silent.reason, "Timeout")
      const failure = new DispatchError({ reason: "Unreachable", detail: "gone", cause: undefined })
      const broken: OpenBlob = { ...never, start: (sink) => sink.error(failure) }
      const error = yield* Effect.flip(countBytes({ limits: once, target: "x", open: () => Effect.succeed(broken) }))
      assert.strictEqual(error.reason, "Unreachable")
    }))
})
