import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { withoutPullSecret } from "../../src/cli/WithoutPullSecret.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import { ProcessSettings } from "../../src/settings/ProcessSettings.ts"
import { settingsOf } from "../../src/settings/Settings.ts"
import { Workloads } from "../../src/store/WorkloadStore.ts"
import type { Scope } from "../../src/workload/Scope.ts"
import { workload } from "../support/Objects.ts"

const takenFrom = (scope: Scope, using: ReadonlyArray<string> = [], secret = "pull") => {
  const store = new Workloads()
  for (const name of ["shop", "web"]) {
    store.putNamespace({ name, uid: `uid-${name}`, marks: { ignore: undefined, rewrite: undefined } })
    store.putAccount({ key: `${name}/default`, namespace: name, pullSecrets: ["pull"] })
  }
  store.putWorkload(workload({ namespace: "web" }))
  const asked: Array<string> = []
  const client = KubeClient.of({
    server: "",
    request: ({ path }) => Effect.sync(() => void asked.push(path.replace("/api/v1/namespaces/", ""))),
    frames: () => assert.fail("no watch is meant")
  })
  return withoutPullSecret(settingsOf("r.example/copies", { PULL_SECRET: secret }), scope, store, using).pipe(
    Effect.provide(Layer.merge(
      Layer.succeed(KubeClient, client),
      Layer.provide(ProcessSettings.layer, NodeServices.layer)
    )),
    Effect.map(() => asked.toSorted())
  )
}

const shop = ["shop/secrets", "shop/serviceaccounts/default"]
const web = ["web/secrets", "web/serviceaccounts/default"]

describe("after a restore, the pull secret", () => {
  it.effect("goes from the whole cluster, but where something still refers to the backup", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* takenFrom({ _tag: "All" }), [...shop, ...web])
      assert.deepStrictEqual(yield* takenFrom({ _tag: "All" }, ["Job/web/once"]), shop)
    }))

  it.effect("stays in a namespace that the controller would give it again, and for single workloads", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* takenFrom({ _tag: "Namespaces", names: new Set(["shop", "web"]) }), shop)
      assert.deepStrictEqual(yield* takenFrom({ _tag: "Named", keys: new Set(["Deployment/shop/web"]) }), [])
      assert.deepStrictEqual(yield* takenFrom({ _tag: "All" }, [], ""), [])
    }))
})
