// Five hundred images of a registry whose port is closed, beside a healthy one, over real sockets: how often it is tried, what
// becomes of the others, and of all when it answers.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, References, type Scope } from "effect"
import { connect, createServer, type LookupFunction, type Server, type Socket } from "node:net"
import { Cloner } from "../../../src/clone/Cloner.ts"
import { SourceTags } from "../../../src/clone/SourceTags.ts"
import { ImageQueue, offerAll, WorkloadQueue } from "../../../src/controller/Queues.ts"
import * as ReconcileImage from "../../../src/controller/images/ReconcileImage.ts"
import * as Waking from "../../../src/controller/images/Waking.ts"
import { settingsOf } from "../../../src/settings/Settings.ts"
import { SettingsRef } from "../../../src/settings/SettingsRef.ts"
import { Pacing } from "../../../src/rewrite/Pacing.ts"
import { Inventory } from "../../../src/store/Inventory.ts"
import { WorkloadStore } from "../../../src/store/WorkloadStore.ts"
import { type FakeRegistry, startFakeRegistry } from "../../support/FakeRegistry.ts"
import { clientLayer } from "../../support/Registries.ts"
import { imageOf, layerOf } from "../../support/TestImages.ts"
import { eventually } from "../../support/Eventually.ts"

const image = imageOf([layerOf("a")])

/** A server on this port, or on any, that leads to the registry. */
const door = (registry: FakeRegistry, port = 0): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.suspend(() => {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      const inner = connect(Number(registry.host.split(":")[1]), "127.0.0.1")
      sockets.add(socket)
      socket.pipe(inner)
      inner.pipe(socket)
      for (const [one, other] of [[socket, inner], [inner, socket]] as const) {
        one.on("error", () => other.destroy()).on("close", () => other.destroy())
      }
    })
    return Effect.acquireRelease(
      Effect.callback<Server>((resume) => {
        server.listen(port, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      () =>
        Effect.callback<void>((resume) => {
          server.close(() => resume(Effect.void))
          for (const socket of sockets) socket.destroy()
        })
    )
  })

/** A port where nobody listens. */
const closedPort = (registry: FakeRegistry) =>
  Effect.scoped(Effect.map(door(registry), (server) => {
    const address = server.address()
    return typeof address === "object" && address !== null ? address.port : 0
  }))

describe("a registry whose port is closed", () => {
  it.live(
    "is tried by one of its five hundred images at a time, holds up no other, and gets them all when it opens",
    () =>
      Effect.gen(function*() {
        const inner = yield* startFakeRegistry()
        const well = yield* startFakeRegistry()
        const backup = yield* startFakeRegistry()
        const port = yield* closedPort(inner)
        const dead = `dead.test:${port}`
        const names = Array.from({ length: 500 }, (_, at) => `team/app${at}`)
        for (const name of names) inner.add(name, image, "1")
        for (const name of names.slice(0, 20)) well.add(name, image, "1")
        const lost = names.map((name) => `${dead}/${name}:1`)
        const healthy = names.slice(0, 20).map((name) => `${well.host}/${name}:1`)
        let connections = 0
        const lookup: LookupFunction = (_, options, callback) => {
          connections++
          return options.all === true
            ? callback(null, [{ address: "127.0.0.1", family: 4 }])
            : callback(null, "127.0.0.1", 4)
        }
        const cloner = Cloner.layer({ shared: true }).pipe(
          Layer.provide(clientLayer({
            backup: backup.host,
            plainHttp: [dead, well.host, backup.host],
            spareSilent: true,
            lookup
          }))
        )
        const layer = Layer.mergeAll(
          cloner,
          Layer.mock(SourceTags, { compare: () => Effect.succeed({ _tag: "Gone" }) }),
          Pacing.layer,
          Inventory.layer,
          ImageQueue.layer,
          WorkloadQueue.layer,
          WorkloadStore.layer,
          Layer.succeed(References.MinimumLogLevel, "None")
        ).pipe(
          Layer.provideMerge(
            SettingsRef.layerOf(settingsOf(`${backup.host}/mirror`, { MAX_CONCURRENT_RECONCILES: 20 }))
          )
        )
        yield* Effect.gen(function*() {
          const queue = yield* ImageQueue
          const inventory = yield* Inventory
          const are = (tag: string, of: ReadonlyArray<string>) => () =>
            of.every((source) => inventory.state(source)?._tag === tag)
          const work = yield* ReconcileImage.make
          const { due } = yield* Waking.make
          for (const source of [...lost, ...healthy]) inventory.want(`Deployment/shop/${source}`, [source])
          yield* Effect.forkScoped(queue.run("unbounded", work))
          yield* Effect.forkScoped(ReconcileImage.callInLine)
          yield* offerAll(queue, [...lost, ...healthy])
          yield* eventually("the healthy ones are not copied", are("BackedUp", healthy))
          yield* eventually("not all of the others know", are("Failed", lost))
          // nineteen had a permit before anybody knew; nobody but the tick makes another try
          assert.isAtMost(connections, 19)
          const before = connections
          yield* Effect.forkScoped(
            due.pipe(Effect.flatMap((it) => offerAll(queue, it)), Effect.delay("100 millis"), Effect.forever)
          )
          yield* eventually("it is not tried again", () => connections > before)
          assert.strictEqual(connections, before + 1)
          yield* door(inner, port)
          yield* eventually("not all are copied", are("BackedUp", lost))
          assert.strictEqual(inner.count(/HEAD .*team\/app499\/manifests/), 1)
        }).pipe(Effect.scoped, Effect.provide(layer))
      }),
    60_000
  )
})
