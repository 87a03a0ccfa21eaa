// Admission end to end, on a real control plane alone: its API server is what calls webhooks, and the bundled daemon beside it answers.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { join } from "node:path"
import type { JsonObject } from "../../sandbox/Json.ts"
import * as J from "../../sandbox/Json.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import { KubeError } from "../../src/kube/KubeError.ts"
import { run } from "../support/Command.ts"
import { admitting, imagesOf, makePod, mutates, objectOf, originals, podSpec, withWeb } from "./Webhooks.ts"
import { copyOf, namespace, Stage, stage, user } from "../support/Stage.ts"
import { withoutImages } from "../admission/Patched.ts"
import { eventually } from "../support/Eventually.ts"
import * as W from "../support/World.ts"

/** Pods of every shape that concerns a patch: lists that are there or not, annotations that are there, empty, or ours. */
const shapeOf = (at: number, image: string): JsonObject => {
  const count = (of: number, from: number) => Math.floor(at / from) % of
  const containers = (prefix: string, many: number) =>
    Array.from({ length: many }, (_, index): JsonObject => ({ name: `${prefix}${index}`, image, ports: [] }))
  const annotations: ReadonlyArray<JsonObject> = [
    {},
    { annotations: {} },
    { annotations: { "example.com/a_b.c": "d" } },
    { annotations: { [originals]: "{\"gone\":\"nginx\"}" } },
    { annotations: { [originals]: "no JSON" } }
  ]
  const inits: ReadonlyArray<JsonObject> = [{}, { initContainers: [] }, { initContainers: containers("init", 2) }]
  const volumes: ReadonlyArray<JsonObject> = [
    {},
    { volumes: [{ name: "data", emptyDir: {} }, { name: "image", image: { reference: image } }] }
  ]
  return {
    metadata: { name: `shape-${at}`, labels: { at: String(at) }, ...annotations[count(5, 1)] },
    spec: { containers: containers("app", 1 + count(3, 30)), ...inits[count(3, 5)], ...volumes[count(2, 15)] }
  }
}

const withLabel = (body: JsonObject, labels: JsonObject): JsonObject => ({
  ...body,
  metadata: { ...J.object(body, "metadata"), labels: { ...J.object(body, "metadata", "labels"), ...labels } }
})

/** What would become of a pod. */
const tryPod = (namespaceName: string, body: JsonObject) =>
  Effect.flatMap(KubeClient, (client) =>
    Effect.map(
      client.request({
        method: "POST",
        path: `/api/v1/namespaces/${namespaceName}/pods`,
        query: { dryRun: "All" },
        body: { apiVersion: "v1", kind: "Pod", ...body }
      }),
      objectOf
    ))

/** A pod without what differs between two that are made alike. */
const bare = (pod: JsonObject): unknown =>
  JSON.parse(
    JSON.stringify(pod, (key, value: unknown) =>
      ["uid", "creationTimestamp", "managedFields", "labels", "resourceVersion"].includes(key) ? undefined : value)
      .replaceAll(/kube-api-access-\w+/g, "kube-api-access")
  )

const scale = (namespaceName: string, name: string, replicas: number) =>
  W.jsonPatch("kubectl", "Deployment", namespaceName, name, [{
    op: "replace",
    path: "/spec/replicas",
    value: replicas
  }])

const real = W.controlPlanes.filter((it) => it.name !== "the sandbox")

for (const place of real) {
  describe.skipIf(place.skipped)(`admission on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect("points new pods to the copies, and touches no template", () =>
        Effect.gen(function*() {
          const { backup } = yield* Stage
          const { copy, image } = yield* withWeb
          yield* W.settled("team", "web")
          const before = yield* W.get("Deployment", "team", "web")
          const cloner = yield* admitting(["team"])
          yield* mutates(1)
          yield* eventually(
            "the image is not backed up",
            cloner.metric("image_cloner_images{state=\"backed-up\"}"),
            (it) => it === 1
          )
          // the API server takes a moment to see that it is to ask
          yield* eventually(
            "nobody is asked",
            Effect.andThen(
              makePod("team", "try", image, { dryRun: "All" }),
              cloner.metric("image_cloner_webhook_requests_total{path=\"/mutate/v1/pods\",outcome=\"answered\"}")
            ),
            (it) => it > 0
          )
          // the first new pod shows that pulling works; the others come after
          yield* scale("team", "web", 2)
          yield* W.settled("team", "web", 2)
          const images = Effect.map(W.running("team", "web"), (pods) => pods.map((it) => it.image).toSorted())
          assert.deepStrictEqual(yield* images, [copy, image].toSorted())
          yield* scale("team", "web", 5)
          yield* W.settled("team", "web", 5)
          assert.deepStrictEqual((yield* images).filter((it) => it === copy).length, 4)
          const digests = new Set((yield* W.running("team", "web")).map((it) => it.digest))
          assert.strictEqual(digests.size, 1)

          const direct = yield* makePod("team", "bare", image)
          assert.deepStrictEqual(imagesOf(direct), [copy, copy])
          assert.strictEqual(
            J.text(objectOf(direct), "metadata", "annotations", originals),
            JSON.stringify({ app: image, setup: image })
          )
          yield* W.create("Job", "team", { metadata: { name: "job" }, spec: { template: { spec: podSpec(image) } } })
          yield* eventually(
            "the Job's pod has not the copies",
            W.list("Pod", "team"),
            (pods) =>
              pods.some((it) =>
                J.text(it, "metadata", "labels", "job-name") === "job" && imagesOf(it).every((one) => one === copy)
              )
          )
          // a dry run answers what would be, and changes nothing
          assert.deepStrictEqual(imagesOf(yield* makePod("team", "dry", image, { dryRun: "All" })), [copy, copy])
          assert.isFalse((yield* W.list("Pod", "team")).some((it) => J.text(it, "metadata", "name") === "dry"))

          // two hundred pods of all shapes: what differs from the pod that nobody touched is images and the annotation
          const shapes = Array.from({ length: 200 }, (_, at) => shapeOf(at, image))
          const differing = yield* Effect.forEach(shapes, (body) =>
            Effect.gen(function*() {
              const touched = yield* tryPod("team", body)
              const untouched = yield* tryPod("team", withLabel(body, { "image-cloner.io/ignore": "true" }))
              assert.deepStrictEqual(withoutImages(bare(touched)), withoutImages(bare(untouched)))
              const named = J.list(touched, "spec", "containers").map((it) => J.text(it, "image"))
              assert.isTrue(named.every((it) => it === copy), named.join())
              return JSON.stringify(touched) === JSON.stringify(untouched) ? 0 : 1
            }), { concurrency: 8 })
          assert.strictEqual(differing.reduce<number>((sum, it) => sum + it, 0), 200)

          const client = yield* KubeClient
          const debugged = yield* client.request({
            method: "PATCH",
            path: "/api/v1/namespaces/team/pods/bare/ephemeralcontainers",
            contentType: "application/strategic-merge-patch+json",
            body: { spec: { ephemeralContainers: [{ name: "debug", image }] } }
          })
          assert.strictEqual(J.text(J.list(objectOf(debugged), "spec", "ephemeralContainers")[0], "image"), copy)

          const after = yield* W.get("Deployment", "team", "web")
          assert.strictEqual(W.imageOf(after), image)
          assert.deepStrictEqual(J.object(after, "spec", "template"), J.object(before, "spec", "template"))
          yield* eventually("it is not ready", cloner.http("/readyz"), (it) => it.includes("[+]webhook ok"))
          assert.isAbove(
            yield* cloner.metric(
              "image_cloner_admission_reviews_total{operation=\"mutate\",outcome=\"rewritten\",reason=\"none\"}"
            ),
            4
          )

          // whoever applies the manifest again changes nothing, and nobody else is in its way
          const manifest = {
            spec: {
              selector: { matchLabels: { app: "web" } },
              template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "app", image }] } }
            }
          }
          yield* W.apply("flux", "Deployment", "team", "web", manifest)
          assert.strictEqual(
            J.number(yield* W.get("Deployment", "team", "web"), "metadata", "generation"),
            J.number(after, "metadata", "generation")
          )

          // while the backup answers nobody, new pods start from their originals, and nothing else happens
          const stalled = backup.faults.add({ fault: { _tag: "Stall" } })
          yield* eventually(
            "pods are pointed to a backup that is down",
            Effect.map(makePod("team", "down", image, { dryRun: "All" }), (it) => imagesOf(it)[0]),
            (it) => it === image,
            "60 seconds"
          )
          stalled.remove()
          yield* eventually(
            "pods are not rewritten again",
            Effect.map(makePod("team", "up", image, { dryRun: "All" }), (it) => imagesOf(it)[0]),
            (it) => it === copy
          )
          assert.strictEqual((yield* W.running("team", "web")).length, 5)

          // switched off it is gone within seconds, and pods are as they are written
          yield* cloner.configure({ REWRITE_MODE: "off", MUTATING_WEBHOOK: "off" })
          yield* mutates(0)
          assert.deepStrictEqual(imagesOf(yield* makePod("team", "off", image)), [image, image])
          yield* cloner.configure({ REWRITE_MODE: "admission", MUTATING_WEBHOOK: "on" })
          yield* mutates(1)
          yield* eventually(
            "pods are not rewritten again",
            Effect.map(makePod("team", "again", image, { dryRun: "All" }), (it) => imagesOf(it)[0]),
            (it) => it === copy
          )
          // and with nobody there pods are made all the same
          yield* cloner.kill
          assert.deepStrictEqual(imagesOf(yield* makePod("team", "alone", image)), [image, image])
        }), 120_000)

      it.effect(
        "warns of images that are not from the backup, and refuses them where that is wanted",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const image = `${stageNow.upstream.host}/team/web:1`
            yield* namespace("strict")
            const cloner = yield* admitting(["strict"], {
              REWRITE_MODE: "off",
              MUTATING_WEBHOOK: "off",
              VALIDATING_WEBHOOK: "enforce"
            })
            const refused = yield* eventually(
              "nobody is refused",
              Effect.result(makePod("strict", "foreign", image, { dryRun: "All" })),
              (it) => it._tag === "Failure"
            )
            const error = refused._tag === "Failure" ? refused.failure : undefined
            assert.instanceOf(error, KubeError)
            assert.strictEqual(error?.reason, "Denied")
            assert.match(
              error?.detail ?? "",
              /^admission webhook "pods\.validate\.image-cloner\.io" denied the request: image-cloner: every image must be from \S+\/copies; setup runs ".*team\/web:1", which is not from the backup registry: .*; app runs/
            )
            yield* makePod("strict", "copy", copyOf(stageNow, "team/web", "1"))
            // whatever is there already can be changed, and go
            yield* cloner.configure({ VALIDATING_WEBHOOK: "warn" })
            yield* eventually(
              "pods are refused still",
              Effect.result(makePod("strict", "foreign", image)),
              (it) => it._tag === "Success"
            )
            // and kubectl shows why
            const env = yield* user
            const warned = yield* eventually(
              "kubectl shows no warning",
              run(
                join(process.env["KUBEBUILDER_ASSETS"] ?? "", "kubectl"),
                ["run", "warned", "-n", "strict", "--image", image, "--dry-run=server"],
                { env: { ...env, PATH: process.env["PATH"] ?? "", HOME: env.DOCKER_CONFIG } }
              ),
              (it) => it.stderr.includes("Warning")
            )
            assert.match(
              warned.stderr,
              /Warning: image-cloner: warned runs "\S+team\/web:1", which is not from the backup registry/
            )
            assert.match(warned.stdout, /^pod\/warned created \(server dry run\)/)
            yield* cloner.configure({ VALIDATING_WEBHOOK: "enforce" })
            yield* eventually(
              "nobody is refused",
              Effect.result(makePod("strict", "other", image, { dryRun: "All" })),
              (it) => it._tag === "Failure"
            )
            yield* W.annotate("Pod", "strict", "foreign", { note: "changed" })
            yield* W.annotate("Namespace", "", "strict", { note: "changed" })
          }),
        120_000
      )
    })
  })
}
