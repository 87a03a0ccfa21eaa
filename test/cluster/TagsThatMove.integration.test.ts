// Tags that move at their source while workloads use their copies: followed without a restart, kept and reported, and followed again
// when the policy changes, by a daemon that goes on running.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Objects from "../../sandbox/client/Objects.ts"
import * as J from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { copyOf, daemon, namespace, Stage, stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import * as W from "../support/World.ts"

/** What `kubectl rollout restart` does. */
const restart = (name: string, at: string) =>
  Objects.patch("kubectl-rollout", { resource: Objects.resource("Deployment"), namespace: "moves", name }, {
    spec: { template: { metadata: { annotations: { "kubectl.kubernetes.io/restartedAt": at } } } }
  })

const podsOf = (name: string) =>
  Effect.map(
    W.list("Pod", "moves"),
    (pods) =>
      pods.filter((it) => J.text(it, "metadata", "labels", "app") === name).map((it) => J.text(it, "metadata", "uid"))
  )

for (const place of W.nearest) {
  describe(`tags that move, on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect(
        "are followed and kept as the policy says, and what runs goes on running",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const { backup, upstream } = stageNow
            const push = (bytes: string) => upstream.load("moves/app", SampleImage.image(bytes), "1")
            const image = `${upstream.host}/moves/app:1`
            const copy = copyOf(stageNow, "moves/app", "1")
            const held = Effect.sync(() => backup.resolve(`copies/${upstream.host.replace(":", "_")}/moves/app`, "1"))
            yield* push("moves one")
            yield* namespace("moves")
            for (const name of ["stays", "restarts"]) yield* W.make("Deployment", { namespace: "moves", name, image })
            for (const name of ["stays", "restarts"]) yield* W.settled("moves", name)
            const it = yield* daemon(["moves"], { BACKUP_PULL_BY: "nodes" })
            for (const name of ["stays", "restarts"]) {
              yield* eventually("not rewritten", W.imageNow("Deployment", "moves", name), (now) => now === copy)
              yield* eventually(
                "not rolled out",
                W.running("moves", name),
                (pods) => pods.length === 1 && pods.every((pod) => pod.ready && pod.image === copy)
              )
            }
            const stays = yield* podsOf("stays")

            yield* push("moves two")
            const two = upstream.resolve("moves/app", "1")
            yield* restart("restarts", "2026-01-01T00:00:00Z")
            yield* eventually("the copy's tag does not follow", held, (digest) => digest === two, "20 seconds")
            assert.strictEqual(yield* it.metric("image_cloner_tag_moves_total"), 1)
            assert.deepStrictEqual(yield* podsOf("stays"), stays)
            assert.strictEqual(yield* W.imageNow("Deployment", "moves", "stays"), copy)

            yield* it.configure({ TAG_POLICY: "keep" })
            yield* eventually(
              "the policy is not taken",
              Effect.sync(() => JSON.stringify(it.log)),
              (log) => log.includes("settings changed: TAG_POLICY=keep")
            )
            yield* push("moves three")
            const three = upstream.resolve("moves/app", "1")
            yield* restart("restarts", "2026-01-01T00:01:00Z")
            yield* eventually(
              "the drift is not seen",
              it.metric("image_cloner_tags_drifted"),
              (count) => count === 1,
              "20 seconds"
            )
            assert.strictEqual(yield* held, two)
            const said = it.log.map((line) => J.text(line, "message") ?? "").filter((line) => line.includes(`${three}`))
            assert.lengthOf(said, 1)
            assert.include(said[0], `${two}`)

            yield* it.configure({ TAG_POLICY: "follow" })
            yield* eventually("what drifted is not followed", held, (digest) => digest === three)
            assert.deepStrictEqual(yield* podsOf("stays"), stays)
          }),
        120_000
      )
    })
  })
}
