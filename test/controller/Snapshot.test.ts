import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { fromCluster } from "../../src/controller/Snapshot.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import { fromStatus } from "../../src/kube/KubeError.ts"
import { rollout, rolloutObject } from "../support/ExtraObjects.ts"
import { templated } from "../support/Objects.ts"

const group = "/apis/argoproj.io/v1alpha1"
const collection = `${group}/rollouts`
const deployments = "/apis/apps/v1/deployments"

const listOf = (...items: ReadonlyArray<unknown>) => ({ metadata: { resourceVersion: "1" }, items })

const everything: Readonly<Record<string, unknown>> = {
  [deployments]: listOf({
    ...templated({ name: "api" }),
    metadata: { name: "api", namespace: "shop", uid: "1", resourceVersion: "1" }
  }),
  [group]: { resources: [{ name: "rollouts", kind: "Rollout", namespaced: true }] },
  [collection]: listOf(rolloutObject({ name: "web", metadata: { resourceVersion: "1" } }))
}

/** An API server that answers a path with a status. */
const seen = (failing?: string, status = 503) =>
  fromCluster(undefined, [rollout]).pipe(Effect.provide(Layer.mock(KubeClient, {
    server: "",
    request: ({ path }) =>
      path === failing
        ? Effect.fail(
          fromStatus({ operation: `GET ${path}`, mutation: false, status, body: "", retryAfter: undefined })
        )
        : Effect.succeed(everything[path] ?? listOf())
  })))

describe("a look at a cluster with kinds of EXTRA_KINDS", () => {
  it.effect("has them with all others", () =>
    Effect.gen(function*() {
      const { absent, refused, store } = yield* seen()
      assert.deepStrictEqual([absent, refused], [[], []])
      assert.sameMembers(store.all.map((it) => it.key), ["Deployment/shop/api", "Rollout.argoproj.io/shop/web"])
    }))

  it.effect("leaves them out where whoever serves them is down, and has all others", () =>
    Effect.gen(function*() {
      for (const path of [group, collection]) {
        const { refused, store } = yield* seen(path)
        assert.deepStrictEqual(refused, ["Rollout.argoproj.io (503)"], path)
        assert.deepStrictEqual(store.all.map((it) => it.key), ["Deployment/shop/api"])
      }
      assert.deepStrictEqual((yield* seen(collection, 403)).refused, ["Rollout.argoproj.io"])
    }))

  it.effect("says of one that is not installed that there is none", () =>
    Effect.gen(function*() {
      const { absent, refused } = yield* seen(group, 404)
      assert.deepStrictEqual(refused, [])
      assert.match(absent[0] ?? "", /not installed/)
    }))

  it.effect("fails where a kind of Kubernetes' own cannot be listed", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* Effect.flip(seen(deployments))).status, 503)
    }))
})
