// Images that cannot be had, each in another way, beside one that can: every one is reported with its reason, its workload stays
// as it was, everything else goes on, and nothing half-pushed is tagged.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as EmbeddedRegistry from "../../sandbox/registry/EmbeddedRegistry.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { copyOf, daemon, namespace, Stage, stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import * as W from "../support/World.ts"

for (const place of W.controlPlanes) {
  describe.skipIf(place.skipped)(`images that cannot be had, on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect("are reported one by one, and nothing else waits for them", () =>
        Effect.gen(function*() {
          const stageNow = yield* Stage
          const { backup, upstream } = stageNow
          const locked = yield* EmbeddedRegistry.make({
            auth: {
              _tag: "Basic",
              anonymousPull: false,
              users: [{ name: "somebody", password: Redacted.make("else") }]
            }
          })
          yield* locked.load("faults/private", SampleImage.image("private"), "1")
          const dead = yield* EmbeddedRegistry.make()
          yield* dead.load("faults/dead", SampleImage.image("dead"), "1")
          yield* dead.switchOff
          for (const name of ["good", "cut", "corrupt"]) {
            yield* upstream.load(`faults/${name}`, SampleImage.image(`faults ${name}`), "1")
          }
          const blob = (name: string) => new RegExp(`^/v2/faults/${name}/blobs/`)
          upstream.faults.add({ method: "GET", path: blob("cut"), fault: { _tag: "Cut", after: 50 } })
          upstream.faults.add({
            method: "GET",
            path: blob("corrupt"),
            fault: { _tag: "Corrupt", at: 20 }
          })
          const cases: ReadonlyArray<readonly [name: string, image: string, word: string]> = [
            ["invalid", `${upstream.host}/faults/Upper:1`, "not an image reference"],
            ["missing", `${upstream.host}/faults/missing:1`, "not-found"],
            ["private", `${locked.host}/faults/private:1`, "private"],
            ["dead", `${dead.host}/faults/dead:1`, "unavailable"],
            ["cut", `${upstream.host}/faults/cut:1`, "unavailable"],
            ["corrupt", `${upstream.host}/faults/corrupt:1`, "corrupt"]
          ]
          yield* namespace("faults")
          for (const [name, image] of cases) {
            // no pods: whoever asks for these images is the daemon
            yield* W.make("Deployment", { namespace: "faults", name, image, replicas: 0 })
          }
          const good = `${upstream.host}/faults/good:1`
          yield* W.make("Deployment", { namespace: "faults", name: "good", image: good })
          // one image of two cannot be had: the whole workload waits
          yield* W.make("Deployment", {
            namespace: "faults",
            name: "half",
            image: good,
            replicas: 0,
            podSpec: {
              containers: [{ name: "a", image: good }, { name: "b", image: `${upstream.host}/faults/missing:1` }]
            }
          })

          const it = yield* daemon(["faults"], {
            PLAIN_HTTP_REGISTRIES: [upstream, backup, locked, dead].map((registry) => registry.host).join()
          })
          yield* eventually(
            "the good one waits for the others",
            W.imageNow("Deployment", "faults", "good"),
            (image) => image === copyOf(stageNow, "faults/good", "1"),
            "20 seconds"
          )
          for (const [name, image, word] of cases) {
            yield* eventually(
              `${name} is not reported as ${word}`,
              () => [...it.about(image), ...it.about(`Deployment/faults/${name}`)],
              (lines) => lines.some((line) => line.includes(word)),
              "90 seconds"
            )
            assert.strictEqual(yield* W.imageNow("Deployment", "faults", name), image)
          }
          assert.strictEqual(yield* W.imageNow("Deployment", "faults", "half"), good)
          const tags = backup.repositories().filter((repository) => /faults\/(?!good)/.test(repository))
            .flatMap((repository) => backup.tags(repository))
          assert.deepStrictEqual(tags, [])
          yield* eventually(
            "the unparsable one is not counted",
            it.metric("image_cloner_workloads_not_rewritten{reason=\"unparsable\"}"),
            (count) => count >= 1
          )
          assert.strictEqual(yield* it.metric("image_cloner_images{state=\"not-found\"}"), 1)
          assert.strictEqual(yield* it.metric("image_cloner_images{state=\"private\"}"), 1)
        }), 180_000)
    })
  })
}
