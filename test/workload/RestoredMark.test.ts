import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { decode } from "../../sandbox/cluster/Patch.ts"
import * as J from "../../sandbox/Json.ts"
import { heldAnnotation, writeHeld } from "../../src/workload/HeldMark.ts"
import { kindOf } from "../../src/workload/Kinds.ts"
import { rewriteAnnotation } from "../../src/workload/Marks.ts"
import { markPatch, type Operation, restorePatch } from "../../src/workload/Patch.ts"
import { projectTemplated } from "../../src/workload/Project.ts"
import { readRestored, restoredAnnotation, restoreMarks, undoneMarks } from "../../src/workload/RestoredMark.ts"
import { templated } from "../support/Objects.ts"

const backup = { registry: "backup.example", prefix: "copies", layout: "nested" } as const
const held = writeHeld({ reason: "quarantined", detail: "it crashed", count: 1, images: {} })

const json = (of: unknown): J.JsonObject => {
  const text: J.Json = JSON.parse(JSON.stringify(of))
  return J.isObject(text) ? text : {}
}

const project = (object: unknown) => projectTemplated(kindOf("Deployment"))(object)! // the fixture always decodes

/** Applies a patch as the API server does. */
const apply = (object: J.JsonObject, patch: ReadonlyArray<Operation>) =>
  decode("application/json-patch+json", JSON.parse(JSON.stringify(patch))).pipe(
    Effect.flatMap((change) => change(object)),
    Effect.result
  )

const rewritten = (metadata: Record<string, unknown> = {}) =>
  json(templated({
    images: { app: "backup.example/copies/docker.io/library/nginx:1.27" },
    templateAnnotations: { "image-cloner.io/original-images": "{\"app\":\"nginx:1.27\"}" },
    metadata
  }))

const restore = (object: J.JsonObject) => {
  const of = project(object)
  return apply(object, restorePatch(of, backup, undefined, restoreMarks(of)))
}

const undo = (object: J.JsonObject) => apply(object, markPatch(project(object), undoneMarks(project(object))))

const annotations = (object: J.JsonObject) => J.at(object, "metadata", "annotations")

/** What people write there, and what they do not. */
const Word = Schema.NullOr(Schema.Literals(["never", "patch", "admission", "", "nonsense"]))

describe("the marks of who puts originals back", () => {
  it.effect.prop(
    "keep the controller away, and leave everything as it was when they are taken away again",
    {
      annotation: Word,
      label: Word,
      other: Schema.Boolean,
      metadata: Schema.Literals(["none", "empty", "held"])
    },
    (given) =>
      Effect.gen(function*() {
        const before = {
          ...(given.annotation === null ? {} : { [rewriteAnnotation]: given.annotation }),
          ...(given.other ? { "example.com/a~b": "c" } : {})
        }
        const object = rewritten({
          ...(given.metadata === "none" && Object.keys(before).length === 0
            ? {}
            : { annotations: given.metadata === "held" ? { ...before, [heldAnnotation]: held } : before }),
          ...(given.label === null ? {} : { labels: { [rewriteAnnotation]: given.label } })
        })
        const restored = Result.getOrThrow(yield* restore(object))
        assert.strictEqual(project(restored).marks.rewrite, "never")
        assert.strictEqual(project(restored).images[0]?.image, "nginx:1.27")
        // whose own word it was already has nothing written
        if (project(object).marks.rewrite === "never") {
          assert.deepStrictEqual(annotations(restored), annotations(object))
        }
        const undone = Result.getOrThrow(yield* undo(restored))
        assert.deepStrictEqual(annotations(undone) ?? {}, before)
        assert.deepStrictEqual(markPatch(project(undone), undoneMarks(project(undone))), [])
      }),
    { arbitrary: { runs: 200 } }
  )

  it.effect("leave a word alone that somebody has changed since", () =>
    Effect.gen(function*() {
      const restored = Result.getOrThrow(yield* restore(rewritten()))
      J.ensure(restored, "metadata", "annotations")[rewriteAnnotation] = "patch"
      const undone = Result.getOrThrow(yield* undo(restored))
      assert.deepStrictEqual(annotations(undone), { [rewriteAnnotation]: "patch" })
    }))

  it.effect("are refused where somebody was faster, and nothing is put back then", () =>
    Effect.gen(function*() {
      const object = rewritten({ annotations: { other: "1" } })
      const of = project(object)
      const patch = restorePatch(of, backup, undefined, restoreMarks(of))
      const faster = rewritten({ annotations: { other: "1", [rewriteAnnotation]: "patch" } })
      assert.isTrue(Result.isFailure(yield* apply(faster, patch)))
      const bare = project(rewritten())
      const onBare = restorePatch(bare, backup, undefined, restoreMarks(bare))
      assert.isTrue(Result.isFailure(yield* apply(object, onBare)))
    }))

  it.prop("are none where they are anything else, and fail nobody", [Schema.String], ([text]) => {
    assert.isUndefined(readRestored(text))
    const of = project(rewritten({ annotations: { [restoredAnnotation]: text, [rewriteAnnotation]: "never" } }))
    assert.deepStrictEqual(undoneMarks(of), {})
  })
})
