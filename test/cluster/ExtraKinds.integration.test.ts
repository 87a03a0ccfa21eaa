// Kinds of EXTRA_KINDS on a real control plane, which has CustomResourceDefinitions: an object's image is cloned, the object is
// rewritten where it is marked so, and restore puts it back; while its kind is not installed nothing else is held up.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as J from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import { cli } from "../cli/Cli.ts"
import { copyOf, daemon, namespace, Stage, stage, user } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import * as W from "../support/World.ts"

const originals = "image-cloner.io/original-images"
const setting = { EXTRA_KINDS: "example.com/v1/Gizmo=spec.parts.template.spec" }

/** A plural that no rule of English tells, and a status of its own, as most kinds have. */
const definition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "gizmoses.example.com" },
  spec: {
    group: "example.com",
    scope: "Namespaced",
    names: { plural: "gizmoses", singular: "gizmo", kind: "Gizmo", listKind: "GizmoList" },
    versions: [{
      name: "v1",
      served: true,
      storage: true,
      subresources: { status: {} },
      schema: {
        openAPIV3Schema: {
          type: "object",
          properties: { spec: { type: "object", "x-kubernetes-preserve-unknown-fields": true } }
        }
      }
    }]
  }
}

const call = Effect.fnUntraced(
  function*(method: "GET" | "POST" | "PATCH", path: string, body?: unknown, more: object = {}) {
    const client = yield* KubeClient
    const answer = yield* client.request({ method, path, ...(body === undefined ? {} : { body }), ...more })
    return J.isObject(answer) ? answer : {}
  }
)

const collection = "/apis/example.com/v1/namespaces/extras/gizmoses"
const gizmo = (name: string) => call("GET", `${collection}/${name}`)
const specOf = (image: string) => ({ parts: { template: { spec: { containers: [{ name: "app", image }] } } }, size: 3 })
const make = (name: string, image: string) =>
  call("POST", collection, {
    apiVersion: "example.com/v1",
    kind: "Gizmo",
    metadata: { name, namespace: "extras" },
    spec: specOf(image)
  }, { query: { fieldManager: "owner" } })
const annotate = (name: string, annotations: J.JsonObject) =>
  call("PATCH", `${collection}/${name}`, { metadata: { annotations } }, {
    contentType: "application/merge-patch+json",
    query: { fieldManager: "owner" }
  })
const imageOf = (object: J.JsonObject) => J.text(object, "spec", "parts", "template", "spec", "containers", 0, "image")

for (const place of W.controlPlanes.filter((it) => it.name !== "the sandbox")) {
  describe.skipIf(place.skipped)(`kinds of EXTRA_KINDS, on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect(
        "are cloned, rewritten where they are marked so, and restored",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const { backup, upstream } = stageNow
            yield* upstream.load("extras/app", SampleImage.image("extras"), "1")
            yield* upstream.load("extras/other", SampleImage.image("others"), "1")
            const image = `${upstream.host}/extras/app:1`
            const copy = copyOf(stageNow, "extras/app", "1")
            yield* namespace("extras")
            yield* W.make("Deployment", {
              namespace: "extras",
              name: "other",
              image: `${upstream.host}/extras/other:1`
            })
            yield* W.settled("extras", "other")

            // the kind is not there: told once, and the rest goes on
            const it = yield* daemon(["extras"], { ...setting, BACKUP_PULL_BY: "nodes" })
            const said = () =>
              it.log.map((line) => J.text(line, "message") ?? "").filter((line) => line.includes("Gizmo"))
            yield* eventually("nothing is said", said, (lines) => lines.some((line) => line.includes("not installed")))
            yield* eventually(
              "another workload is held up",
              W.imageNow("Deployment", "extras", "other"),
              (now) => now === copyOf(stageNow, "extras/other", "1")
            )
            yield* eventually("it is not ready", it.http("/readyz"), (text) => !text.includes("[-]"))

            yield* call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
            yield* eventually(
              "it is not served",
              Effect.result(make("one", image)),
              (result) => result._tag === "Success"
            )
            yield* eventually(
              "it is not cloned",
              () => backup.resolve(`copies/${upstream.host.replace(":", "_")}/extras/app`, "1"),
              (digest) => digest !== undefined
            )
            yield* eventually(
              "it is not held",
              () => it.about("Gizmo.example.com/extras/one"),
              (lines) => lines.some((line) => line.includes("image-cloner.io/rewrite: patch itself"))
            )
            assert.lengthOf(said().filter((line) => line.includes("not installed")), 1)
            assert.strictEqual(imageOf(yield* gizmo("one")), image)
            assert.include(yield* it.http("/metrics"), "resource=\"Gizmo.example.com\"")

            yield* annotate("one", { "image-cloner.io/rewrite": "patch", "example.com/mine": "kept" })
            const rewritten = yield* eventually(
              "it is not rewritten",
              gizmo("one"),
              (object) => imageOf(object) === copy
            )
            assert.deepStrictEqual(J.at(rewritten, "spec"), specOf(copy))
            assert.deepStrictEqual(J.at(rewritten, "metadata", "annotations"), {
              "image-cloner.io/rewrite": "patch",
              "example.com/mine": "kept",
              [originals]: JSON.stringify({ app: image })
            })
            yield* eventually(
              "its containers are still ours",
              Effect.map(gizmo("one"), (object) => J.list(object, "metadata", "managedFields")),
              (entries) =>
                entries.some((entry) => J.text(entry, "manager") === "image-cloner") &&
                entries.every((entry) =>
                  J.text(entry, "manager") !== "image-cloner" || J.at(entry, "fieldsV1", "f:spec") === undefined
                )
            )
            // whoever owns the manifest may apply it
            yield* call("PATCH", `${collection}/one`, {
              apiVersion: "example.com/v1",
              kind: "Gizmo",
              metadata: { name: "one", namespace: "extras" },
              spec: specOf(image)
            }, { contentType: "application/apply-patch+yaml", query: { fieldManager: "helm", dryRun: "All" } })

            const env = { ...(yield* user), ...setting }
            const planned = yield* cli(["plan", "-n", "extras", "-o", "json"], { env })
            const rows: ReadonlyArray<J.JsonObject> = JSON.parse(planned.stdout).rows
            assert.deepStrictEqual(
              rows.filter((row) => J.text(row, "workload") === "Gizmo.example.com/one").map((row) =>
                J.text(row, "action")
              ),
              ["done"]
            )
            const restored = yield* cli(["restore", "Gizmo.example.com/extras/one"], { env })
            assert.deepStrictEqual([restored.code, restored.stderr], [0, ""], restored.stdout)
            const back = yield* gizmo("one")
            assert.deepStrictEqual(J.at(back, "spec"), specOf(image))
            assert.deepStrictEqual(J.at(back, "metadata", "annotations"), {
              "image-cloner.io/rewrite": "never",
              "image-cloner.io/restored": "{\"rewrite\":\"patch\"}",
              "example.com/mine": "kept"
            })
          }),
        180_000
      )
    })
  })
}
