import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { load } from "../../src/settings/Load.ts"
import { settingsOf } from "../../src/settings/Settings.ts"
import { environment, folder, mounted, platform } from "./MountedFolder.ts"

describe("load", () => {
  it.live("reads one file a key and leaves out what begins with a dot", () =>
    Effect.gen(function*() {
      const directory = yield* folder({
        BACKUP_REGISTRY: "a.example/b\n",
        DRY_RUN: "true",
        ".hidden": "x",
        "..data": "x"
      })
      assert.deepStrictEqual(yield* load(Option.some(directory)), settingsOf("a.example/b", { DRY_RUN: true }))
    }).pipe(Effect.provide(platform)))

  it.live("reads a folder as the kubelet mounts it", () =>
    Effect.gen(function*() {
      const { directory } = yield* mounted({ BACKUP_REGISTRY: "a.example/b", MAX_CONCURRENT_RECONCILES: "9" })
      const settings = yield* load(Option.some(directory))
      assert.deepStrictEqual(settings, settingsOf("a.example/b", { MAX_CONCURRENT_RECONCILES: 9 }))
    }).pipe(Effect.provide(platform)))

  it.live("lets the environment override the folder, and takes known keys only from it", () =>
    Effect.gen(function*() {
      const directory = yield* folder({ BACKUP_REGISTRY: "a.example/b", MAX_CONCURRENT_RECONCILES: "9" })
      const settings = yield* load(Option.some(directory)).pipe(
        Effect.provide(environment({ MAX_CONCURRENT_RECONCILES: "2", DRY_RUN: "", UNRELATED: "x" }))
      )
      assert.deepStrictEqual(settings, settingsOf("a.example/b", { MAX_CONCURRENT_RECONCILES: 2 }))
    }).pipe(Effect.provide(platform)))

  it.live("needs no folder", () =>
    Effect.gen(function*() {
      const settings = yield* load(Option.none())
      assert.deepStrictEqual(settings, settingsOf("a.example/b"))
    }).pipe(Effect.provide([platform, environment({ BACKUP_REGISTRY: "a.example/b" })])))

  it.live("names all that is wrong in folder and environment in one error", () =>
    Effect.gen(function*() {
      const directory = yield* folder({ BACKUP_REGISTRY: "nowhere", UNKNOWN: "x" })
      const error = yield* Effect.flip(load(Option.some(directory))).pipe(
        Effect.provide(environment({ DRY_RUN: "maybe" }))
      )
      assert.deepStrictEqual(error.problems.map((it) => it.key).toSorted(), ["BACKUP_REGISTRY", "DRY_RUN", "UNKNOWN"])
      assert.match(error.message, /^3 settings are wrong:\n {2}/)
    }).pipe(Effect.provide(platform)))

  it.live("says that the folder is not there", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(load(Option.some("/nowhere/at/all")))
      assert.deepStrictEqual(error.problems.map((it) => it.key), ["/nowhere/at/all"])
    }).pipe(Effect.provide(platform)))
})
