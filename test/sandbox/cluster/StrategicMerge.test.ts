// Merge patches as functions: RFC 7396's own examples, and what kubectl sends to change pods' templates.
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as J from "../../../sandbox/Json.ts"
import { mergePatch, strategicMerge } from "../../../sandbox/cluster/StrategicMerge.ts"

describe("merge patch", () => {
  for (
    const [target, patch, result] of [
      [{ a: "b" }, { a: "c" }, { a: "c" }],
      [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
      [{ a: "b" }, { a: null }, {}],
      [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
      [{ a: ["b"] }, { a: "c" }, { a: "c" }],
      [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
      [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
      [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
      [["a", "b"], ["c", "d"], ["c", "d"]],
      [{ a: "foo" }, "bar", "bar"],
      [{ e: null }, { a: 1 }, { e: null, a: 1 }],
      [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }]
    ] satisfies ReadonlyArray<readonly [J.Json, J.Json, J.Json]>
  ) {
    it(`of ${JSON.stringify(patch)} on ${JSON.stringify(target)}`, () => {
      const before = J.clone(target)
      assert.deepStrictEqual(mergePatch(target, patch), result)
      assert.deepStrictEqual(target, before)
    })
  }
})

describe("strategic merge patch", () => {
  const pod: J.JsonObject = {
    containers: [
      { name: "a", image: "a:1", env: [{ name: "X", value: "1" }], ports: [{ containerPort: 80 }], args: ["one"] },
      { name: "b", image: "b:1" }
    ],
    tolerations: [{ key: "k" }]
  }

  it("changes one container, and leaves everything else", () => {
    assert.deepStrictEqual(strategicMerge(pod, { containers: [{ name: "b", image: "b:2" }] }), {
      ...pod,
      containers: [J.object(pod, "containers", 0), { name: "b", image: "b:2" }]
    })
  })

  it("adds a container that is not there: what makes it dangerous for images", () => {
    const merged = strategicMerge(pod, { containers: [{ name: "gone", image: "x" }] })
    assert.deepStrictEqual(J.list(merged, "containers").map((one) => J.text(one, "name")), ["a", "b", "gone"])
  })

  it("replaces lists without a key, and merges those with one by it", () => {
    const patch = {
      containers: [{ name: "a", args: ["two"], ports: [{ containerPort: 443 }], env: [{ name: "X", value: "2" }] }],
      tolerations: [{ key: "other" }]
    }
    const merged = strategicMerge(pod, patch)
    assert.deepStrictEqual(J.object(merged, "containers", 0), {
      name: "a",
      image: "a:1",
      env: [{ name: "X", value: "2" }],
      ports: [{ containerPort: 80 }, { containerPort: 443 }],
      args: ["two"]
    })
    assert.deepStrictEqual(J.list(merged, "tolerations"), [{ key: "other" }])
  })

  it("obeys its directives: delete, replace, order, retained keys, elements of plain lists", () => {
    assert.deepStrictEqual(
      J.list(strategicMerge(pod, { containers: [{ name: "a", $patch: "delete" }] }), "containers"),
      [{ name: "b", image: "b:1" }]
    )
    assert.deepStrictEqual(
      J.list(strategicMerge(pod, { containers: [{ name: "c", image: "c:1" }, { $patch: "replace" }] }), "containers"),
      [{ name: "c", image: "c:1" }]
    )
    assert.deepStrictEqual(
      J.list(strategicMerge(pod, { "$setElementOrder/containers": [{ name: "b" }, { name: "a" }] }), "containers")
        .map((one) => J.text(one, "name")),
      ["b", "a"]
    )
    assert.deepStrictEqual(
      strategicMerge({ strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } } }, {
        strategy: { $retainKeys: ["type"], type: "Recreate" }
      }),
      { strategy: { type: "Recreate" } }
    )
    assert.deepStrictEqual(
      strategicMerge({ finalizers: ["a", "b"] }, { "$deleteFromPrimitiveList/finalizers": ["a"], finalizers: ["c"] }),
      { finalizers: ["b", "c"] }
    )
    assert.deepStrictEqual(strategicMerge({ labels: { a: "1" } }, { labels: { $patch: "replace", b: "2" } }), {
      labels: { b: "2" }
    })
  })

  it.prop("of an object with itself changes nothing", [
    Schema.Record(Schema.String.check(Schema.isPattern(/^[a-z]{1,6}$/)), Schema.Union([Schema.String, Schema.Boolean]))
  ], ([object]) => {
    const value: J.JsonObject = { ...object }
    assert.isTrue(J.equal(strategicMerge(value, value), value))
    assert.isTrue(J.equal(mergePatch(value, value), value))
  })
})
