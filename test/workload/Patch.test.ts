import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { applyPatch } from "rfc6902"
import { decode } from "../../sandbox/cluster/Patch.ts"
import { backupOf } from "../../src/image/BackupName.ts"
import { format, parse } from "../../src/image/ImageReference.ts"
import { kindOf, kinds, type WorkloadKind } from "../../src/workload/Kinds.ts"
import { originalsAnnotation } from "../../src/workload/Originals.ts"
import { heldAnnotation, writeHeld } from "../../src/workload/HeldMark.ts"
import { verifiedOriginals } from "../../src/workload/Originals.ts"
import { markPatch, type Operation, restorePatch, rewritePatch } from "../../src/workload/Patch.ts"
import { projectTemplated } from "../../src/workload/Project.ts"
import { templated } from "../support/Objects.ts"

const backup = { registry: "backup.example", prefix: "copies", layout: "nested" } as const

const copyOf = (image: string): string => format(backupOf(backup, Result.getOrThrow(parse(image))))

/** Applies a patch as the API server does: all of it or nothing. */
const apply = (object: unknown, operations: ReadonlyArray<Operation>) => {
  const copy: unknown = structuredClone(object)
  const errors = applyPatch(copy, operations.map((it) => ({ ...it }))).filter((it) => it !== null)
  return errors.length === 0 ? Result.succeed(copy) : Result.fail(errors.map((it) => it.name))
}

/** The same as the sandbox's API server does it: of what is not there, a test sees null. */
const atServer = (object: unknown, operations: ReadonlyArray<Operation>) =>
  decode("application/json-patch+json", JSON.parse(JSON.stringify(operations))).pipe(
    Effect.flatMap((change) => change(JSON.parse(JSON.stringify(object))))
  )

const project = (kind: WorkloadKind, object: unknown) => projectTemplated(kindOf(kind))(object)!

const rewriteAll = (kind: WorkloadKind, object: unknown) => {
  const it = project(kind, object)
  const foreign = it.images.filter((slot) => !slot.image.startsWith("backup.example/copies/"))
  return rewritePatch(it, foreign.map((slot) => ({ slot, to: copyOf(slot.image) })), backup)
}

const word = Schema.String.check(Schema.isPattern(/^[a-z]{1,6}$/))
const Image = Schema.Tuple([word, word]).pipe(Schema.check(Schema.isMinLength(2)))
const Template = Schema.Struct({
  kind: Schema.Literals(kinds.filter((it) => it.mutable).map((it) => it.kind)),
  images: Schema.Record(word, Image),
  initImages: Schema.Record(word, Image),
  volumes: Schema.Record(word, Image),
  annotations: Schema.Literals(["none", "empty", "others", "stale"])
})

const imagesOf = (record: Record<string, readonly [string, string]>) =>
  Object.fromEntries(Object.entries(record).map(([name, [repository, tag]]) => [name, `${repository}:${tag}`]))

const annotations = {
  none: undefined,
  empty: {},
  others: { "example.com/a~b": "c" },
  stale: { [originalsAnnotation]: "{\"gone\":\"nginx\"}", other: "kept" }
}

describe("the patch of a rewrite", () => {
  it.effect.prop(
    "changes images and the one annotation alone, and restoring undoes it",
    Template.fields,
    (given) =>
      Effect.sync(() => {
        const kind = given.kind
        const templateAnnotations = annotations[given.annotations]
        const object = templated({
          kind,
          // names are unique over containers and init containers, as the API server demands
          images: { main: "nginx:1.27", ...imagesOf(given.images) },
          initImages: Object.fromEntries(
            Object.entries(imagesOf(given.initImages)).map(([name, image]) => [`init-${name}`, image])
          ),
          volumes: imagesOf(given.volumes),
          ...(templateAnnotations === undefined ? {} : { templateAnnotations })
        })
        const before = project(kind, object)
        const rewritten = Result.getOrThrow(apply(object, rewriteAll(kind, object)))
        const after = project(kind, rewritten)
        assert.deepStrictEqual(after.images.map((it) => it.image), before.images.map((it) => copyOf(it.image)))
        assert.strictEqual(verifiedOriginals(after, backup).size, before.images.length)
        // a second look finds nothing more to change
        assert.deepStrictEqual(rewriteAll(kind, rewritten).filter((it) => it.op === "replace"), [])

        const restored = project(kind, Result.getOrThrow(apply(rewritten, restorePatch(after, backup))))
        assert.deepStrictEqual(restored.images, before.images)
        assert.isUndefined(restored.originals)
      }),
    { arbitrary: { runs: 200 } }
  )

  const object = templated()
  const patch = rewriteAll("Deployment", object)

  it("is refused when the object is another one, has changed, or its containers moved", () => {
    const others = [
      templated({ metadata: { uid: "another" } }),
      templated({ metadata: { generation: 2 } }),
      templated({ images: { other: "nginx:1.27" } }),
      templated({ images: { app: "nginx:1.28" } })
    ]
    for (const other of others) assert.deepStrictEqual(apply(other, patch), Result.fail(["TestError"]))
    assert.isTrue(Result.isSuccess(apply(object, patch)))
  })

  it("makes the template's metadata where there is none", () => {
    const bare = { ...object, spec: { template: { spec: { containers: [{ name: "app", image: "nginx:1.27" }] } } } }
    const after = project("Deployment", Result.getOrThrow(apply(bare, rewriteAll("Deployment", bare))))
    assert.deepStrictEqual(after.originals, "{\"app\":\"nginx:1.27\"}")
  })

  it("keeps the verified entries of containers that are rewritten already, and drops the others", () => {
    const half = templated({
      images: { app: "nginx:1.27", side: copyOf("redis:7"), forged: copyOf("redis:7") },
      templateAnnotations: {
        [originalsAnnotation]: JSON.stringify({ side: "redis:7", forged: "evil:1", gone: "x:1" })
      }
    })
    const after = project("Deployment", Result.getOrThrow(apply(half, rewriteAll("Deployment", half))))
    assert.deepStrictEqual(JSON.parse(after.originals ?? ""), { app: "nginx:1.27", side: "redis:7" })
  })

  it("records the image as it was written, not its canonical form", () => {
    const after = project("Deployment", Result.getOrThrow(apply(object, patch)))
    assert.strictEqual(verifiedOriginals(after, backup).get("app"), "nginx:1.27")
  })
})

describe("the patch of a restore", () => {
  it("has nothing to do where nothing is recorded", () => {
    assert.deepStrictEqual(restorePatch(project("Deployment", templated()), backup), [])
  })

  it("does not follow an entry that somebody else wrote", () => {
    const forged = templated({
      images: { app: copyOf("nginx:1.27") },
      templateAnnotations: { [originalsAnnotation]: "{\"app\":\"evil:1\"}" }
    })
    assert.deepStrictEqual(restorePatch(project("Deployment", forged), backup), [])
  })
})

describe("the patch of a mark", () => {
  const mark = { reason: "contested", detail: "x", count: 1, images: {} } as const
  const texts = { [heldAnnotation]: writeHeld(mark) }

  it.effect(
    "changes the one annotation, beside others or none, and no template",
    Effect.fnUntraced(function*() {
      for (const metadata of [{}, { annotations: {} }, { annotations: { "example.com/a~b": "c" } }]) {
        const object = templated({ metadata })
        const after = yield* atServer(object, markPatch(project("Deployment", object), texts))
        assert.deepStrictEqual(project("Deployment", after).held, mark)
        assert.deepStrictEqual(project("Deployment", after), {
          ...project("Deployment", object),
          annotated: true,
          written: texts,
          held: mark
        })
      }
    })
  )

  it.effect(
    "is refused by another object of that name, and where annotations have come since",
    Effect.fnUntraced(function*() {
      const patch = markPatch(project("Deployment", templated({ metadata: {} })), texts)
      for (const metadata of [{ uid: "another" }, { annotations: { a: "b" } }]) {
        assert.isTrue(Result.isFailure(yield* Effect.result(atServer(templated({ metadata }), patch))))
      }
    })
  )
})
