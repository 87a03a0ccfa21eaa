// Pods that cannot pull from the backup: the first rewritten ones are put back, everything rests, and with the pull secret
// there the job goes on. The daemon runs in this process, because its rest of minutes is seconds here.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Logger, Option } from "effect"
import * as App from "../../src/App.ts"
import { Cloner } from "../../src/clone/Cloner.ts"
import { SourceTags } from "../../src/clone/SourceTags.ts"
import { basic } from "../../src/registry/auth/DockerConfig.ts"
import { Credentials } from "../../src/registry/auth/Credentials.ts"
import { RegistryClient } from "../../src/registry/RegistryClient.ts"
import { RegistrySettings } from "../../src/registry/RegistrySettings.ts"
import { PullRest } from "../../src/rewrite/Pacing.ts"
import * as J from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { settingsOf } from "../../src/settings/Settings.ts"
import { SettingsRef } from "../../src/settings/SettingsRef.ts"
import { Health } from "../../src/telemetry/HealthChecks.ts"
import { copyOf, login, Stage, stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import * as W from "../support/World.ts"

/** The daemon's layers in this process, with a rest of two seconds. */
const inProcess = Effect.fnUntraced(function*(namespaces: ReadonlyArray<string>, lines: Array<string>) {
  const { backup, controlPlane, upstream } = yield* Stage
  const settings = settingsOf(`${backup.host}/copies`, {
    PLAIN_HTTP_REGISTRIES: [upstream.host, backup.host],
    NAMESPACES_TO_INCLUDE: namespaces
  })
  const registries = Layer.merge(Cloner.layer({ shared: true }), SourceTags.layer).pipe(
    Layer.provide(RegistryClient.layer({ certificates: Option.none() })),
    Layer.provide(
      Credentials.layerOf((registry) => registry === backup.host ? basic(login.username, login.password) : undefined)
    ),
    Layer.provide(RegistrySettings.layer())
  )
  yield* Layer.build(
    App.controller({ ownNamespace: Option.none() }).pipe(
      Layer.provide([registries, controlPlane.client, Health.layer]),
      Layer.provide(SettingsRef.layerOf(settings)),
      Layer.provide(Layer.succeed(PullRest, { first: Duration.seconds(3), most: Duration.seconds(6) })),
      Layer.provide(Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])),
      Layer.provide(NodeServices.layer)
    )
  )
}, Effect.asVoid)

for (const place of W.controlPlanes) {
  describe.skipIf(place.skipped)(`pods that cannot pull, on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect(
        "are put back, nothing else is patched, the missing pull secret is named; with it the job goes on",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const { backup, upstream } = stageNow
            yield* W.namespace("locked")
            yield* upstream.load("locked/app", SampleImage.image("locked"), "1")
            const image = `${upstream.host}/locked/app:1`
            for (const name of ["a", "b"]) yield* W.make("Deployment", { namespace: "locked", name, image })
            yield* W.make("StatefulSet", { namespace: "locked", name: "c", image })
            for (const name of ["a", "b", "c"]) yield* W.settled("locked", name)

            const lines: Array<string> = []
            yield* inProcess(["locked"], lines)
            const problem = yield* eventually(
              "no word about the pull secret",
              () => lines.find((line) => line.includes("put back")),
              (line) => line !== undefined
            )
            assert.include(problem, "imagePullSecrets of ServiceAccount default")
            assert.include(problem, backup.host)
            const generations = yield* Effect.forEach(["a", "b"], (name) => W.get("Deployment", "locked", name))
            const images = generations.map(W.imageOf)
            assert.deepStrictEqual(images, [image, image])
            assert.strictEqual(W.imageOf(yield* W.get("StatefulSet", "locked", "c")), image)
            const touched = generations.filter((it) => (J.number(it, "metadata", "generation") ?? 0) > 1)
            assert.strictEqual(touched.length, 1, "more than one workload was tried")
            // a ReplicaSet carries its Deployment's annotation, but only its controller may change it
            for (const set of yield* W.list("ReplicaSet", "locked")) {
              const annotated = J.text(
                set,
                "spec",
                "template",
                "metadata",
                "annotations",
                "image-cloner.io/original-images"
              )
              assert.strictEqual(
                J.text(J.list(set, "spec", "template", "spec", "containers")[0], "image"),
                annotated === undefined ? image : copyOf(stageNow, "locked/app", "1")
              )
            }
            for (const name of ["a", "b", "c"]) yield* W.settled("locked", name)

            yield* W.pullSecret("locked", { host: backup.host, ...login })
            const copy = copyOf(stageNow, "locked/app", "1")
            for (const name of ["a", "b", "c"]) {
              yield* eventually(
                `${name} does not run from the backup`,
                W.running("locked", name),
                (pods) => pods.length === 1 && pods.every((pod) => pod.ready && pod.image === copy)
              )
            }
          }),
        120_000
      )
    })
  })
}
