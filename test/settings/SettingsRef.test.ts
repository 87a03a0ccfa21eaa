import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Logger, Metric, Option, Stream, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import type { Settings } from "../../src/settings/Settings.ts"
import type { SettingsError } from "../../src/settings/SettingsError.ts"
import { SettingsRef } from "../../src/settings/SettingsRef.ts"
import { settingsRejected, settingsReloads, settingsRestartRequired } from "../../src/telemetry/Metrics.ts"
import { eventually } from "../support/Eventually.ts"
import { environment, folder, mounted, platform, write } from "./MountedFolder.ts"
import { supervised } from "../../src/Supervisor.ts"

/** Waits until a gauge has a value: what the daemon does of its own accord has no other end. */
const reaches = (gauge: typeof settingsRejected, value: number) =>
  eventually(`the gauge does not come to ${value}`, Metric.value(gauge), (it) => it.value === value)

const follows = (ref: SubscriptionRef.SubscriptionRef<Settings>, reached: (settings: Settings) => boolean) =>
  eventually("the settings are not followed", SubscriptionRef.get(ref), reached)

const following = (directory: string, rejected: (error: SettingsError) => Effect.Effect<void> = () => Effect.void) =>
  supervised((run) => SettingsRef.layer({ directory: Option.some(directory), run, rejected }))

describe("SettingsRef", () => {
  it.live("follows the swap of a mounted ConfigMap", () =>
    Effect.gen(function*() {
      const { directory, publish } = yield* mounted({ BACKUP_REGISTRY: "a.example/b", MAX_CONCURRENT_RECONCILES: "9" })
      yield* Effect.gen(function*() {
        const ref = yield* SettingsRef
        assert.strictEqual((yield* SubscriptionRef.get(ref)).MAX_CONCURRENT_RECONCILES, 9)
        yield* publish({ BACKUP_REGISTRY: "a.example/b", MAX_CONCURRENT_RECONCILES: "3" })
        yield* follows(ref, (it) => it.MAX_CONCURRENT_RECONCILES === 3)
        assert.strictEqual((yield* Metric.value(settingsReloads({ result: "applied" }))).count, 1)
      }).pipe(Effect.provide(following(directory)))
    }).pipe(Effect.provide(platform)))

  it.live("keeps the last good settings while the folder holds wrong ones", () =>
    Effect.gen(function*() {
      const directory = yield* folder({ BACKUP_REGISTRY: "a.example/b", MAX_CONCURRENT_RECONCILES: "9" })
      yield* Effect.gen(function*() {
        const ref = yield* SettingsRef
        yield* write(directory, { MAX_CONCURRENT_RECONCILES: "many" })
        yield* reaches(settingsRejected, 1)
        assert.strictEqual((yield* SubscriptionRef.get(ref)).MAX_CONCURRENT_RECONCILES, 9)
        yield* write(directory, { MAX_CONCURRENT_RECONCILES: "4" })
        yield* follows(ref, (it) => it.MAX_CONCURRENT_RECONCILES === 4)
        yield* reaches(settingsRejected, 0)
        assert.strictEqual((yield* Metric.value(settingsReloads({ result: "rejected" }))).count, 1)
      }).pipe(Effect.provide(following(directory)))
    }).pipe(Effect.provide(platform)))

  it.live("tells once what is wrong, however often it is read", () =>
    Effect.gen(function*() {
      const directory = yield* folder({ BACKUP_REGISTRY: "a.example/b" })
      const told: Array<string> = []
      const rejected = ({ problems }: SettingsError) =>
        Effect.sync(() => void told.push(problems.map((it) => it.key).join()))
      yield* Effect.gen(function*() {
        const ref = yield* SettingsRef
        yield* write(directory, { MAX_CONCURRENT_RECONCILES: "many" })
        yield* reaches(settingsRejected, 1)
        yield* write(directory, { MAX_CONCURRENT_RECONCILES: "many", DRY_RUN: "true" })
        yield* write(directory, { MAX_CONCURRENT_RECONCILES: "4" })
        yield* follows(ref, (it) => it.MAX_CONCURRENT_RECONCILES === 4)
        assert.deepStrictEqual(told, ["MAX_CONCURRENT_RECONCILES"])
      }).pipe(Effect.provide(following(directory, rejected)))
    }).pipe(Effect.provide(platform)))

  it.live("reports a change that needs a restart and applies the others", () =>
    Effect.gen(function*() {
      const directory = yield* folder({ BACKUP_REGISTRY: "a.example/b" })
      yield* Effect.gen(function*() {
        const ref = yield* SettingsRef
        yield* write(directory, { BACKUP_REGISTRY: "c.example/d", DRY_RUN: "true" })
        yield* follows(ref, (it) => it.DRY_RUN)
        assert.strictEqual((yield* SubscriptionRef.get(ref)).BACKUP_REGISTRY, "a.example/b")
        yield* reaches(settingsRestartRequired, 1)
        yield* write(directory, { BACKUP_REGISTRY: "a.example/b" })
        yield* reaches(settingsRestartRequired, 0)
      }).pipe(Effect.provide(following(directory)))
    }).pipe(Effect.provide(platform)))

  it.live("keeps the kinds that it was started with, and says that others take a restart", () =>
    Effect.gen(function*() {
      const kinds = "argoproj.io/v1alpha1/Rollout=spec.template.spec"
      const directory = yield* folder({ BACKUP_REGISTRY: "a.example/b", EXTRA_KINDS: kinds })
      yield* Effect.gen(function*() {
        const ref = yield* SettingsRef
        yield* write(directory, { DRY_RUN: "true" })
        yield* follows(ref, (it) => it.DRY_RUN)
        // the same kinds, read anew, are no change
        assert.strictEqual((yield* Metric.value(settingsRestartRequired)).value, 0)
        yield* write(directory, { EXTRA_KINDS: "apps.kruise.io/v1alpha1/CloneSet=spec.template.spec" })
        yield* reaches(settingsRestartRequired, 1)
        assert.deepStrictEqual((yield* SubscriptionRef.get(ref)).EXTRA_KINDS.map((it) => it.kind), ["Rollout"])
      }).pipe(Effect.provide(following(directory)))
    }).pipe(Effect.provide(platform)))

  it.live("survives that the folder goes away and comes back", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* folder({ BACKUP_REGISTRY: "a.example/b" })
      yield* Effect.gen(function*() {
        const ref = yield* SettingsRef
        yield* fs.remove(`${directory}/BACKUP_REGISTRY`)
        yield* reaches(settingsRejected, 1)
        assert.strictEqual((yield* SubscriptionRef.get(ref)).BACKUP_REGISTRY, "a.example/b")
        yield* write(directory, { BACKUP_REGISTRY: "a.example/b", DRY_RUN: "true" })
        yield* follows(ref, (it) => it.DRY_RUN)
      }).pipe(Effect.provide(following(directory)))
    }).pipe(Effect.provide(platform)))

  it.effect.each([
    { how: "are never told of", watch: () => Stream.never },
    { how: "cannot be watched", watch: () => Stream.die("no inotify here") },
    { how: "never cease", watch: () => Stream.tick("50 millis") }
  ])("takes a change up within four seconds where changes of the folder $how", ({ watch }) => {
    const folderOf = { text: "false" }
    const silent = FileSystem.layerNoop({
      readDirectory: () => Effect.succeed(["BACKUP_REGISTRY", "DRY_RUN"]),
      readFileString: (path) => Effect.sync(() => path.endsWith("DRY_RUN") ? folderOf.text : "a.example/b"),
      watch: () => Stream.map(watch(), () => ({ _tag: "Update" as const, path: "DRY_RUN" }))
    })
    return Effect.gen(function*() {
      const ref = yield* SettingsRef
      yield* TestClock.adjust("10 seconds")
      folderOf.text = "true"
      yield* TestClock.adjust("4 seconds")
      assert.isTrue((yield* SubscriptionRef.get(ref)).DRY_RUN)
    }).pipe(
      Effect.provide(
        following("/settings").pipe(
          Layer.provide(Layer.mergeAll(silent, Logger.layer([]), environment({})))
        )
      )
    )
  })

  it.live("does not start with wrong settings", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(
        Layer.build(supervised((run) => SettingsRef.layer({ directory: Option.none(), run })))
      )
      assert.deepStrictEqual(error.problems.map((it) => it.key), ["BACKUP_REGISTRY"])
    }).pipe(Effect.provide(platform)))
})
