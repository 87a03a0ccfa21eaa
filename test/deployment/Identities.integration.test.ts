// manifests/overlays/identity-*: each adds what its cloud looks for to the objects of the base, and nothing else.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as J from "../../sandbox/Json.ts"
import { keyOf, kustomized } from "../charts/Rendering.ts"
import { skipped } from "./Place.ts"

const account = "ServiceAccount/image-cloner/image-cloner-controller"
const deployment = "Deployment/image-cloner/image-cloner-controller"

const clouds: ReadonlyArray<readonly [string, string, ReadonlyArray<string>]> = [
  ["aws", "eks.amazonaws.com/role-arn", [account]],
  ["google", "iam.gke.io/gcp-service-account", [account]],
  ["azure", "azure.workload.identity/client-id", [deployment, account]]
]

describe.skipIf(skipped)("the overlay for an identity", () => {
  it.layer(NodeServices.layer)((it) => {
    it.effect.each(clouds)(
      "of %s changes what the cloud looks at alone",
      ([cloud, annotation, expected]) =>
        Effect.gen(function*() {
          const base = new Map((yield* kustomized("base")).map((it) => [keyOf(it), JSON.stringify(it)]))
          const objects = yield* kustomized(`overlays/identity-${cloud}`)
          assert.sameMembers(objects.map(keyOf), [...base.keys()])
          const changed = objects.filter((it) => base.get(keyOf(it)) !== JSON.stringify(it))
          assert.sameMembers(changed.map(keyOf), [...expected])
          const annotated = changed.find((it) => it["kind"] === "ServiceAccount")
          assert.deepStrictEqual(Object.keys(J.object(annotated, "metadata", "annotations")), [annotation])
          const labels = J.object(
            objects.find((it) => keyOf(it) === deployment),
            "spec",
            "template",
            "metadata",
            "labels"
          )
          assert.strictEqual(labels["azure.workload.identity/use"], cloud === "azure" ? "true" : undefined)
        })
    )
  })
})
