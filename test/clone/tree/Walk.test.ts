// The walk: what is below comes before what is above, each digest once, within the limits, whoever visits.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Counter } from "../../../src/clone/Counter.ts"
import { makeWalk, oneByOne, type Pace, type Visitor } from "../../../src/clone/tree/Walk.ts"
import { type Digest, digestOf } from "../../../src/image/Digest.ts"
import { ociIndex, ociManifest, schema1 } from "../../../src/image/ManifestDocument.ts"
import type { Manifest } from "../../../src/registry/api/Manifests.ts"
import { layerOf } from "../../support/TestImages.ts"

const wide: Pace = { children: 3, blobs: "unbounded", most: Infinity }

const described = ({ bytes, digest, mediaType }: Manifest) => ({ mediaType, digest, size: bytes.length })
const made = (mediaType: string, json: object): Manifest => {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...json }))
  return { bytes, mediaType, digest: digestOf(bytes) }
}
const blob = (seed: string) => ({ mediaType: "application/x", digest: layerOf(seed).digest, size: seed.length })
const imageOf = (...layers: ReadonlyArray<string>) =>
  made(ociManifest, { config: blob(`config of ${layers.join()}`), layers: layers.map(blob) })
const indexOf = (...children: ReadonlyArray<Manifest>) => made(ociIndex, { manifests: children.map(described) })

/** A visitor that writes down where it comes. */
const recorder = (
  all: ReadonlyArray<Manifest>,
  over: Partial<Visitor<{ readonly manifest: Manifest }, string>> = {}
) => {
  const seen: Array<string> = []
  const nameOf = (digest: Digest) => {
    const at = all.findIndex((it) => it.digest === digest)
    return at < 0 ? digest : `m${at}`
  }
  const say = (what: string) => Effect.sync(() => void seen.push(what))
  const visitor: Visitor<{ readonly manifest: Manifest }, string> = {
    read: ({ digest }) => {
      const manifest = all.find((it) => it.digest === digest)
      return Effect.as(say(`read ${nameOf(digest)}`), manifest === undefined ? undefined : { manifest })
    },
    unfit: ({ digest }, detail) => say(`unfit ${nameOf(digest)}: ${detail}`),
    schema1: ({ digest }) => say(`schema1 ${nameOf(digest)}`),
    blob: ({ size }, part, again) => say(`${part} ${size}${again ? " again" : ""}`),
    done: ({ digest }) => say(`done ${nameOf(digest)}`),
    ...over
  }
  return { seen, visitor }
}

const walk = Effect.fnUntraced(
  function*(
    all: ReadonlyArray<Manifest>,
    pace: Pace,
    over?: Partial<Visitor<{ readonly manifest: Manifest }, string>>
  ) {
    const { seen, visitor } = recorder(all, over)
    const counter = new Counter()
    const walked = yield* makeWalk(visitor, counter, pace)
    const root = all[0]
    const outcome = root === undefined ? undefined : yield* Effect.result(walked.from(root.digest))
    return { seen, counter, outcome, ...walked }
  }
)

describe("a walk", () => {
  it.effect("reads what is above first, and is done with it last; what is shared is visited once", () =>
    Effect.gen(function*() {
      const one = imageOf("a", "shared")
      const two = imageOf("bb", "shared")
      const { contents, counter, manifests, seen } = yield* walk([indexOf(one, two, one), one, two], oneByOne)
      assert.deepStrictEqual(
        seen.filter((it) => !it.startsWith("config")),
        ["read m0", "read m1", "layer 1", "layer 6", "done m1", "read m2", "layer 2", "done m2", "done m0"]
      )
      assert.strictEqual(manifests.length, 3)
      assert.strictEqual(contents.size, 5)
      assert.deepStrictEqual(counter.manifests, { total: 3, done: 3, pushed: 0 })
      assert.strictEqual(counter.total.blobs, 5)
    }))

  it.effect("goes below a manifest again when its visitor says so, whatever was visited before", () =>
    Effect.gen(function*() {
      const image = imageOf("a")
      const root = indexOf(image)
      const { counter, seen } = yield* walk([root, image], wide, {
        done: ({ digest }, again) => digest === root.digest && again !== undefined ? again : Effect.void
      })
      assert.deepStrictEqual(seen.filter((it) => it.startsWith("layer")), ["layer 1", "layer 1 again"])
      assert.deepStrictEqual(counter.manifests, { total: 2, done: 2, pushed: 0 })
    }))

  it.effect("tells of what it cannot go below, and goes on where its visitor does", () =>
    Effect.gen(function*() {
      const old = made(schema1, { fsLayers: [] })
      const broken: Manifest = { ...made(ociManifest, {}), mediaType: ociManifest }
      const gone = imageOf("gone")
      const image = imageOf("a")
      const { contents, seen } = yield* walk([indexOf(old, broken, gone, image), old, broken, image], oneByOne)
      assert.isTrue(seen.includes("schema1 m1"))
      assert.isTrue(seen.some((it) => it.startsWith("unfit m2: the manifest has a descriptor without")))
      assert.isTrue(seen.includes(`read ${gone.digest}`))
      assert.isTrue(seen.includes("done m3"))
      assert.isFalse(contents.has(gone.digest))
    }))

  it.effect("goes eight indexes deep, and no deeper", () =>
    Effect.gen(function*() {
      const all = [imageOf("a")]
      for (let depth = 0; depth < 8; depth++) all.unshift(indexOf(all[0] as Manifest)) // never empty
      assert.isTrue((yield* walk(all, wide)).seen.every((it) => !it.startsWith("unfit")))
      all.unshift(indexOf(all[0] as Manifest)) // never empty
      const { seen } = yield* walk(all, wide)
      assert.isTrue(seen.includes("unfit m9: indexes are nested deeper than 8"))
      assert.isFalse(seen.includes("read m9"))
    }))

  it.effect("reads no more manifests than it is to", () =>
    Effect.gen(function*() {
      const images = Array.from({ length: 10 }, (_, at) => imageOf(`layer ${at}`))
      const { counter } = yield* walk([indexOf(...images), ...images], { ...oneByOne, most: 4 })
      assert.strictEqual(counter.manifests.total, 4)
    }))

  it.effect("leaves a child of an unknown type to its visitor, and passes by where that says nothing", () =>
    Effect.gen(function*() {
      const root = made(ociIndex, { manifests: [blob("odd one")] })
      assert.deepStrictEqual((yield* walk([root], wide)).seen, ["read m0", "done m0"])
      const { seen } = yield* walk([root], wide, { either: (_, as) => as.blob })
      assert.deepStrictEqual(seen, ["read m0", "layer 7", "done m0"])
    }))

  // a layer that is its vendor's by one manifest was not looked for where another needs it, and the image was called whole
  it.effect("visits a blob as foreign and as one that must be there, where manifests differ", () =>
    Effect.gen(function*() {
      const foreign = made(ociManifest, {
        config: blob("config"),
        layers: [{ ...blob("shared"), mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" }]
      })
      const image = imageOf("shared")
      const seen: Array<string> = []
      const { counter } = yield* walk([indexOf(foreign, image), foreign, image], oneByOne, {
        blob: (it, part) => Effect.sync(() => void (part === "layer" && seen.push(`${it.size} ${it.foreign}`)))
      })
      assert.deepStrictEqual(seen, ["6 true", "6 false"])
      counter.settle({ ...blob("shared"), foreign: false, digest: blob("shared").digest as Digest }, "present")
      counter.drop(blob("shared").digest as Digest)
      assert.strictEqual(counter.blobs.present, 1)
    }))

  it.effect("ends where a visit fails, and never says done above it", () =>
    Effect.gen(function*() {
      const image = imageOf("a")
      const { outcome, seen } = yield* walk([indexOf(image), image], wide, { blob: () => Effect.fail("cut") })
      assert.strictEqual(outcome?._tag, "Failure")
      assert.isFalse(seen.some((it) => it.startsWith("done")))
    }))

  /** An index of earlier ones, whichever they are, or an image. */
  const Shape = Schema.Array(Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 11 }))))
    .check(Schema.isMaxLength(12))
  it.effect.prop(
    "visits every manifest of any tree once, and none before those below it",
    [Shape],
    ([shape]) =>
      Effect.gen(function*() {
        const all: Array<Manifest> = []
        const depths: Array<number> = []
        for (const [at, below] of shape.entries()) {
          const children = below.filter((it) => it < at)
          all.push(
            children.length === 0 ? imageOf(`layer ${at}`) : indexOf(...children.map((it) => all[it] as Manifest)) // it < at
          )
          depths.push(children.length === 0 ? 0 : 1 + Math.max(...children.map((it) => depths[it] ?? 0)))
        }
        const root = all.at(-1)
        if (root === undefined || (depths.at(-1) ?? 0) > 8) return
        const { manifests, seen } = yield* walk([root, ...all.slice(0, -1)], wide)
        assert.strictEqual(new Set(manifests).size, manifests.length)
        assert.strictEqual(seen.filter((it) => it.startsWith("read")).length, manifests.length)
        const done = seen.filter((it) => it.startsWith("done"))
        assert.strictEqual(done.length, manifests.length)
        for (const [at, below] of shape.entries()) {
          const placeOf = (index: number) => done.indexOf(`done m${index === all.length - 1 ? 0 : index + 1}`)
          if (placeOf(at) < 0) continue
          for (const child of below.filter((it) => it < at)) assert.isBelow(placeOf(child), placeOf(at))
        }
      })
  )
})
