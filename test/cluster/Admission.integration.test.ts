// Admission end to end, on a real control plane alone: its API server is what calls webhooks, and the bundled daemon beside it answers.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { createServer } from "node:net"
import type { JsonObject } from "../../sandbox/Json.ts"
import * as J from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import { KubeError } from "../../src/kube/KubeError.ts"
import { copyOf, daemon, namespace, Stage, stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import * as W from "../support/World.ts"

/** What an API server answers, which is an object. */
const objectOf = (it: unknown): JsonObject => J.isObject(it) ? it : {}

const configurations = "/apis/admissionregistration.k8s.io/v1"
const originals = "image-cloner.io/original-images"

/** A port that was free a moment ago: the daemon must be told its own beforehand, as it is in WEBHOOK_URL. */
const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})

/** What manifests/overlays/admission brings: two configurations without webhooks, in a namespace of the controller's own. */
const installed = Effect.gen(function*() {
  const client = yield* KubeClient
  yield* W.create("Namespace", "", { metadata: { name: "cloner" } })
  for (
    const [kind, path, name] of [
      ["MutatingWebhookConfiguration", "mutatingwebhookconfigurations", "zz-image-cloner"],
      ["ValidatingWebhookConfiguration", "validatingwebhookconfigurations", "image-cloner"]
    ] as const
  ) {
    yield* client.request({
      method: "POST",
      path: `${configurations}/${path}`,
      body: { apiVersion: "admissionregistration.k8s.io/v1", kind, metadata: { name }, webhooks: [] }
    })
  }
})

/** A daemon that rewrites by admission alone, until the scope ends. */
const admitting = Effect.fnUntraced(function*(names: ReadonlyArray<string>, settings: Record<string, string> = {}) {
  const port = yield* freePort
  return yield* daemon(names, { REWRITE_MODE: "admission", MUTATING_WEBHOOK: "on", ...settings }, undefined, {
    POD_NAMESPACE: "cloner",
    WEBHOOK_PORT: String(port),
    WEBHOOK_URL: `https://127.0.0.1:${port}`
  })
})

const webhooksOf = (kind: string, name: string) =>
  Effect.flatMap(KubeClient, (client) =>
    Effect.map(
      client.request({ method: "GET", path: `${configurations}/${kind}/${name}` }),
      (it) => J.list(objectOf(it), "webhooks").length
    ))

const mutates = (count: number) =>
  eventually(
    `the API server has not ${count} mutating webhooks`,
    webhooksOf("mutatingwebhookconfigurations", "zz-image-cloner"),
    (it) => it === count
  )

const podSpec = (image: string): JsonObject => ({
  restartPolicy: "Never",
  containers: [{ name: "app", image }],
  initContainers: [{ name: "setup", image }]
})

const makePod = (namespaceName: string, name: string, image: string, query: Record<string, string> = {}) =>
  Effect.flatMap(KubeClient, (client) =>
    client.request({
      method: "POST",
      path: `/api/v1/namespaces/${namespaceName}/pods`,
      query,
      body: { apiVersion: "v1", kind: "Pod", metadata: { name }, spec: podSpec(image) }
    }))

const imagesOf = (pod: unknown) =>
  ["containers", "initContainers"].map((it) => J.text(J.list(objectOf(pod), "spec", it)[0], "image"))

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
          const stageNow = yield* Stage
          const { upstream } = stageNow
          yield* installed
          yield* upstream.load("team/web", SampleImage.twoPlatforms("web"), "1")
          const image = `${upstream.host}/team/web:1`
          const copy = copyOf(stageNow, "team/web", "1")
          yield* namespace("team")
          yield* W.make("Deployment", { namespace: "team", name: "web", image })
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

          const bare = yield* makePod("team", "bare", image)
          assert.deepStrictEqual(imagesOf(bare), [copy, copy])
          assert.strictEqual(
            J.text(objectOf(bare), "metadata", "annotations", originals),
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

          const after = yield* W.get("Deployment", "team", "web")
          assert.strictEqual(W.imageOf(after), image)
          assert.deepStrictEqual(J.object(after, "spec", "template"), J.object(before, "spec", "template"))
          assert.include(yield* cloner.http("/readyz"), "[+]webhook ok")
          assert.isAbove(
            yield* cloner.metric(
              "image_cloner_admission_reviews_total{operation=\"mutate\",outcome=\"rewritten\",reason=\"none\"}"
            ),
            4
          )

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
