// Images that wait for their turn without whoever asked: they are called, and are not looked at twice for it.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, type Scope } from "effect"
import { Layer } from "effect"
import { type CloneError, Cloner, type Copied } from "../../src/clone/Cloner.ts"
import { settingsOf } from "../../src/settings/Settings.ts"
import { SettingsRef } from "../../src/settings/SettingsRef.ts"
import { eventually } from "../support/Eventually.ts"
import { type FakeRegistry, startFakeRegistry } from "../support/FakeRegistry.ts"
import { gate } from "../support/Gate.ts"
import { clientLayer } from "../support/Registries.ts"
import { image } from "../support/SourceAndBackup.ts"
import { imageOf, layerOf } from "../support/TestImages.ts"

interface World {
  readonly source: FakeRegistry
  readonly backup: FakeRegistry
  readonly cloner: Cloner["Service"]
  /** Asks as the image loop does. */
  readonly ask: (tag: string) => Effect.Effect<Copied, CloneError>
  readonly keyOf: (tag: string) => string
}

/** With one copy at a time: of two permits one registry never gets the last. */
const busy = <A, E>(use: (it: World) => Effect.Effect<A, E, Scope.Scope>) =>
  Effect.gen(function*() {
    const source = yield* startFakeRegistry()
    const backup = yield* startFakeRegistry()
    for (const tag of ["first", "second", "third"]) source.add("app", imageOf([layerOf(tag)]), tag)
    const layer = Cloner.layer({ shared: true }).pipe(
      Layer.provide(clientLayer({ backup: backup.host, plainHttp: [source.host, backup.host] })),
      Layer.provide(SettingsRef.layerOf(settingsOf(`${backup.host}/mirror`, { MAX_CONCURRENT_RECONCILES: 2 })))
    )
    return yield* Effect.flatMap(Cloner, (cloner) =>
      use({
        source,
        backup,
        cloner,
        ask: (tag) => cloner.clone({ registry: source.host, repository: "app", tag }, { inLine: true }),
        keyOf: (tag) => `${source.host}/app:${tag}`
      })).pipe(Effect.provide(layer))
  })

const reasonOf = <A>(asked: Effect.Effect<A, CloneError>) => Effect.map(Effect.flip(asked), (it) => it.reason)

describe("an image in line", () => {
  it.live("ends at once, is called, and is copied without another look at its name", () =>
    busy(({ ask, backup, cloner, keyOf, source }) =>
      Effect.gen(function*() {
        const door = gate(source, /GET .*blobs/)
        const first = yield* Effect.forkChild(ask("first"), { startImmediately: true })
        yield* door.are(2)
        assert.strictEqual(yield* reasonOf(ask("second")), "in-line")
        // however often it is asked for meanwhile
        assert.strictEqual(yield* reasonOf(ask("second")), "in-line")
        assert.strictEqual(yield* cloner.waiting, 1)
        assert.strictEqual(source.count(/HEAD .*manifests\/second$/), 1)
        yield* door.one
        yield* door.one
        yield* Fiber.join(first)
        assert.deepStrictEqual(yield* cloner.calls, [keyOf("second")])
        const second = yield* Effect.forkChild(ask("second"), { startImmediately: true })
        yield* door.one
        yield* door.one
        assert.isFalse((yield* Fiber.join(second)).upToDate)
        assert.strictEqual(source.count(/HEAD .*manifests\/second$/), 1)
        assert.strictEqual(backup.count(/PUT .*manifests\/second$/), 1)
      })
    ))

  it.live("leaves its turn to the next when it is asked for no more", () =>
    busy(({ ask, cloner, keyOf, source }) =>
      Effect.gen(function*() {
        const door = gate(source, /GET .*blobs/)
        const first = yield* Effect.forkChild(ask("first"), { startImmediately: true })
        yield* door.are(2)
        for (const tag of ["second", "third"]) assert.strictEqual(yield* reasonOf(ask(tag)), "in-line")
        yield* door.one
        yield* door.one
        yield* Fiber.join(first)
        assert.deepStrictEqual(yield* cloner.calls, [keyOf("second")])
        yield* cloner.stepOut(keyOf("second"))
        assert.deepStrictEqual(yield* cloner.calls, [keyOf("third")])
        yield* cloner.stepOut(keyOf("third"))
        assert.strictEqual(yield* cloner.waiting, 0)
        // nothing is kept for anybody now
        const second = yield* Effect.forkChild(ask("second"), { startImmediately: true })
        yield* door.one
        yield* door.one
        yield* Fiber.join(second)
      })
    ))

  it.live("gives its turn back however its copy ends", () =>
    busy(({ ask, source }) =>
      Effect.gen(function*() {
        source.on(/GET .*manifests/, (_, response) => response.writeHead(404).end(), 3)
        assert.notStrictEqual(yield* reasonOf(ask("first")), "in-line")
        const cut = yield* Effect.forkChild(ask("second"), { startImmediately: true })
        yield* Fiber.interrupt(cut)
        source.add("app", image, "third")
        assert.isFalse((yield* ask("third")).upToDate)
      })
    ))

  it.live("waits for a look likewise, and for none behind a copy that is there", () =>
    busy(({ ask, backup, cloner, keyOf, source }) =>
      Effect.gen(function*() {
        yield* ask("third")
        const names = gate(source, /HEAD .*manifests\/(first|second)/)
        const first = yield* Effect.forkChild(ask("first"), { startImmediately: true })
        yield* names.are(1)
        assert.strictEqual(yield* reasonOf(ask("second")), "in-line")
        assert.strictEqual(
          yield* reasonOf(cloner.recognise({ registry: source.host, repository: "app", tag: "third" })),
          "in-line"
        )
        yield* names.one
        yield* Fiber.join(first)
        yield* eventually("nobody is called", cloner.waiting, (it) => it <= 1)
        assert.deepStrictEqual(yield* cloner.calls, [keyOf("second")])
        yield* cloner.stepOut(keyOf("second"))
        assert.deepStrictEqual(yield* cloner.calls, [keyOf("third")])
        const held = yield* cloner.recognise({ registry: source.host, repository: "app", tag: "third" })
        assert.isDefined(held)
        assert.strictEqual(backup.count(/PUT .*manifests\/third$/), 1)
      })
    ))
})
