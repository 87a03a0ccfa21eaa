import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { TestClock } from "effect/testing"
import { makeAccess, type Repository } from "../../src/registry/Access.ts"
import { basic, type Credential } from "../../src/registry/DockerConfig.ts"
import type { RegistryOptions } from "../../src/registry/RegistrySettings.ts"

const owner = basic("owner", "backup")
const hub = basic("hub", "login")

const access = (more: Partial<RegistryOptions> = {}, refused: Array<Credential> = []) =>
  makeAccess(
    () => ({
      backup: { registry: "quay.io", prefix: "cargaona/mirror", layout: "nested" },
      plainHttp: [],
      privateHosts: [],
      sourceCredentials: "proven-public",
      referrers: false,
      mostImageBytes: undefined,
      reserve: 0.2,
      ...more
    }),
    {
      lookup: (registry) =>
        Effect.succeed(
          Option.fromUndefinedOr(registry === "quay.io" ? owner : registry === "docker.io" ? hub : undefined)
        ),
      refused: (credential) => Effect.sync(() => refused.push(credential))
    }
  )

const backup: Repository = { registry: "quay.io", repository: "cargaona/mirror/docker.io/library/nginx" }
const hubImage: Repository = { registry: "docker.io", repository: "library/nginx" }

describe("the backup's credential", () => {
  it.effect("is used below the prefix, and nowhere else on the same host", () =>
    Effect.gen(function*() {
      const it = access()
      assert.deepStrictEqual(yield* it.credentialFor(backup), Option.some(owner))
      assert.strictEqual(it.roleOf(backup), "backup")
      for (
        const repository of [
          "cargaona/secret",
          "cargaona/mirror-other/x",
          "cargaona/mirro",
          "other/cargaona/mirror/x",
          "cargaona"
        ]
      ) {
        const source = { registry: "quay.io", repository }
        assert.strictEqual(it.roleOf(source), "source", repository)
        assert.isTrue(Option.isNone(yield* it.credentialFor(source)), repository)
        // not even when anybody may read it
        yield* it.provenPublic(source)
        assert.isTrue(Option.isNone(yield* it.credentialFor(source)), repository)
        assert.isFalse(yield* it.needsProof(source), repository)
      }
    }))
})

describe("a source's credential", () => {
  it.effect("waits for an anonymous HEAD of its own repository, for 24 hours", () =>
    Effect.gen(function*() {
      const it = access()
      assert.isTrue(yield* it.needsProof(hubImage))
      assert.isTrue(Option.isNone(yield* it.credentialFor(hubImage)))
      yield* it.provenPublic(hubImage)
      assert.isFalse(yield* it.needsProof(hubImage))
      assert.deepStrictEqual(yield* it.credentialFor(hubImage), Option.some(hub))
      const neighbour = { registry: "docker.io", repository: "corp/secret" }
      assert.isTrue(Option.isNone(yield* it.credentialFor(neighbour)))
      yield* TestClock.adjust("23 hours")
      assert.isTrue(Option.isSome(yield* it.credentialFor(hubImage)))
      yield* TestClock.adjust("1 hour")
      assert.isTrue(Option.isNone(yield* it.credentialFor(hubImage)))
      assert.isTrue(yield* it.needsProof(hubImage))
    }))

  it.effect("that was refused is left alone for a while, and its helper asked again", () =>
    Effect.gen(function*() {
      const refused: Array<Credential> = []
      const it = access({}, refused)
      yield* it.provenPublic(hubImage)
      yield* it.distrust(hubImage, hub)
      assert.isTrue(Option.isNone(yield* it.credentialFor(hubImage)))
      assert.deepStrictEqual(refused, [hub])
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(yield* it.credentialFor(hubImage), Option.some(hub))
    }))

  it.effect("needs no proof where there is none, and none by hand", () =>
    Effect.gen(function*() {
      assert.isFalse(yield* access().needsProof({ registry: "ghcr.io", repository: "a/b" }))
      const byHand = access({ sourceCredentials: "always" })
      assert.deepStrictEqual(yield* byHand.credentialFor(hubImage), Option.some(hub))
      assert.deepStrictEqual(
        yield* byHand.credentialFor({ registry: "quay.io", repository: "cargaona/secret" }),
        Option.some(owner)
      )
    }))
})
