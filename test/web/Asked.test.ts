import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { askedOf } from "../../src/web/Asked.ts"

const asked = (words: ReadonlyArray<string>, namespace?: string) =>
  Result.match(askedOf(words, namespace), {
    onFailure: (it) => it,
    onSuccess: ({ about, name }) => `${about} ${name}`
  })

describe("what words ask about", () => {
  it("is a workload where a kind is named, in any of kubectl's ways", () => {
    const web = "workload Deployment/shop/web"
    assert.strictEqual(asked(["Deployment/shop/web"]), web)
    assert.strictEqual(asked(["deployments/shop/web"], "shop"), web)
    assert.strictEqual(asked(["deploy/web"], "shop"), web)
    assert.strictEqual(asked(["deploy", "web"], "shop"), web)
    assert.strictEqual(asked(["sts/db"]), "workload StatefulSet/default/db")
    assert.strictEqual(asked(["Deployment.apps/shop/web"]), web)
    assert.strictEqual(asked(["Rollout.argoproj.io/web"], "shop"), "workload Rollout.argoproj.io/shop/web")
    assert.strictEqual(asked(["Rollout.argoproj.io", "web"], "shop"), "workload Rollout.argoproj.io/shop/web")
    assert.strictEqual(asked(["web"], "shop"), "workload shop/web")
  })

  it("is an image everywhere else", () => {
    for (const it of ["nginx", "nginx:1.27", "quay.io/a/b@sha256:0", "backup.example/copies/docker.io/library/nginx"]) {
      assert.strictEqual(asked([it]), `image ${it}`)
    }
    assert.strictEqual(asked(["nginx:1.27"], "shop"), "image nginx:1.27")
  })

  it("is said to be nothing where a kind is unknown, or namespaces differ", () => {
    assert.match(asked(["Service/shop/web"]), /no kind "Service" that runs pods; there are Deployment/)
    assert.match(asked(["svc", "web"], "shop"), /no kind "svc"/)
    assert.match(asked(["Deployment/shop/web"], "other"), /is in namespace shop, and -n says other/)
    assert.match(asked([]), /name one workload/)
    assert.match(asked(["a", "b", "c"]), /name one workload/)
    assert.match(asked(["deploy", "a/b"]), /not the name of an object/)
    assert.match(asked(["x".repeat(1001)]), /more than 1000 characters/)
  })

  it.prop("is an answer for any words", [Schema.Array(Schema.String)], ([words]) => {
    assert.isAbove(asked(words).length, 0)
  })
})
