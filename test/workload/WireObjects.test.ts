import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { read } from "../../src/protobuf/Read.ts"
import { PodObject, Templated } from "../../src/workload/ApiObjects.ts"
import { kindOf, kinds } from "../../src/workload/Kinds.ts"
import { holdsImage } from "../../src/workload/Marks.ts"
import type { Workload } from "../../src/workload/Workload.ts"
import { wireObjects } from "../../src/workload/WireObjects.ts"
import { asServed } from "../protobuf/AsServed.ts"
import { bytesField, encode, numberField } from "../protobuf/Encode.ts"
import { ownedImage, templated } from "../support/Objects.ts"
import { projectJson, projectWire, withoutShape } from "./Wire.ts"

const deployment = kindOf("Deployment")

/** The projection of a Deployment as a watch brings it. */
const wireOf = (object: unknown): Workload => {
  const projected = Result.getOrThrow(projectWire(deployment, encode(wireObjects.Deployment, object)))
  return "shape" in projected ? projected : projected.workload
}

describe("objects in Protocol Buffers", () => {
  for (const kind of kinds) {
    it.effect.prop(
      `have the projection that they have in JSON, among fields that nobody knows: ${kind.kind}`,
      kind.kind === "Pod" ? [PodObject] : [Templated],
      ([given]) =>
        Effect.sync(() => {
          const object = asServed(wireObjects[kind.kind], given)
          if (object["metadata"] === undefined) return
          const strange = Buffer.concat([
            numberField(15, 7),
            bytesField(999, "from a later version"),
            Buffer.from([0x7d, 1, 2, 3, 4]),
            Buffer.from([0x79, 1, 2, 3, 4, 5, 6, 7, 8])
          ])
          const bytes = Buffer.concat([strange, encode(wireObjects[kind.kind], object), strange])
          assert.deepStrictEqual(
            withoutShape(Result.getOrThrow(projectWire(kind, bytes))),
            withoutShape(projectJson(kind, object))
          )
        }),
      { arbitrary: { runs: 150 } }
    )
  }

  it("tell who set an image, of the fields that managers hold", () => {
    const managedFields = [
      { manager: "helm", operation: "Update", time: "2026-01-01T00:00:00Z", fieldsV1: ownedImage },
      { manager: "kube-controller-manager", operation: "Update", time: "2026-02-01T00:00:00Z", subresource: "status" }
    ]
    const object = templated({ metadata: { managedFields } })
    assert.strictEqual(wireOf(object).imagesSetBy, "helm (Update)")
    assert.strictEqual(wireOf(object).templateChangedAt, Date.parse("2026-01-01T00:00:00Z"))
  })

  it("share sets of fields that are equal but for the uid of an owner", () => {
    const fieldsOf = (uid: string) => {
      const owners = { [`k:{"uid":"${uid}"}`]: {} }
      const managedFields = [{
        manager: "x",
        fieldsV1: { "f:metadata": { "f:ownerReferences": owners }, ...ownedImage }
      }]
      const bytes = encode(wireObjects.ReplicaSet, templated({ kind: "ReplicaSet", metadata: { managedFields } }))
      const { metadata } = Object(Result.getOrThrow(read(wireObjects.ReplicaSet, bytes)))
      return metadata.managedFields[0].fieldsV1
    }
    assert.strictEqual(fieldsOf("one"), fieldsOf("other"))
    assert.isTrue(holdsImage(fieldsOf("one")))
  })

  it("have the shape of a release with copies, and another one for anything else", () => {
    const of = (given: Parameters<typeof templated>[0]) => wireOf(templated(given)).shape
    const one = of({ images: { app: "nginx:1", side: "b" }, volumes: { data: "ghcr.io/a/d:1" } })
    assert.strictEqual(
      of({
        images: { app: "copies.example/nginx:1", side: "copies.example/b:long" },
        volumes: { data: "copies.example/a/d:1" },
        templateAnnotations: { "image-cloner.io/original-images": "{}" }
      }),
      one
    )
    assert.notStrictEqual(of({ images: { app: "nginx:1", other: "b" }, volumes: { data: "ghcr.io/a/d:1" } }), one)
    assert.notStrictEqual(of({ images: { app: "nginx:1", side: "b" }, volumes: { more: "ghcr.io/a/d:1" } }), one)
    assert.notStrictEqual(
      of({
        images: { app: "nginx:1", side: "b" },
        volumes: { data: "ghcr.io/a/d:1" },
        templateAnnotations: { a: "b" }
      }),
      one
    )
  })
})

describe("bytes that are damaged", () => {
  const whole = encode(wireObjects.Deployment, templated({ volumes: { data: "a" }, initImages: { a: "b" } }))

  it("are never a part of an object: cut anywhere within a field, they are broken", () => {
    const fields = new Set<number>([0])
    // where a field of the outermost message ends, less was written
    for (let at = 0; at < whole.length;) {
      const length = whole[at + 1] ?? 0
      at += length < 0x80 ? 2 + length : 3 + (length & 0x7f) + ((whole[at + 2] ?? 0) << 7)
      fields.add(at)
    }
    assert.isTrue(fields.has(whole.length))
    for (let end = 0; end < whole.length; end++) {
      const outcome = read(wireObjects.Deployment, whole.subarray(0, end))
      assert.strictEqual(Result.isSuccess(outcome), fields.has(end), String(end))
    }
  })

  it("end in an answer, whatever stands in them", () => {
    for (let at = 0; at < whole.length; at++) {
      for (const byte of [0, 1, 0x7f, 0x80, 0xff]) {
        const damaged = Buffer.from(whole)
        damaged[at] = byte
        const outcome = projectWire(deployment, damaged)
        assert.isTrue(Result.isSuccess(outcome) || outcome.failure !== "")
      }
    }
  })
})
