// The end of the daemon: whatever the loops use is there until they have ended.
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Option, Scope, Stream } from "effect"
import { controller } from "../src/App.ts"
import { Cloner } from "../src/clone/Cloner.ts"
import { SourceTags } from "../src/clone/SourceTags.ts"
import { KubeClient } from "../src/kube/KubeClient.ts"
import { Leadership } from "../src/kube/lease/Leadership.ts"
import { settingsOf } from "../src/settings/Settings.ts"
import { SettingsRef } from "../src/settings/SettingsRef.ts"
import { supervised } from "../src/Supervisor.ts"
import { Health } from "../src/telemetry/HealthChecks.ts"

// the cloner has a fiber of the supervisor, too, which kept the loops running when what they use was closed: copies went on
// without a registry, and their uploads were left open in the backup
it.effect("loops end before what they use is closed, whoever else has a fiber", () =>
  Effect.gen(function*() {
    const order: Array<string> = []
    const note = (what: string) => Effect.sync(() => void order.push(what))
    const cloner = supervised((run) =>
      Layer.mergeAll(
        Layer.mock(Cloner, { inFlight: Effect.succeed([]), waiting: Effect.succeed(0), isInLine: () => false }),
        Layer.mock(SourceTags, {}),
        Layer.effectDiscard(
          Effect.andThen(
            run("follows the settings", Effect.onInterrupt(Effect.never, () => note("fiber of the cloner"))),
            Effect.addFinalizer(() => note("cloner"))
          )
        )
      )
    )
    const kube = Layer.mock(KubeClient, {
      server: "https://none",
      frames: () => Stream.fromEffectDrain(Effect.onInterrupt(Effect.never, () => note("watch")))
    })
    const lease = Layer.succeed(Leadership, {
      mayWrite: Effect.succeed(true),
      changes: Stream.make(true),
      leave: note("lease")
    })
    const scope = yield* Scope.make()
    yield* Layer.buildWithScope(
      controller({ ownNamespace: Option.none() }).pipe(
        Layer.provideMerge(cloner),
        Layer.provide(
          Layer.mergeAll(kube, lease, SettingsRef.layerOf(settingsOf("backup.example/copies")), Health.layer)
        )
      ),
      scope
    )
    yield* Effect.yieldNow
    yield* Effect.yieldNow
    yield* Scope.close(scope, yield* Effect.exit(Effect.void))
    assert.isTrue(order.includes("watch"), order.join())
    assert.isAbove(order.indexOf("lease"), order.lastIndexOf("watch"), order.join())
    assert.strictEqual(order.at(-1), "cloner", order.join())
    assert.isTrue(order.includes("fiber of the cloner"))
  }))
