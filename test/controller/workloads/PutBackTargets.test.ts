import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Result, Schema } from "effect"
import { SourceTags } from "../../../src/clone/SourceTags.ts"
import { type Copy, make } from "../../../src/controller/workloads/PutBackTargets.ts"
import type { Digest } from "../../../src/image/Digest.ts"
import { digestOf, pod, workload } from "../../support/Objects.ts"

const target = { registry: "backup.example", prefix: "copies", layout: "nested" } as const
const nginx = "docker.io/library/nginx:1.27"
const copyName = `backup.example/copies/${nginx}`
const [one, two, three] = [digestOf("a"), digestOf("b"), digestOf("c")]

/** Of a workload whose pods run these digests, whose copy is this, and whose source answers this. */
const back = (given: {
  readonly runs?: ReadonlyArray<string>
  readonly copy?: Copy | undefined
  readonly source?: Record<string, Digest>
  readonly image?: string
  readonly original?: string
}) => {
  const of = workload({
    images: { app: given.image ?? copyName },
    templateAnnotations: { "image-cloner.io/original-images": JSON.stringify({ app: given.original ?? "nginx:1.27" }) }
  })
  const pods = (given.runs ?? []).map((imageID, at) =>
    pod({ owner: of, name: `web-${at}`, images: { app: given.image ?? copyName }, imageID })
  )
  return make({ target, copyOf: () => Effect.succeed(given.copy) }).pipe(
    Effect.flatMap((targetsOf) => targetsOf({ workload: of, pods, newestPods: new Set(pods) })),
    Effect.map(Result.map((it) => it.get("app"))),
    Effect.provide(Layer.mock(SourceTags, { named: (it) => Effect.succeed(Option.fromNullishOr(given.source?.[it])) }))
  )
}

const copyOf = (...digests: ReadonlyArray<Digest>): Copy => ({
  digests: digests.slice(0, 1),
  contents: new Set(digests)
})

const failure = (of: Result.Result<string | undefined, string>) => Result.isFailure(of) ? of.failure : ""

describe("what a workload goes back to", () => {
  it.effect("is the original as it was written where its tag still means what its pods run", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* back({ runs: [`x@${one}`], source: { [nginx]: one } }),
        Result.succeed("nginx:1.27")
      )
    }))

  it.effect("is told by the copy where runtimes name a manifest or a config of it, and where no pod tells", () =>
    Effect.gen(function*() {
      for (const runs of [[`x@${two}`, `docker://${three}`], []]) {
        assert.deepStrictEqual(
          yield* back({ runs, copy: copyOf(one, two, three), source: { [nginx]: one } }),
          Result.succeed("nginx:1.27")
        )
      }
    }))

  // the backup's tag follows its source's: a pod that pulled before runs what it pulled
  it.effect("is what the pods run, not what the copy has become since", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* back({ runs: [`x@${one}`], copy: copyOf(two), source: { [nginx]: two, [`${nginx}@${one}`]: one } }),
        Result.succeed(`${nginx}@${one}`)
      )
    }))

  it.effect("is nothing where that is not at the source any more, and the reason names both digests", () =>
    Effect.gen(function*() {
      const it = failure(yield* back({ runs: [`x@${one}`], copy: copyOf(two), source: { [nginx]: two } }))
      assert.include(it, two)
      assert.include(it, one)
    }))

  it.effect("is nothing where pods run different images, an image known by its id alone, or nobody knows what", () =>
    Effect.gen(function*() {
      const source = { [nginx]: two, [`${nginx}@${one}`]: one }
      assert.include(failure(yield* back({ runs: [`x@${one}`, `x@${two}`], copy: copyOf(two), source })), "run")
      assert.include(failure(yield* back({ runs: [`docker://${one}`], copy: copyOf(two), source })), "with the id")
      assert.include(failure(yield* back({ source })), "nothing tells")
    }))

  it.effect("is the digest of a pin, whatever the tag's copy is, and an original with a digest as it was written", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* back({ image: `${copyName}@${one}`, copy: copyOf(two), source: { [`${nginx}@${one}`]: one } }),
        Result.succeed(`${nginx}@${one}`)
      )
      const original = `nginx@${one}`
      const image = `backup.example/copies/docker.io/library/nginx@${one}`
      const there = { [`docker.io/library/nginx@${one}`]: one }
      assert.deepStrictEqual(yield* back({ image, original, source: there }), Result.succeed(original))
      assert.include(failure(yield* back({ image, original })), "was not seen")
    }))

  const Which = Schema.Literals(["one", "two", "three"])
  const named = { one, two, three }
  it.effect.prop(
    "never is another image than what ran",
    { runs: Schema.Array(Which), copy: Schema.NullOr(Which), tag: Schema.NullOr(Which), there: Schema.Array(Which) },
    ({ copy, runs, tag, there }) =>
      Effect.gen(function*() {
        const source: Record<string, Digest> = Object.fromEntries(
          there.map((it) => [`${nginx}@${named[it]}`, named[it]])
        )
        if (tag !== null) source[nginx] = named[tag]
        const known = copy === null ? undefined : copyOf(named[copy])
        const to = yield* back({ runs: runs.map((it) => `x@${named[it]}`), copy: known, source })
        if (Result.isFailure(to)) return
        const is = source[to.success === "nginx:1.27" ? nginx : to.success ?? ""]
        const ran = runs.length > 0 ? runs.map((it) => named[it]) : known?.digests
        assert.deepStrictEqual([...new Set(ran)], is === undefined ? [] : [is])
      }),
    { arbitrary: { runs: 200 } }
  )
})
