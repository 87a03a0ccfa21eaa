import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { shapeOf } from "../../src/workload/Shape.ts"

const template = (image: string, more: Record<string, unknown> = {}, metadata: Record<string, unknown> = {}) => ({
  spec: {
    template: {
      metadata: { labels: { app: "web" }, ...metadata },
      spec: {
        containers: [{ name: "app", image, env: [{ name: "A", value: "1" }], ...more }],
        volumes: [{ name: "model", image: { reference: image, pullPolicy: "Always" } }]
      }
    }
  }
})

const word = Schema.String.check(Schema.isPattern(/^[a-z]{1,6}$/))

describe("the shape of a template", () => {
  it("is the same with other images, the record of originals and the hash of a ReplicaSet", () => {
    const plain = shapeOf(template("nginx:1.27"))
    assert.strictEqual(shapeOf(template("backup.example/copies/docker.io/library/nginx:1.27")), plain)
    const annotations = { "image-cloner.io/original-images": "{}" }
    const labels = { app: "web", "pod-template-hash": "5d4f" }
    assert.strictEqual(shapeOf(template("nginx:1.27", {}, { annotations, labels, creationTimestamp: null })), plain)
  })

  it("is another where anything else differs", () => {
    const shapes = [
      template("nginx:1.27"),
      template("nginx:1.27", { env: [{ name: "A", value: "2" }] }),
      template("nginx:1.27", { imagePullPolicy: "Always" }),
      template("nginx:1.27", {}, { annotations: { "kubectl.kubernetes.io/restartedAt": "2026-11-27T00:00:00Z" } }),
      template("nginx:1.27", {}, { labels: { app: "web", image: "other" } })
    ].map(shapeOf)
    assert.strictEqual(new Set(shapes).size, shapes.length)
  })

  it.prop("does not depend on the order in which fields are written", [Schema.Record(word, word)], ([labels]) => {
    const turned = Object.fromEntries(Object.entries(labels).toReversed())
    const shapes = [labels, turned].map((it) => shapeOf({ spec: { template: { metadata: { labels: it } } } }))
    assert.strictEqual(shapes[0], shapes[1])
  })

  it("is told of whatever stands there", () => {
    for (
      const odd of [undefined, null, 1, "x", [], {
        spec: { template: { spec: { containers: [null, "x", { image: null }] } } }
      }]
    ) {
      assert.isString(shapeOf(odd))
    }
  })
})
