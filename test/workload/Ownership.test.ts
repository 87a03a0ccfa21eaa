import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { applyPatch } from "rfc6902"
import { kindOf, kinds, type WorkloadKind } from "../../src/workload/Kinds.ts"
import { fieldManager } from "../../src/workload/Marks.ts"
import { originalsAnnotation } from "../../src/workload/Originals.ts"
import { disownPatch } from "../../src/workload/Ownership.ts"
import { projectTemplated } from "../../src/workload/Project.ts"
import { templated } from "../support/Objects.ts"

const ours = fieldManager
const time = "2026-01-01T00:00:00Z"
const annotated = { [originalsAnnotation]: "{\"app\":\"nginx:1.27\"}" }

const image = { "f:containers": { "k:{\"name\":\"app\"}": { "f:image": {} } } }
const volume = { "f:volumes": { "k:{\"name\":\"data\"}": { "f:image": { "f:reference": {} } } } }
const mark = { "f:annotations": { ".": {}, [`f:${originalsAnnotation}`]: {} } }
const fields = {
  rewrite: { "f:spec": { "f:template": { "f:metadata": mark, "f:spec": image } } },
  volume: { "f:spec": { "f:template": { "f:spec": volume } } },
  mark: { "f:spec": { "f:template": { "f:metadata": mark } } },
  labels: { "f:metadata": { "f:labels": { "f:app": {} } } }
}

const entry = (manager: string, held: unknown, operation = "Update", more: object = {}) => ({
  manager,
  operation,
  apiVersion: "apps/v1",
  time,
  fieldsType: "FieldsV1",
  fieldsV1: held,
  ...more
})

const object = (kind: WorkloadKind, managedFields: unknown, templateAnnotations?: Record<string, string>) =>
  templated({
    kind,
    metadata: { resourceVersion: "7", managedFields },
    ...(templateAnnotations === undefined ? {} : { templateAnnotations })
  })

/** Applies the patch as the API server does, which drops entries without a field. */
const give = (kind: WorkloadKind, it: unknown): unknown => {
  const copy: unknown = structuredClone(it)
  const errors = applyPatch(copy, disownPatch(kindOf(kind), it).map((operation) => ({ ...operation })))
  assert.deepStrictEqual(errors.filter((error) => error !== null), [])
  return copy
}

const Tracked = Schema.Struct({
  metadata: Schema.Struct({
    managedFields: Schema.Array(
      Schema.Struct({ manager: Schema.String, operation: Schema.String, fieldsV1: Schema.Unknown })
    )
  })
})
const entriesOf = (it: unknown) => Result.getOrThrow(Schema.decodeUnknownResult(Tracked)(it)).metadata.managedFields
const project = (kind: WorkloadKind, it: unknown) => projectTemplated(kindOf(kind))(it)! // the fixture always decodes

const Entry = Schema.Struct({
  manager: Schema.Literals([ours, "helm", "kubectl"]),
  operation: Schema.Literals(["Update", "Apply"]),
  fields: Schema.Literals(["rewrite", "volume", "mark", "labels"]),
  subresource: Schema.Literals(["", "status", "scale"])
})

describe("giving up what we own", () => {
  it.effect.prop("leaves no image ours, nothing of others changed, and nothing to do at a second look", {
    kind: Schema.Literals(kinds.filter((it) => it.mutable).map((it) => it.kind)),
    entries: Schema.Array(Entry),
    annotated: Schema.Boolean
  }, (given) =>
    Effect.sync(() => {
      const { kind } = given
      const entries = given.entries.map((it) =>
        entry(it.manager, fields[it.fields], it.operation, { subresource: it.subresource })
      )
      const before = object(kind, entries, given.annotated ? annotated : { other: "kept" })
      const projected = project(kind, before)
      // what the watch keeps tells whether the patch has anything to do
      assert.strictEqual(projected.ownsImages, disownPatch(kindOf(kind), before).length > 0)

      const after = give(kind, before)
      const isOurs = (at: number) => given.entries[at]?.manager === ours && given.entries[at].operation === "Update"
      const last = !given.annotated &&
        given.entries.every((it, at) => isOurs(at) && it.fields !== "mark" && it.fields !== "labels")
      entriesOf(after).forEach((it, at) => {
        const held = JSON.stringify(it.fieldsV1)
        if (!isOurs(at) || !JSON.stringify(entries[at]?.fieldsV1).includes("f:image\"") || last) {
          assert.deepStrictEqual(it, entriesOf(before)[at])
        } else {
          assert.notInclude(held, "f:image\"")
          assert.strictEqual(held.includes(originalsAnnotation), given.annotated)
        }
      })
      const { managedFields: _, ...metadata } = before["metadata"] as Record<string, unknown> // the fixture's own shape
      assert.deepInclude(after, { spec: before["spec"], status: before["status"] })
      assert.deepInclude((after as typeof before)["metadata"], metadata)
      assert.deepStrictEqual(disownPatch(kindOf(kind), last ? {} : after), [])
      if (given.annotated) assert.strictEqual(project(kind, after).patchedAt, projected.patchedAt)
    }), { arbitrary: { runs: 300 } })

  it.effect.prop("survives whatever an API server sends", [Schema.Json], ([json]) =>
    Effect.sync(() => {
      assert.deepStrictEqual(disownPatch(kindOf("Deployment"), json), [])
      disownPatch(kindOf("Deployment"), { metadata: { resourceVersion: "1", managedFields: json }, spec: json })
      disownPatch(kindOf("CronJob"), { metadata: { resourceVersion: "1" }, spec: { jobTemplate: json } })
    }), { arbitrary: { runs: 300 } })

  it("keeps the annotation alone, where the kind's template is, and not the map that it is in", () => {
    const claim = { "f:metadata": { "f:annotations": { [`f:${originalsAnnotation}`]: {} } } }
    const entries = [entry("helm", fields.labels, "Apply"), entry(ours, fields.rewrite)]
    const held = (kind: WorkloadKind) => entriesOf(give(kind, object(kind, entries, annotated)))[1]?.fieldsV1
    assert.deepStrictEqual(held("Deployment"), { "f:spec": { "f:template": claim } })
    assert.deepStrictEqual(held("CronJob"), {
      "f:spec": { "f:jobTemplate": { "f:spec": { "f:template": claim } } }
    })
  })

  it("is refused where the object has changed, because entries have only a place", () => {
    const entries = [entry(ours, fields.rewrite), entry("helm", fields.labels, "Apply")]
    const patch = disownPatch(kindOf("Deployment"), object("Deployment", entries, annotated))
    const newer = templated({ metadata: { resourceVersion: "8", managedFields: entries.toReversed() } })
    const [error] = applyPatch(newer, patch.map((it) => ({ ...it })))
    assert.strictEqual(error?.name, "TestError")
  })

  it("leaves nothing of ours where the originals were put back", () => {
    const entries = [entry("helm", fields.labels, "Apply"), entry(ours, fields.rewrite)]
    assert.deepStrictEqual(entriesOf(give("Deployment", object("Deployment", entries)))[1]?.fieldsV1, {})
  })

  it("leaves an object's last entry, without which it would be tracked no more", () => {
    const it = object("Deployment", [entry(ours, fields.rewrite)])
    assert.deepStrictEqual(disownPatch(kindOf("Deployment"), it), [])
    assert.isFalse(project("Deployment", it).ownsImages)
  })

  it("leaves what cannot be patched, and objects of which nothing is known", () => {
    assert.isFalse(project("Job", object("Job", [entry(ours, fields.rewrite)], annotated)).ownsImages)
    for (const managedFields of [undefined, null, []]) {
      assert.deepStrictEqual(disownPatch(kindOf("Deployment"), object("Deployment", managedFields, annotated)), [])
    }
  })

  it("leaves our entry as what says when the rewrite was, as version 0.1's did", () => {
    const before = object("Deployment", [entry(ours, fields.rewrite)], annotated)
    for (const it of [before, give("Deployment", before)]) {
      assert.strictEqual(project("Deployment", it).patchedAt, Date.parse(time))
    }
    assert.isUndefined(project("Deployment", object("Deployment", [entry(ours, fields.labels)])).patchedAt)
  })
})
