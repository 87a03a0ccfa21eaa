import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Result } from "effect"
import { type TagDrift, tagDrifts } from "../../src/cli/TagDrifts.ts"
import type { Digest } from "../../src/image/Digest.ts"
import { backupOf } from "../../src/image/BackupName.ts"
import { format, parse } from "../../src/image/ImageReference.ts"
import { ociIndex } from "../../src/image/ManifestDocument.ts"
import { RegistryClient } from "../../src/registry/RegistryClient.ts"
import { RegistryError } from "../../src/registry/RegistryError.ts"
import { digestOf } from "../support/Objects.ts"

const [one, two] = [digestOf("a"), digestOf("b")]
const backup = { registry: "backup.example", prefix: "copies", layout: "nested" } as const
const down = new RegistryError({
  reason: "Unreachable",
  operation: "HEAD manifest",
  target: "x",
  status: undefined,
  detail: "connection refused",
  retryable: true,
  retryAfter: undefined,
  noConnection: true,
  silent: undefined
})

/** What tags name, and what is asked, of copies of these sources. */
const look = (
  sources: ReadonlyArray<string>,
  answers: Record<string, Digest | "down" | "refused">,
  mediaType = ociIndex
) => {
  const asked: Array<string> = []
  const client = Layer.mock(RegistryClient, {
    roleOf: () => "source",
    budgetOf: () => undefined,
    headManifest: ({ registry, repository }, tag) =>
      Effect.suspend(() => {
        const name = format({ registry, repository, tag })
        asked.push(name)
        const answer = answers[name]
        if (answer === "down") return Effect.fail(down)
        if (answer === "refused") {
          return Effect.fail(
            new RegistryError({ ...down, reason: "Unauthorized", status: 401, retryable: false, noConnection: false })
          )
        }
        return Effect.succeed(
          Option.map(Option.fromUndefinedOr(answer), (digest) => ({ digest, mediaType, metered: false }))
        )
      })
  })
  const copies = sources.map((it) => {
    const source = Result.getOrThrow(parse(it))
    return { source, backup: backupOf(backup, source) }
  })
  return Effect.map(Effect.provide(tagDrifts(copies), client), (drifts: ReadonlyArray<TagDrift>) => ({ asked, drifts }))
}

const source = "quay.io/team/app:1"
const copy = "backup.example/copies/quay.io/team/app:1"

describe("the drift of tags", () => {
  it.effect("is what a source's tag names, where the copy's names another", () =>
    Effect.gen(function*() {
      const { drifts } = yield* look([source], { [source]: two, [copy]: one })
      assert.deepStrictEqual(drifts, [{ source, names: two, copy: one }])
      assert.isEmpty((yield* look([source], { [source]: one, [copy]: one })).drifts)
    }))

  it.effect("is none of what is named by digest, of what has no copy, and of what was converted", () =>
    Effect.gen(function*() {
      assert.isEmpty((yield* look([`${source}@${one}`], { [source]: two, [copy]: one })).asked)
      assert.deepStrictEqual((yield* look([source], { [source]: two })).asked, [copy])
      const schema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
      assert.isEmpty((yield* look([source], { [source]: two, [copy]: one }, schema1)).drifts)
    }))

  // one image that Docker Hub no longer shows hid the drift of all others
  it.effect("of others is told where one image is refused", () =>
    Effect.gen(function*() {
      const gone = "quay.io/team/gone:1"
      const { drifts } = yield* look([gone, source], {
        [`backup.example/copies/${gone}`]: one,
        [gone]: "refused",
        [source]: two,
        [copy]: one
      })
      assert.deepStrictEqual(drifts, [{ source, names: two, copy: one }])
    }))

  it.effect("is none where a registry does not answer, which is asked once", () =>
    Effect.gen(function*() {
      const sources = Array.from({ length: 100 }, (_, at) => `quay.io/team/app${at}:1`)
      const answers = Object.fromEntries(sources.map((it) => [`backup.example/copies/${it}`, "down"] as const))
      const { asked, drifts } = yield* look(sources, answers)
      assert.isEmpty(drifts)
      assert.isAtMost(asked.length, 5)
      const gone = yield* look([source], { [source]: "down", [copy]: one })
      assert.deepStrictEqual([gone.asked, gone.drifts], [[copy, source], []])
    }))
})
