// Whose fields they are after the daemon has rewritten: on the sandbox and on a real control plane, the bundled program as
// a process.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { JsonObject } from "../../sandbox/Json.ts"
import * as J from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { copyOf, daemon, namespace, Stage, stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import * as W from "../support/World.ts"

const annotation = "image-cloner.io/original-images"

/** What our field manager holds of an object. */
const held = (object: JsonObject) =>
  J.list(object, "metadata", "managedFields").filter((it) => J.text(it, "manager") === "image-cloner")
    .map((it) => J.at(it, "fieldsV1") ?? null)

const claim = (steps: ReadonlyArray<string>): J.Json =>
  [...steps, "metadata", "annotations", annotation].reduceRight<J.Json>((below, it) => ({ [`f:${it}`]: below }), {})

const template = (kind: string) =>
  kind === "CronJob" ? ["spec", "jobTemplate", "spec", "template"] : ["spec", "template"]

/** The manifest of a release that has opted in, as its owner has it in a file. */
const manifest = (kind: string, image: string, labels: JsonObject, replicas = 1): JsonObject => {
  const spec = { containers: [{ name: "app", image }], ...(kind === "CronJob" ? { restartPolicy: "Never" } : {}) }
  const pods = { metadata: { labels: { app: kind.toLowerCase() } }, spec }
  return {
    metadata: { labels: { "image-cloner.io/rewrite": "patch", ...labels } },
    spec: kind === "CronJob"
      ? { schedule: "0 0 1 1 *", jobTemplate: { spec: { template: pods } } }
      : { replicas, selector: { matchLabels: { app: kind.toLowerCase() } }, template: pods }
  }
}

const imageOf = (kind: string, object: JsonObject) =>
  J.text(object, ...template(kind), "spec", "containers", 0, "image") ?? ""

for (const place of W.controlPlanes) {
  describe.skipIf(place.skipped)(`after a rewrite on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect(
        "whoever owns the manifest applies it as before, and nothing rolled out for that",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const { upstream } = stageNow
            yield* upstream.load("applied/app", SampleImage.image("applied"), "1")
            const image = `${upstream.host}/applied/app:1`
            const copy = copyOf(stageNow, "applied/app", "1")
            yield* namespace("applied")
            const kinds = ["Deployment", "CronJob"]
            for (const kind of kinds) {
              yield* W.apply("helm", kind, "applied", "app", manifest(kind, image, { release: "1" }))
            }
            yield* W.settled("applied", "deployment")
            const it = yield* daemon(["applied"])
            for (const kind of kinds) {
              const given = yield* eventually(
                `${kind} is not rewritten, or its image is still ours`,
                W.get(kind, "applied", "app"),
                (object) => imageOf(kind, object) === copy && !JSON.stringify(held(object)).includes("f:image\"")
              )
              assert.deepStrictEqual(held(given), [claim(template(kind))])
              assert.strictEqual(J.number(given, "metadata", "generation"), 2)
              yield* W.apply("helm", kind, "applied", "app", manifest(kind, image, { release: "2" }))
              // its image is the manifest's, so it is rewritten again, and given up again
              const again = yield* eventually(
                `${kind} is not rewritten again`,
                W.get(kind, "applied", "app"),
                (object) =>
                  J.number(object, "metadata", "generation") === 4 && imageOf(kind, object) === copy &&
                  !JSON.stringify(held(object)).includes("f:image\"")
              )
              assert.deepStrictEqual(held(again), [claim(template(kind))])
            }
            assert.strictEqual(yield* it.metric("image_cloner_rewrites_total{result=\"disown-failed\"}"), 0)
          }),
        120_000
      )

      it.effect(
        "what was rewritten before a kill, or by version 0.1, is given up at the next start",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const { upstream } = stageNow
            yield* upstream.load("before/app", SampleImage.image("before"), "1")
            const image = `${upstream.host}/before/app:1`
            const copy = copyOf(stageNow, "before/app", "1")
            yield* namespace("before")
            const kinds = ["Deployment", "CronJob"]
            for (const kind of kinds) {
              yield* W.apply("helm", kind, "before", "app", manifest(kind, image, { release: "1" }, 0))
              const at = `/${template(kind).join("/")}`
              yield* W.jsonPatch("image-cloner", kind, "before", "app", [
                { op: "replace", path: `${at}/spec/containers/0/image`, value: copy },
                { op: "add", path: `${at}/metadata/annotations`, value: {} },
                {
                  op: "add",
                  path: `${at}/metadata/annotations/${annotation.replace("/", "~1")}`,
                  value: JSON.stringify({ app: image })
                }
              ])
            }
            const it = yield* daemon(["before"])
            for (const kind of kinds) {
              const given = yield* eventually(
                `${kind} is still ours`,
                W.get(kind, "before", "app"),
                (object) => !JSON.stringify(held(object)).includes("f:image\"")
              )
              assert.deepStrictEqual(held(given), [claim(template(kind))])
              assert.strictEqual(imageOf(kind, given), copy)
              assert.strictEqual(J.number(given, "metadata", "generation"), 2)
              yield* W.apply("helm", kind, "before", "app", manifest(kind, copy, { release: "2" }, 0))
            }
            assert.strictEqual(yield* it.metric("image_cloner_rewrites_total{result=\"rewritten\"}"), 0)
            assert.strictEqual(yield* it.metric("image_cloner_rewrites_total{result=\"disowned\"}"), 2)
          }),
        120_000
      )
    })
  })
}
