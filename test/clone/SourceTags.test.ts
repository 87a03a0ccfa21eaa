import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Option } from "effect"
import { TestClock } from "effect/testing"
import { SourceTags } from "../../src/clone/SourceTags.ts"
import type { ManifestHead } from "../../src/registry/api/Manifests.ts"
import { RegistryClient } from "../../src/registry/RegistryClient.ts"
import { RegistryError } from "../../src/registry/RegistryError.ts"
import { digestOf } from "../support/Objects.ts"

const source = "docker.io/library/nginx:1.27"
const head: ManifestHead = { digest: digestOf("a"), mediaType: "", metered: false }
const refused = new RegistryError({
  reason: "Unreachable",
  operation: "HEAD manifest",
  target: source,
  status: undefined,
  detail: "connection refused",
  retryable: true,
  retryAfter: undefined,
  noConnection: true,
  silent: undefined
})

/** Sources that answer every HEAD of a tag alike, and what was asked of them. */
const sources = (
  answer: Effect.Effect<Option.Option<ManifestHead>, RegistryError>,
  silent = false,
  more: Partial<RegistryClient["Service"]> = {}
) => {
  const asked: Array<string> = []
  const layer = Layer.provide(
    SourceTags.layer,
    Layer.mock(RegistryClient, {
      roleOf: () => "source",
      budgetOf: () => undefined,
      silenceOf: () => Effect.succeed(silent ? Duration.seconds(5) : undefined),
      restOf: () => Effect.succeed(Duration.zero),
      headManifest: ({ repository }, tag) =>
        Effect.suspend(() => {
          asked.push(`${repository}:${tag}`)
          return answer
        }),
      ...more
    })
  )
  return { asked, layer }
}

const named = SourceTags.use((it) => it.named(source))

describe("what a tag names at its source", () => {
  it.effect("is asked once for all that ask within ten seconds, and then anew", () => {
    const it = sources(Effect.delay(Effect.succeedSome(head), "1 second"))
    return Effect.gen(function*() {
      const all = yield* Effect.forkChild(
        Effect.all(Array.from({ length: 50 }, () => named), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(new Set(yield* Fiber.join(all)), new Set([Option.some(head.digest)]))
      yield* TestClock.adjust("8 seconds")
      yield* named
      assert.deepStrictEqual(it.asked, ["library/nginx:1.27"])
      // ten seconds after it was asked, not after it was answered
      yield* TestClock.adjust("1 second")
      const later = yield* Effect.forkChild(named)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(later)
      assert.strictEqual(it.asked.length, 2)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("is not asked of a registry that gives nobody an answer", () => {
    const it = sources(Effect.succeedSome(head), true)
    return Effect.gen(function*() {
      assert.deepStrictEqual([yield* named, it.asked], [Option.none(), []])
    }).pipe(Effect.provide(it.layer))
  })

  for (
    const [how, answer] of [
      ["never answers", Effect.never],
      ["refuses the connection", Effect.fail(refused)],
      ["does not have it any more", Effect.succeedNone]
    ] as const
  ) {
    it.effect(`is not known of one that ${how}, and that is known within seconds`, () => {
      const it = sources(answer)
      return Effect.gen(function*() {
        const asking = yield* Effect.forkChild(named)
        yield* TestClock.adjust("4 seconds")
        assert.deepStrictEqual(yield* Fiber.join(asking), Option.none())
      }).pipe(Effect.provide(it.layer))
    })
  }
})

const compared = SourceTags.use((it) => it.compare(source))

describe("a tag that is compared in the background", () => {
  it.effect("is asked for anew each time", () => {
    const it = sources(Effect.succeedSome(head))
    return Effect.gen(function*() {
      yield* named
      assert.deepStrictEqual(yield* compared, { _tag: "Named", digest: head.digest })
      assert.deepStrictEqual(yield* compared, { _tag: "Named", digest: head.digest })
      assert.strictEqual(it.asked.length, 3)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("is not asked of a host that rests or is silent: it says for how long", () =>
    Effect.gen(function*() {
      const minute = Effect.succeed(Duration.minutes(1))
      for (const more of [{ restOf: () => minute }, { silenceOf: () => minute }]) {
        const it = sources(Effect.succeedSome(head), false, more)
        const answer = yield* Effect.provide(compared, it.layer)
        assert.deepStrictEqual([answer._tag === "None" && Duration.toSeconds(answer.rest), it.asked], [60, []])
      }
    }))

  it.effect("is asked of a silent host whose turn it is, or nobody would find out that it answers again", () => {
    const it = sources(Effect.succeedSome(head), false, { silenceOf: () => Effect.succeed(Duration.zero) })
    return Effect.map(Effect.provide(compared, it.layer), (answer) => assert.strictEqual(answer._tag, "Named"))
  })

  it.effect.each(
    [
      ["never answers", Effect.never, "None"],
      ["refuses", Effect.fail(refused), "None"],
      ["does not have it", Effect.succeedNone, "Gone"]
    ] as const
  )("of a host that %s is no digest", ([, answer, tag]) => {
    const it = sources(answer)
    return Effect.gen(function*() {
      const asking = yield* Effect.forkChild(compared)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Fiber.join(asking))._tag, tag)
    }).pipe(Effect.provide(it.layer))
  })
})
