// Contract: server-side apply, by which GitOps tools and Helm 4 own the fields of what they deploy.
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import type { JsonObject } from "../../../sandbox/Json.ts"
import * as J from "../../../sandbox/Json.ts"
import * as ControlPlane from "./ControlPlane.ts"
import { TestCluster } from "./ControlPlane.ts"
import * as Objects from "./Objects.ts"

const image = "/spec/jobTemplate/spec/template/spec/containers/0/image"
const containersOf = (object: JsonObject) =>
  J.list(object, "spec", "jobTemplate", "spec", "template", "spec", "containers")
    .map((it) => `${J.text(it, "name")}=${J.text(it, "image")}`)

/** Two containers, as a deployer would have them. */
const wanted = (images: ReadonlyArray<string>): JsonObject => {
  const object = Objects.cronJob("tick", "app:1")
  const spec = J.object(object, "spec")
  spec["suspend"] = true
  J.ensure(spec, "jobTemplate", "spec", "template", "spec")["containers"] = images.map((it) => ({
    name: it.split(":", 1).join(""),
    image: it
  }))
  return object
}

const start = Effect.fnUntraced(function*() {
  const { raw } = yield* TestCluster
  const { cronJobs } = Objects.paths(yield* ControlPlane.namespace)
  const path = `${cronJobs}/tick`
  const apply = (manager: string, body: unknown, more = "") =>
    raw({
      method: "PATCH",
      path: `${path}?fieldManager=${manager}${more}`,
      headers: { "content-type": "application/apply-patch+yaml" },
      body
    })
  return { apply, path, raw }
})

const managers = (object: JsonObject) =>
  J.list(object, "metadata", "managedFields")
    .filter((it) => JSON.stringify(J.at(it, "fieldsV1") ?? null).includes("\"f:image\""))
    .map((it) => `${J.text(it, "operation")} ${J.text(it, "manager")}`)

export const applies = (it: Vitest.MethodsNonLive<ControlPlane.Needs>) => {
  it.effect("apply makes what is not there, and its manager owns what it said and no more", () =>
    Effect.gen(function*() {
      const { apply } = yield* start()
      const made = yield* apply("helm", wanted(["app:1"]))
      assert.strictEqual(made.status, 201)
      assert.deepStrictEqual(managers(made.body), ["Apply helm"])
      const [entry] = J.list(made.body, "metadata", "managedFields")
      assert.deepStrictEqual(J.object(entry, "fieldsV1", "f:spec"), {
        "f:jobTemplate": {
          "f:spec": {
            "f:template": {
              "f:metadata": { "f:labels": { "f:app": {} } },
              "f:spec": {
                "f:containers": { "k:{\"name\":\"app\"}": { ".": {}, "f:image": {}, "f:name": {} } },
                "f:restartPolicy": {},
                "f:terminationGracePeriodSeconds": {}
              }
            }
          }
        },
        "f:schedule": {},
        "f:suspend": {}
      })
    }))

  it.effect("applying the same again changes nothing", () =>
    Effect.gen(function*() {
      const { apply } = yield* start()
      const made = yield* apply("helm", wanted(["app:1"]))
      const again = yield* apply("helm", wanted(["app:1"]))
      assert.strictEqual(again.status, 200)
      assert.strictEqual(
        J.text(again.body, "metadata", "resourceVersion"),
        J.text(made.body, "metadata", "resourceVersion")
      )
    }))

  it.effect("a patch takes the image away from its manager, whose next apply conflicts unless it is forced", () =>
    Effect.gen(function*() {
      const { apply, path, raw } = yield* start()
      yield* apply("helm", wanted(["app:1"]))
      const patched = yield* raw({
        method: "PATCH",
        path: `${path}?fieldManager=somebody`,
        headers: { "content-type": Objects.jsonPatch },
        body: [{ op: "replace", path: image, value: "app:2" }]
      })
      assert.deepStrictEqual(managers(patched.body), ["Update somebody"])
      const refused = yield* apply("helm", wanted(["app:1"]))
      const field = `.spec.jobTemplate.spec.template.spec.containers[name="app"].image`
      assert.strictEqual(refused.status, 409)
      assert.strictEqual(
        refused.body["message"],
        `Apply failed with 1 conflict: conflict with "somebody" using batch/v1: ${field}`
      )
      assert.deepStrictEqual(J.list(refused.body, "details", "causes"), [
        { reason: "FieldManagerConflict", message: `conflict with "somebody" using batch/v1`, field }
      ])
      const forced = yield* apply("helm", wanted(["app:1"]), "&force=true")
      assert.deepStrictEqual(containersOf(forced.body), ["app=app:1"])
      assert.deepStrictEqual(managers(forced.body), ["Apply helm"])
    }))

  it.effect("what a manager no longer says goes, unless somebody else holds it", () =>
    Effect.gen(function*() {
      const { apply } = yield* start()
      yield* apply("helm", wanted(["app:1", "two:1"]))
      const labels = { apiVersion: "batch/v1", kind: "CronJob", metadata: { name: "tick", labels: { a: "1", b: "1" } } }
      yield* apply("flux", labels)
      const fewer = yield* apply("helm", wanted(["app:1"]))
      assert.deepStrictEqual(containersOf(fewer.body), ["app=app:1"])
      const less = yield* apply("flux", { ...labels, metadata: { name: "tick", labels: { b: "1" } } })
      assert.deepStrictEqual(J.texts(less.body, "metadata", "labels"), { b: "1" })
    }))

  it.effect("two who apply the same value share the field; another value conflicts", () =>
    Effect.gen(function*() {
      const { apply } = yield* start()
      yield* apply("helm", wanted(["app:1"]))
      const shared = yield* apply("flux", wanted(["app:1"]))
      assert.sameMembers([...managers(shared.body)], ["Apply helm", "Apply flux"])
      const refused = yield* apply("flux", wanted(["app:2"]))
      assert.strictEqual(J.text(refused.body, "details", "causes", 0, "message"), `conflict with "helm"`)
    }))

  it.effect("apply wants a manager, a kind, and no managedFields", () =>
    Effect.gen(function*() {
      const { apply } = yield* start()
      assert.strictEqual((yield* apply("", wanted(["app:1"]))).status, 422)
      assert.strictEqual((yield* apply("helm", { metadata: { name: "tick" } })).status, 400)
      const object = { ...wanted(["app:1"]), metadata: { name: "tick", managedFields: [{ manager: "x" }] } }
      const answer = yield* apply("helm", object)
      assert.strictEqual(answer.body["message"], "metadata.managedFields must be nil")
    }))
}
