// What Flux's kustomize-controller does to workloads that the daemon has rewritten, on a real control plane: what it reconciles and
// what it takes for drift, that a fight ends, and that each costs the rollouts that docs/operations.md says.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { JsonObject } from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { costOf, gone, type Subject } from "../support/Costs.ts"
import { kustomization, startFlux } from "./Flux.ts"
import { missing } from "./RealTools.ts"
import { copyOf, daemon, namespace, Stage, stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import type { Daemon } from "../support/Daemon.ts"
import * as W from "../support/World.ts"

type Tag = "1" | "2"

const bytesOf = (tag: Tag) => SampleImage.image(`reconciled ${tag}`)

const imagePath = "/spec/template/spec/containers/0/image"

interface Released {
  readonly image: string
  readonly note?: string
}

/** What stands in the repository. */
const manifest = ({ name, namespace: at }: Subject, marked: boolean, { image, note = "1" }: Released): JsonObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace: at, annotations: { note, ...(marked ? { "image-cloner.io/rewrite": "patch" } : {}) } },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "app", image }] } }
  }
})

/** A Kustomization with the names that its images have, and what a step costs its Deployment. */
const prepared = Effect.fnUntraced(function*(subject: Subject, marked: boolean, it: Daemon, spec?: JsonObject) {
  const stageNow = yield* Stage
  const flux = yield* kustomization(subject.namespace, subject.name, spec)
  const repository = `${subject.namespace}/app`
  const cost = <E, R>(step: Effect.Effect<unknown, E, R>, image: string, tag: Tag) =>
    costOf(subject, step, { image, digest: bytesOf(tag).manifest.digest })
  return {
    cost,
    costs: Effect.fnUntraced(
      function*<E, R>(wanted: number, what: string, step: Effect.Effect<unknown, E, R>, image: string, tag: Tag) {
        assert.strictEqual(yield* cost(step, image, tag), wanted, `rollouts of ${what} of ${subject.name}`)
        assert.isTrue((yield* flux.says).ready, `Flux is not content with ${subject.name}`)
      }
    ),
    publish: (released: Released) => flux.publish(manifest(subject, marked, released)),
    remove: flux.remove,
    original: (tag: Tag) => `${stageNow.upstream.host}/${repository}:${tag}`,
    copy: (tag: Tag) => copyOf(stageNow, repository, tag),
    about: Effect.sync(() => it.about(`Deployment/${subject.namespace}/${subject.name}`).join("\n"))
  }
})

/** Somebody sets an image by hand. */
const setImage = ({ name, namespace: at }: Subject, value: string) =>
  W.jsonPatch("kubectl-set", "Deployment", at, name, [{ op: "replace", path: imagePath, value }])

const left = Effect.fnUntraced(function*(subject: Subject, it: Daemon) {
  const { about, costs, original, publish, remove } = yield* prepared(subject, false, it)
  yield* costs(1, "the first", publish({ image: original("1") }), original("1"), "1")
  yield* costs(1, "another image", publish({ image: original("2") }), original("2"), "2")
  yield* costs(0, "a note", publish({ image: original("2"), note: "2" }), original("2"), "2")
  yield* costs(2, "drift", setImage(subject, original("1")), original("2"), "2")
  assert.include(yield* about, "held, managed-by")
  yield* remove
  yield* gone(subject)
})

const optedIn = Effect.fnUntraced(function*(subject: Subject, it: Daemon) {
  const { about, cost, costs, copy, original, publish, remove } = yield* prepared(subject, true, it)
  // Flux takes each rewrite for drift: two and two of its own, the first of ours maybe before anything runs
  const contested = Effect.andThen(
    publish({ image: original("1") }),
    eventually("not contested", about, (said) => said.includes("held, contested"))
  )
  assert.isAtMost(yield* cost(contested, original("1"), "1"), 5)
  assert.include(yield* about, "kustomize-controller (Apply)")
  const patched = it.metric("image_cloner_rewrites_total{result=\"rewritten\"}")
  const before = yield* patched
  yield* costs(0, "a note, when contested", publish({ image: original("1"), note: "2" }), original("1"), "1")
  yield* costs(0, "three reconciliations", Effect.sleep("6 seconds"), original("1"), "1")
  assert.strictEqual(yield* patched, before)
  yield* costs(1, "the copy's name", publish({ image: copy("1") }), copy("1"), "1")
  yield* costs(0, "a note, with it", publish({ image: copy("1"), note: "3" }), copy("1"), "1")
  const said = (yield* about).split("held, contested").length
  const another = Effect.andThen(
    publish({ image: original("2") }),
    eventually("not contested anew", about, (now) => now.split("held, contested").length > said)
  )
  yield* costs(5, "another image", another, original("2"), "2")
  yield* costs(1, "another copy's name", publish({ image: copy("2") }), copy("2"), "2")
  yield* remove
  yield* gone(subject)
})

/** The image is named in the Kustomization's rules of what to ignore: Flux has let go of it, for its releases as well. */
const ignored = Effect.fnUntraced(function*(subject: Subject, it: Daemon) {
  const { about, cost, costs, copy, original, publish, remove } = yield* prepared(subject, true, it, {
    ignore: [{ paths: [imagePath], target: { kind: "Deployment" } }]
  })
  assert.isAtMost(yield* cost(publish({ image: original("1") }), copy("1"), "1"), 2)
  yield* costs(0, "three reconciliations", Effect.sleep("6 seconds"), copy("1"), "1")
  yield* costs(0, "a note", publish({ image: original("1"), note: "2" }), copy("1"), "1")
  yield* costs(0, "another image, which is never seen", publish({ image: original("2") }), copy("1"), "1")
  assert.notInclude(yield* about, "contested")
  yield* remove
  yield* gone(subject)
})

const real = W.controlPlanes.filter((it) => it.name !== "the sandbox")

for (const place of real) {
  describe.skipIf(missing !== "")(`kustomize-controller on ${place.name}${missing}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect(
        "reconciles as without the daemon what it owns, and a fight with it ends",
        () =>
          Effect.gen(function*() {
            const { upstream } = yield* Stage
            for (const tag of ["1", "2"] as const) yield* upstream.load("flux/app", bytesOf(tag), tag)
            yield* namespace("flux")
            const log = yield* startFlux
            const it = yield* daemon(["flux"], { BACKUP_PULL_BY: "nodes", MAX_CONCURRENT_ROLLOUTS: "4" })
            const subject = (name: string) => ({ namespace: "flux", name })
            yield* Effect.all([
              left(subject("left"), it),
              optedIn(subject("marked"), it),
              ignored(subject("ignored"), it)
            ], {
              concurrency: "unbounded"
            }).pipe(Effect.tapCause(() => Effect.logError(log.slice(-20).join("\n"))))
            // twice for each of the two images that are fought over, and once where Flux has let go
            assert.strictEqual(yield* it.metric("image_cloner_rewrites_total{result=\"rewritten\"}"), 5)
            assert.strictEqual(yield* it.metric("image_cloner_rewrites_total{result=\"disown-failed\"}"), 0)
          }),
        300_000
      )
    })
  })
}
