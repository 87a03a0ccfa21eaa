// Contract: managedFields changed by hand, by which a manager gives up what it holds (KEP-555).
// Source: apimachinery pkg/util/managedfields/internal, fieldmanager.go and managedfieldsupdater.go, v0.36.
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import type { Json, JsonObject } from "../../../sandbox/Json.ts"
import * as J from "../../../sandbox/Json.ts"
import * as ControlPlane from "./ControlPlane.ts"
import { TestCluster } from "./ControlPlane.ts"
import * as Objects from "./Objects.ts"

const annotation = "image-cloner.io/original-images"
const image = "/spec/template/spec/containers/0/image"

/** A Deployment that no controller writes to while it is looked at: it wants no pods. */
const wanted = (labels: JsonObject, images: ReadonlyArray<string> = ["app:1", "side:1"]): JsonObject => {
  const object = Objects.deployment("web", "app:1", { replicas: 0, paused: true })
  J.ensure(object, "metadata")["labels"] = labels
  J.ensure(object, "spec", "template", "spec")["containers"] = images.map((it) => ({
    name: it.split(":", 1).join(""),
    image: it
  }))
  return object
}

const start = Effect.fnUntraced(function*() {
  const { raw } = yield* TestCluster
  const path = `${Objects.paths(yield* ControlPlane.namespace).deployments}/web`
  const patch = (manager: string, body: unknown, contentType: string = Objects.jsonPatch) =>
    raw({
      method: "PATCH",
      path: `${path}?fieldManager=${manager}&fieldValidation=Strict`,
      headers: { "content-type": contentType },
      body
    })
  const apply = (body: unknown) => patch("helm", body, "application/apply-patch+yaml")
  /** What a controller writes between a read and the write that follows is not of interest here. */
  const changed = (operations: (object: JsonObject) => ReadonlyArray<unknown>, manager = "ours") =>
    Effect.gen(function*() {
      for (let tries = 0; tries < 20; tries++) {
        const object = yield* ControlPlane.call("GET", path)
        const version = { op: "test", path: "/metadata/resourceVersion", value: versionOf(object) }
        const answer = yield* patch(manager, [version, ...operations(object)])
        if (answer.status !== 422) return answer
      }
      return yield* Effect.die(new Error("somebody writes to it all the time"))
    })
  return { apply, changed, patch, path, raw }
})

const versionOf = (object: JsonObject) => J.text(object, "metadata", "resourceVersion") ?? ""
const entriesOf = (object: JsonObject) => J.list(object, "metadata", "managedFields")
const indexOf = (object: JsonObject, manager: string) =>
  entriesOf(object).findIndex((it) => J.text(it, "manager") === manager)
const entryOf = (object: JsonObject, manager: string): Json | undefined => entriesOf(object)[indexOf(object, manager)]
const has = (entry: Json | undefined, field: string) => JSON.stringify(entry ?? null).includes(`"${field}"`)
const imagesOf = (object: JsonObject) =>
  J.list(object, "spec", "template", "spec", "containers").map((it) => J.text(it, "image"))

const rewrite = [
  { op: "test", path: image, value: "app:1" },
  { op: "replace", path: image, value: "copy:1" },
  { op: "add", path: "/spec/template/metadata/annotations", value: {} },
  {
    op: "add",
    path: `/spec/template/metadata/annotations/${annotation.replace("/", "~1")}`,
    value: "{\"app\":\"app:1\"}"
  }
]
const claim = { "f:spec": { "f:template": { "f:metadata": { "f:annotations": { [`f:${annotation}`]: {} } } } } }
const give = (fields: JsonObject) => (object: JsonObject) => [
  { op: "replace", path: `/metadata/managedFields/${indexOf(object, "ours")}/fieldsV1`, value: fields }
]

export const ownership = (it: Vitest.MethodsNonLive<ControlPlane.Needs>) => {
  it.effect("a manager that gives up an image leaves its owner free to apply, and nothing rolls out", () =>
    Effect.gen(function*() {
      const { apply, changed, patch } = yield* start()
      yield* apply(wanted({ a: "1" }))
      const patched = yield* patch("ours", rewrite)
      assert.deepStrictEqual(imagesOf(patched.body), ["copy:1", "side:1"])
      // whatever it changes: a label is enough
      const refused = yield* apply(wanted({ a: "2" }))
      assert.strictEqual(refused.status, 409)
      assert.include(J.text(refused.body, "message"), `conflict with "ours" using apps/v1`)
      // a time of long ago, which giving up leaves as it is
      const time = "2026-01-01T00:00:00Z"
      const given = yield* changed((object) => [
        ...give(claim)(object),
        { op: "replace", path: `/metadata/managedFields/${indexOf(object, "ours")}/time`, value: time }
      ])
      assert.strictEqual(given.status, 200)
      assert.deepStrictEqual(J.object(entryOf(given.body, "ours"), "fieldsV1"), claim)
      assert.strictEqual(J.text(entryOf(given.body, "ours"), "time"), time)
      assert.strictEqual(entriesOf(given.body).filter((it) => J.text(it, "manager") === "ours").length, 1)
      const generation = (object: JsonObject) => J.number(object, "metadata", "generation")
      assert.strictEqual(generation(given.body), generation(patched.body))
      assert.notStrictEqual(versionOf(given.body), versionOf(patched.body))
      const applied = yield* apply(wanted({ a: "2" }))
      assert.strictEqual(applied.status, 200)
      assert.deepStrictEqual(J.texts(applied.body, "metadata", "labels"), { a: "2" })
      // the owner's image is back, and what we keep is kept
      assert.deepStrictEqual(imagesOf(applied.body), ["app:1", "side:1"])
      assert.isTrue(has(entryOf(applied.body, "ours"), `f:${annotation}`))
      assert.isDefined(J.text(applied.body, "spec", "template", "metadata", "annotations", annotation))
    }))

  it.effect("what a manager gave up comes back to it with its next change, under one entry", () =>
    Effect.gen(function*() {
      const { apply, changed, patch } = yield* start()
      yield* apply(wanted({ a: "1" }))
      yield* patch("ours", rewrite)
      yield* changed(give(claim))
      const again = yield* patch("ours", [{ op: "replace", path: image, value: "copy:2" }])
      assert.strictEqual(entriesOf(again.body).filter((it) => J.text(it, "manager") === "ours").length, 1)
      assert.isTrue(has(entryOf(again.body, "ours"), "f:image"))
      assert.isTrue(has(entryOf(again.body, "ours"), `f:${annotation}`))
    }))

  it.effect("an image that a manager gave up does not keep a container that its owner no longer wants", () =>
    Effect.gen(function*() {
      const { apply, changed, patch } = yield* start()
      yield* apply(wanted({ a: "1" }))
      yield* patch("ours", rewrite)
      yield* changed(give(claim))
      const fewer = yield* apply(wanted({ a: "1" }, ["side:1"]))
      assert.strictEqual(fewer.status, 200)
      assert.deepStrictEqual(imagesOf(fewer.body), ["side:1"])
    }))

  it.effect("an annotation that a manager keeps stays when the owner of all others drops them", () =>
    Effect.gen(function*() {
      const { apply, changed, patch } = yield* start()
      const annotated = wanted({ a: "1" })
      J.ensure(annotated, "spec", "template", "metadata")["annotations"] = { theirs: "1" }
      yield* apply(annotated)
      yield* patch("ours", rewrite.filter((it) => !it.path.endsWith("/annotations")))
      yield* changed(give(claim))
      const dropped = yield* apply(wanted({ a: "1" }))
      assert.strictEqual(dropped.status, 200)
      const left = J.texts(dropped.body, "spec", "template", "metadata", "annotations")
      assert.deepStrictEqual(left, { [annotation]: "{\"app\":\"app:1\"}" })
    }))

  it.effect("an entry without a field goes", () =>
    Effect.gen(function*() {
      const { apply, changed, patch } = yield* start()
      yield* apply(wanted({ a: "1" }))
      yield* patch("ours", rewrite)
      const given = yield* changed(give({}))
      assert.strictEqual(given.status, 200)
      assert.isUndefined(entryOf(given.body, "ours"))
      assert.isDefined(entryOf(given.body, "helm"))
    }))

  it.effect("is refused where the object has changed meanwhile", () =>
    Effect.gen(function*() {
      const { apply, patch } = yield* start()
      const made = yield* apply(wanted({ a: "1" }))
      const patched = yield* patch("ours", rewrite)
      const answer = yield* patch("ours", [
        { op: "test", path: "/metadata/resourceVersion", value: versionOf(made.body) },
        ...give(claim)(patched.body)
      ])
      assert.strictEqual(answer.status, 422)
      assert.deepStrictEqual(J.list(answer.body, "details", "causes"), [])
    }))

  it.effect("entries that say nothing the server knows are as if nothing had been said", () =>
    Effect.gen(function*() {
      const { apply, changed, patch } = yield* start()
      yield* apply(wanted({ a: "1" }))
      yield* patch("ours", rewrite)
      for (
        const broken of [{ manager: "ours", operation: "Guess", apiVersion: "apps/v1", fieldsType: "FieldsV1" }, {
          manager: "ours",
          operation: "Update",
          apiVersion: "apps/v1",
          fieldsType: "FieldsV7"
        }]
      ) {
        const answer = yield* changed((object) => [
          { op: "replace", path: `/metadata/managedFields/${indexOf(object, "ours")}`, value: broken }
        ])
        assert.strictEqual(answer.status, 200)
        assert.isTrue(has(entryOf(answer.body, "ours"), "f:image"))
      }
    }))

  it.effect("with the last entry all tracking ends, and the next apply conflicts over whatever it changes", () =>
    Effect.gen(function*() {
      const { apply, changed, patch } = yield* start()
      yield* apply(wanted({ a: "1" }))
      const none = yield* changed(() => [{ op: "replace", path: "/metadata/managedFields", value: [] }])
      assert.deepStrictEqual(entriesOf(none.body), [])
      const patched = yield* patch("ours", rewrite)
      assert.isUndefined(entryOf(patched.body, "ours"))
      const refused = yield* apply(wanted({ a: "1" }))
      assert.strictEqual(refused.status, 409)
      assert.include(J.text(refused.body, "message"), `conflict with "before-first-apply" using apps/v1`)
    }))

  it.effect("nobody changes them through a subresource", () =>
    Effect.gen(function*() {
      const { apply, path, raw } = yield* start()
      const made = yield* apply(wanted({ a: "1" }))
      const answer = yield* raw({
        method: "PATCH",
        path: `${path}/status?fieldManager=ours`,
        headers: { "content-type": Objects.jsonPatch },
        body: [{ op: "replace", path: `/metadata/managedFields/${indexOf(made.body, "helm")}/fieldsV1`, value: {} }]
      })
      assert.strictEqual(answer.status, 200)
      assert.isTrue(has(entryOf(answer.body, "helm"), "f:image"))
    }))
}
