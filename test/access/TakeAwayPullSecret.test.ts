import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { takeAwayPullSecret } from "../../src/access/TakeAwayPullSecret.ts"
import { KubeClient, type KubeRequest } from "../../src/kube/KubeClient.ts"
import { fromTransport, type KubeError } from "../../src/kube/KubeError.ts"

const accounts = [
  { key: "shop/default", namespace: "shop", pullSecrets: ["a", "pull"] },
  { key: "shop/held", namespace: "shop", pullSecrets: ["pull"], listHolder: "argocd" },
  { key: "web/default", namespace: "web", pullSecrets: ["b"] }
]

const taking = Effect.fnUntraced(function*(answer: (asked: KubeRequest) => Effect.Effect<unknown, KubeError>) {
  const asked: Array<KubeRequest> = []
  const left = yield* takeAwayPullSecret({
    ownNamespace: "image-cloner",
    secret: "pull",
    namespaces: ["image-cloner", "shop", "web"],
    accounts
  }).pipe(Effect.provideService(
    KubeClient,
    KubeClient.of({
      server: "",
      request: (request) =>
        Effect.suspend(() => {
          asked.push(request)
          return answer(request)
        }),
      frames: () => assert.fail("no watch is meant")
    })
  ))
  return { left, asked }
})

describe("a pull secret that is taken away", () => {
  it.effect("leaves what others have in the lists, and deletes what has our label alone", () =>
    Effect.gen(function*() {
      const { asked, left } = yield* taking(() => Effect.succeed({ data: "secret-word" }))
      assert.deepStrictEqual(left, [])
      assert.deepStrictEqual(asked.map((it) => `${it.method} ${it.path}`).toSorted(), [
        "DELETE /api/v1/namespaces/shop/secrets",
        "DELETE /api/v1/namespaces/web/secrets",
        "PATCH /api/v1/namespaces/shop/serviceaccounts/default"
      ])
      assert.deepStrictEqual(asked.find((it) => it.method === "PATCH")?.body, [
        { op: "test", path: "/imagePullSecrets", value: [{ name: "a" }, { name: "pull" }] },
        { op: "replace", path: "/imagePullSecrets", value: [{ name: "a" }] }
      ])
      for (const { query } of asked.filter((it) => it.method === "DELETE")) {
        assert.deepStrictEqual(query, {
          labelSelector: "image-cloner.io/pull-secret=true",
          fieldSelector: "metadata.name=pull"
        })
      }
    }))

  it.effect("says what is left where the connection breaks, and goes on with the others", () =>
    Effect.gen(function*() {
      const { asked, left } = yield* taking((it) =>
        it.path.includes("/shop/")
          ? Effect.fail(fromTransport(`${it.method} ${it.path}`, true, new Error("secret-word")))
          : Effect.undefined
      )
      assert.lengthOf(left, 2)
      assert.include(left[0], "ServiceAccount shop/default still names pull secret pull")
      assert.include(left[1], "Secret shop/pull may still be there")
      assert.notInclude(left[1], "secret-word")
      assert.lengthOf(asked, 3)
    }))
})
