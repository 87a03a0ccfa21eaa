import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { decode as decodePatch } from "../../sandbox/cluster/Patch.ts"
import { backupOf } from "../../src/image/BackupName.ts"
import { format, parse } from "../../src/image/ImageReference.ts"
import { objectPath } from "../../src/workload/Kinds.ts"
import { fieldManager } from "../../src/workload/Marks.ts"
import { originalsAnnotation, verifiedOriginals } from "../../src/workload/Originals.ts"
import { disownPatch } from "../../src/workload/Ownership.ts"
import { type Operation, restorePatch, rewritePatch } from "../../src/workload/Patch.ts"
import { extraKindOf, fieldAt, projectExtra, projectObject } from "../../src/workload/ProjectExtra.ts"
import { kindOf } from "../../src/workload/Kinds.ts"
import { restoreMarks } from "../../src/workload/RestoredMark.ts"
import { nested, rollout, rolloutKind, rolloutObject, rolloutOf } from "../support/ExtraObjects.ts"
import { templated, workload } from "../support/Objects.ts"

const backup = { registry: "backup.example", prefix: "copies", layout: "nested" } as const
const copyOf = (image: string): string => format(backupOf(backup, Result.getOrThrow(parse(image))))

/** Applies a patch as the API server does: all of it or nothing; of what is not there, a test sees null. */
const atServer = (object: unknown, operations: ReadonlyArray<Operation>) =>
  decodePatch("application/json-patch+json", JSON.parse(JSON.stringify(operations))).pipe(
    Effect.flatMap((change) => change(JSON.parse(JSON.stringify(object))))
  )

const word = Schema.String.check(Schema.isPattern(/^[a-z]{1,6}$/))
const Images = Schema.Record(word, Schema.Tuple([word, word]))
const Given = {
  path: Schema.Array(word).check(Schema.isMinLength(1), Schema.isMaxLength(5)),
  images: Images,
  initImages: Images,
  volumes: Images,
  annotations: Schema.Literals(["none", "empty", "others", "stale"])
}

const imagesOf = (record: Record<string, readonly [string, string]>, prefix = "") =>
  Object.fromEntries(Object.entries(record).map(([name, [repository, tag]]) => [prefix + name, `${repository}:${tag}`]))

const annotations = {
  none: {},
  empty: { annotations: {} },
  others: { annotations: { "example.com/a~b": "c" } },
  stale: { annotations: { [originalsAnnotation]: "{\"gone\":\"nginx\"}", other: "kept" } }
}

const podSpecOf = (given: Parameters<typeof templated>[0]): unknown =>
  fieldAt(templated(given), ["spec", "template", "spec"])

describe("an object of EXTRA_KINDS", () => {
  it.effect.prop(
    "has the slots that a Deployment of the same pod spec has, wherever it keeps it",
    Given,
    (given) =>
      Effect.sync(() => {
        const path = ["spec", ...given.path]
        const of = {
          images: { main: "nginx:1.27", ...imagesOf(given.images) },
          initImages: imagesOf(given.initImages, "init-"),
          volumes: imagesOf(given.volumes)
        }
        const kind = extraKindOf({ ...rollout, path: path.join(".") }, "rollouts")
        const object = { ...Object(nested(path, podSpecOf(of))), metadata: { name: "web", namespace: "shop" } }
        const projected = projectExtra(kind)(object)
        const at = `/${path.join("/")}`
        assert.deepStrictEqual(
          projected?.images,
          workload(of).images.map((slot) => ({
            ...slot,
            path: slot.path.replace("/spec/template/spec", at),
            namePath: slot.namePath.replace("/spec/template/spec", at)
          }))
        )
        assert.strictEqual(projected?.key, "Rollout.argoproj.io/shop/web")
        for (const slot of projected?.images ?? []) {
          assert.strictEqual(fieldAt(object, slot.path.slice(1).split("/")), slot.image)
        }
      }),
    { arbitrary: { runs: 200 } }
  )

  it.effect.prop("survives whatever an API server sends", [Schema.Json], ([json]) =>
    Effect.sync(() => {
      for (const object of [json, { metadata: {}, spec: json }, { metadata: json, spec: {} }]) {
        projectExtra(rolloutKind)(object)
      }
      const spec = { template: { spec: json } }
      projectExtra(rolloutKind)({ metadata: { name: "a" }, spec })
    }), { arbitrary: { runs: 200 } })

  it("is none where its pod spec is another shape, and has no images where it has none", () => {
    assert.isUndefined(projectExtra(rolloutKind)({ metadata: {}, spec: { template: { spec: { containers: "x" } } } }))
    assert.isUndefined(projectExtra(rolloutKind)({ spec: {} }))
    for (const spec of [undefined, {}, { template: null }, { template: "x" }, { workloadRef: { name: "web" } }]) {
      assert.deepStrictEqual(projectExtra(rolloutKind)({ metadata: { name: "a" }, spec })?.images, [])
    }
  })

  it("reads own fields alone", () => {
    const kind = extraKindOf({ ...rollout, path: "constructor.prototype" }, "rollouts")
    assert.deepStrictEqual(projectExtra(kind)({ metadata: { name: "a" } })?.images, [])
  })

  it("is found under the plural that the API server has, and says what Deployments say of themselves", () => {
    const it = rolloutOf({ spec: { replicas: 3 }, podSpec: { serviceAccountName: "web" } })
    assert.strictEqual(
      objectPath(rolloutKind, it.namespace, it.name),
      "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/web"
    )
    assert.deepStrictEqual([it.kind, it.replicas, it.serviceAccount, it.rollout], ["Extra", 3, "web", undefined])
    assert.strictEqual(projectObject(kindOf("Deployment"))(templated())?.key, "Deployment/shop/web")
  })
})

describe("patches of an object of EXTRA_KINDS", () => {
  it.effect.prop(
    "change its images and one annotation of its own alone, and restoring undoes it",
    Given,
    (given) =>
      Effect.gen(function*() {
        const path = ["spec", ...given.path]
        const kind = extraKindOf({ ...rollout, path: path.join(".") }, "rollouts")
        const object = {
          ...Object(nested(
            path,
            podSpecOf({
              images: { main: "nginx:1.27", ...imagesOf(given.images) },
              initImages: imagesOf(given.initImages, "init-"),
              volumes: imagesOf(given.volumes)
            })
          )),
          metadata: { name: "web", namespace: "shop", uid: "u", generation: 3, ...annotations[given.annotations] },
          status: { template: { spec: { containers: [{ name: "main", image: "nginx:1.27" }] } } }
        }
        const project = (it: unknown) => projectExtra(kind)(it)! // what was a projection stays one
        const before = project(object)
        const rewrite = rewritePatch(before, before.images.map((slot) => ({ slot, to: copyOf(slot.image) })), backup)
        const rewritten = yield* atServer(object, rewrite)
        const after = project(rewritten)
        assert.deepStrictEqual(after.images.map((it) => it.image), before.images.map((it) => copyOf(it.image)))
        assert.strictEqual(verifiedOriginals(after, backup).size, before.images.length)

        const restored = yield* atServer(rewritten, restorePatch(after, backup))
        const { [originalsAnnotation]: _, ...others } = { ...Object(fieldAt(object, ["metadata", "annotations"])) }
        assert.deepStrictEqual(restored, {
          ...object,
          metadata: { ...object.metadata, annotations: others }
        })
      }),
    { arbitrary: { runs: 200 } }
  )

  const object = rolloutObject()
  const it0 = rolloutOf()
  const patch = rewritePatch(it0, it0.images.map((slot) => ({ slot, to: copyOf(slot.image) })), backup)

  it.effect("are refused by another object, a newer one, and one that others have annotated meanwhile", () =>
    Effect.gen(function*() {
      const others = [
        rolloutObject({ metadata: { uid: "another" } }),
        rolloutObject({ metadata: { generation: 2 } }),
        rolloutObject({ images: { other: "nginx:1.27" } }),
        rolloutObject({ images: { app: "nginx:1.28" } }),
        rolloutObject({ metadata: { annotations: { "example.com/since": "x" } } })
      ]
      for (const other of others) assert.isTrue(Result.isFailure(yield* Effect.result(atServer(other, patch))))
      yield* atServer(object, patch)
    }))

  it.effect("of a restore leave their marks beside what others wrote", () =>
    Effect.gen(function*() {
      const rewritten = rolloutOf({
        images: { app: copyOf("nginx:1.27") },
        metadata: { annotations: { [originalsAnnotation]: "{\"app\":\"nginx:1.27\"}", "example.com/a": "b" } }
      })
      const of = rolloutObject({
        images: { app: copyOf("nginx:1.27") },
        metadata: { annotations: { [originalsAnnotation]: "{\"app\":\"nginx:1.27\"}", "example.com/a": "b" } }
      })
      const restored = yield* atServer(of, restorePatch(rewritten, backup, undefined, restoreMarks(rewritten)))
      assert.deepStrictEqual(fieldAt(restored, ["metadata", "annotations"]), {
        "example.com/a": "b",
        "image-cloner.io/rewrite": "never",
        "image-cloner.io/restored": "{\"rewrite\":null}"
      })
    }))
})

describe("what our field manager holds of an object of EXTRA_KINDS", () => {
  const claim = { "f:metadata": { "f:annotations": { [`f:${originalsAnnotation}`]: {} } } }
  // without a schema that says otherwise a list is one field
  const whole = { ...claim, "f:spec": { "f:template": { "f:spec": { "f:containers": {} } } } }
  const held = (fieldsV1: unknown) => ({
    metadata: {
      resourceVersion: "7",
      annotations: { [originalsAnnotation]: "{\"app\":\"nginx:1.27\"}" },
      managedFields: [
        { manager: "kubectl", operation: "Update", fieldsV1: whole },
        { manager: fieldManager, operation: "Update", time: "2026-01-01T00:00:00Z", fieldsV1 }
      ]
    }
  })

  it("is given up but for the annotation", () => {
    assert.isTrue(rolloutOf(held(whole)).ownsImages)
    assert.deepStrictEqual(disownPatch(rolloutKind, rolloutObject(held(whole))), [
      { op: "test", path: "/metadata/resourceVersion", value: "7" },
      { op: "replace", path: "/metadata/managedFields/1/fieldsV1", value: claim }
    ])
    assert.isFalse(rolloutOf(held(claim)).ownsImages)
    assert.deepStrictEqual(disownPatch(rolloutKind, rolloutObject(held(claim))), [])
  })

  it("tells when it was rewritten", () => {
    assert.strictEqual(rolloutOf(held(claim)).patchedAt, Date.UTC(2026, 0, 1))
  })
})
