import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import type { Purpose } from "../../../src/registry/auth/Authorization.ts"
import { anonymous } from "../../../src/registry/auth/Identities.ts"
import type { Bearer } from "../../../src/registry/auth/Scheme.ts"
import { registryError } from "../../../src/registry/RegistryError.ts"
import { makeScopedTokens, scopesOf } from "../../../src/registry/refusal/ScopedTokens.ts"

const endpoint = new URL("https://backup.test")
const scheme: Bearer = { _tag: "Bearer", realm: new URL("https://auth.test/token"), service: "backup" }

const purpose = (operation: string): Purpose => ({
  operation,
  target: "backup.test/app",
  repository: { registry: "backup.test", repository: "app" },
  actions: "pull,push"
})

/** Tokens that are called what they are for, and none for scopes that the server does not take. */
const world = (refused: (scope: string) => boolean = () => false) => {
  const tokenFor = makeScopedTokens(
    (of) =>
      Effect.succeed({
        registry: endpoint.origin,
        realm: scheme.realm,
        service: scheme.service,
        scopes: scopesOf(of),
        identity: anonymous,
        vouched: false,
        target: of.target
      }),
    {
      get: ({ scopes }) =>
        scopes.some(refused)
          ? Effect.fail(
            registryError({
              operation: "GET token",
              target: "x",
              reason: "Denied",
              status: 403,
              detail: "no such scope"
            })
          )
          : Effect.succeed(Redacted.make(scopes.join(" "))),
      drop: () => Effect.void
    }
  )
  return (operation: string, last: Parameters<typeof tokenFor>[4] = {}) =>
    Effect.map(
      tokenFor(purpose(operation), scheme, endpoint, anonymous, last),
      (it) => it === undefined ? undefined : Redacted.value(it)
    )
}

const ours = "repository:app:pull,push"

describe("a scope that was offered in place of ours", () => {
  // a token that may only delete was taken for every request to the repository, and copies failed as denied
  it.effect("is for the operation that it was offered for, and for no other", () =>
    Effect.gen(function*() {
      const ask = world()
      assert.strictEqual(yield* ask("DELETE blob"), ours)
      const offered = "repository:app:delete"
      assert.strictEqual(yield* ask("DELETE blob", { offered, insist: true }), offered)
      assert.strictEqual(yield* ask("DELETE blob"), offered)
      assert.strictEqual(yield* ask("HEAD blob"), ours)
      assert.strictEqual(yield* ask("PUT blob"), ours)
    }))

  it.effect("is left where the token server takes it no longer, and ours is asked for again", () =>
    Effect.gen(function*() {
      const offered = "repository:alias:pull"
      let renamed = false
      const ask = world((scope) => renamed && scope === offered)
      assert.strictEqual(yield* ask("HEAD manifest", { offered, insist: true }), offered)
      renamed = true
      assert.strictEqual(yield* ask("HEAD manifest"), ours)
      renamed = false
      assert.strictEqual(yield* ask("HEAD manifest"), ours)
    }))

  it.effect("is left again where it does no more than ours", () =>
    Effect.gen(function*() {
      const ask = world()
      const offered = "repository:alias:pull"
      assert.strictEqual(yield* ask("HEAD manifest", { offered, insist: true }), offered)
      assert.isUndefined(yield* ask("HEAD manifest", { offered, insist: true }))
      assert.strictEqual(yield* ask("HEAD manifest"), ours)
    }))
})
