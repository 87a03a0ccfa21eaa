import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { Repository } from "../../../src/image/Repository.ts"
import { basic, type Credential } from "../../../src/registry/auth/DockerConfig.ts"
import { type Identity, makeAccess } from "../../../src/registry/auth/Identities.ts"
import type { RegistryOptions } from "../../../src/registry/RegistrySettings.ts"
import { registryOptions } from "../../support/Registries.ts"

const owner = basic("owner", "backup")
const hub = basic("hub", "login")

interface World {
  readonly options?: Partial<RegistryOptions>
  readonly credentials?: Readonly<Record<string, ReadonlyArray<Credential>>>
  readonly certificates?: ReadonlyArray<string>
  readonly refused?: Array<Credential>
}

const access = (
  { certificates = [], credentials = { "quay.io": [owner], "docker.io": [hub] }, options, refused }: World = {}
) =>
  makeAccess(
    () =>
      registryOptions("quay.io", {
        backup: { registry: "quay.io", prefix: "cargaona/mirror", layout: "nested" },
        ...options
      }),
    {
      lookup: (registry) => Effect.succeed(credentials[registry] ?? []),
      refused: (credential) => Effect.sync(() => refused?.push(credential)),
      absence: () => Effect.succeed("no file")
    },
    (registry) => certificates.includes(registry)
  )

const told = (it: Identity): string =>
  it.credential?._tag === "Basic" ? `${it.credential.username}${it.certificate ? "+certificate" : ""}` : it.name

/** Whom a repository would be asked as, in order. */
const asked = (it: ReturnType<typeof access>, repository: Repository, use: "read" | "write" = "read") =>
  Effect.map(it.identitiesFor(repository, use), ({ identities }) => identities.map(told))

const backup: Repository = { registry: "quay.io", repository: "cargaona/mirror/docker.io/library/nginx" }
const hubImage: Repository = { registry: "docker.io", repository: "library/nginx" }

describe("the backup's credential", () => {
  it.effect("is used below the prefix, and nowhere else on the same host", () =>
    Effect.gen(function*() {
      const it = access()
      assert.deepStrictEqual(yield* asked(it, backup), ["owner"])
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
        assert.deepStrictEqual(yield* asked(it, source), ["anonymous"], repository)
        // not even when anybody may read it
        yield* it.provenPublic(source)
        assert.deepStrictEqual(yield* asked(it, source), ["anonymous"], repository)
        assert.isFalse(yield* it.needsProof(source), repository)
      }
    }))
})

describe("a source's credential", () => {
  it.effect("waits for an anonymous HEAD of its own repository, for 24 hours", () =>
    Effect.gen(function*() {
      const it = access()
      assert.isTrue(yield* it.needsProof(hubImage))
      assert.deepStrictEqual(yield* asked(it, hubImage), ["anonymous"])
      yield* it.provenPublic(hubImage)
      assert.isFalse(yield* it.needsProof(hubImage))
      assert.deepStrictEqual(yield* asked(it, hubImage), ["hub", "anonymous"])
      const neighbour = { registry: "docker.io", repository: "corp/secret" }
      assert.deepStrictEqual(yield* asked(it, neighbour), ["anonymous"])
      yield* TestClock.adjust("23 hours")
      assert.deepStrictEqual(yield* asked(it, hubImage), ["hub", "anonymous"])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* asked(it, hubImage), ["anonymous"])
      assert.isTrue(yield* it.needsProof(hubImage))
    }))

  it.effect("that was refused is left alone there for a while, and its helper asked again, once", () =>
    Effect.gen(function*() {
      const refused: Array<Credential> = []
      const it = access({ refused })
      const other = { registry: "docker.io", repository: "library/redis" }
      yield* it.provenPublic(hubImage)
      yield* it.provenPublic(other)
      const [login] = (yield* it.identitiesFor(hubImage, "read")).identities
      if (login === undefined) return assert.fail("no login")
      assert.isTrue(yield* it.refused(hubImage, "read", login, "repository"))
      assert.isFalse(yield* it.refused(hubImage, "read", login, "repository"))
      assert.deepStrictEqual(yield* asked(it, hubImage), ["anonymous"])
      // nobody can spoil it for the others
      assert.deepStrictEqual(yield* asked(it, other), ["hub", "anonymous"])
      assert.deepStrictEqual(refused, [hub])
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(yield* asked(it, hubImage), ["hub", "anonymous"])
      // what the token server refuses is refused everywhere
      yield* it.refused(hubImage, "read", login, "realm")
      assert.deepStrictEqual(yield* asked(it, other), ["anonymous"])
    }))

  it.effect("that opens the backup too is kept from sources, however it is configured", () =>
    Effect.gen(function*() {
      // as `*.example.com` in config.json would have it
      const it = access({ credentials: { "quay.io": [owner], "other.io": [owner, hub] } })
      const source = { registry: "other.io", repository: "a/b" }
      yield* it.provenPublic(source)
      assert.deepStrictEqual(yield* asked(it, source), ["hub", "anonymous"])
    }))

  it.effect("needs no proof where there is none, and none by hand", () =>
    Effect.gen(function*() {
      assert.isFalse(yield* access().needsProof({ registry: "ghcr.io", repository: "a/b" }))
      const byHand = access({ options: { sourceCredentials: "always" } })
      assert.deepStrictEqual(yield* asked(byHand, hubImage), ["hub", "anonymous"])
      const secret = { registry: "quay.io", repository: "cargaona/secret" }
      assert.deepStrictEqual(yield* asked(byHand, secret), ["owner", "anonymous"])
    }))
})

describe("several logins", () => {
  const second = basic("second", "login")
  const world = { credentials: { "quay.io": [owner, second], "docker.io": [hub, second] } }

  it.effect("are tried in their order, the one that was let in first, reading and writing apart", () =>
    Effect.gen(function*() {
      const it = access(world)
      assert.deepStrictEqual(yield* asked(it, backup), ["owner", "second"])
      const before = yield* it.identitiesFor(backup, "write")
      assert.isFalse(before.settled)
      const writer = before.identities[1]
      if (writer === undefined) return assert.fail("one login only")
      yield* it.settle(backup, "write", writer)
      const after = yield* it.identitiesFor(backup, "write")
      assert.isTrue(after.settled)
      assert.deepStrictEqual(after.identities.map(told), ["second", "owner"])
      assert.deepStrictEqual(yield* asked(it, backup, "read"), ["owner", "second"])
      // a refusal unsettles it, and whoever was refused comes last for a while
      yield* it.refused(backup, "write", writer, "repository")
      assert.deepStrictEqual(yield* asked(it, backup, "write"), ["owner", "second"])
      const [owns] = before.identities
      yield* it.refused(backup, "write", owns ?? writer, "repository")
      yield* TestClock.adjust("5 minutes")
      yield* it.refused(backup, "write", owns ?? writer, "repository")
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(yield* asked(it, backup, "write"), ["second", "owner"])
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(yield* asked(it, backup, "write"), ["owner", "second"])
    }))

  it.effect("that are remembered at a source do not outlive the proof", () =>
    Effect.gen(function*() {
      const it = access(world)
      yield* it.provenPublic(hubImage)
      // second opens the backup too
      assert.deepStrictEqual(yield* asked(it, hubImage), ["hub", "anonymous"])
      const [login] = (yield* it.identitiesFor(hubImage, "read")).identities
      if (login === undefined) return assert.fail("no login")
      yield* it.settle(hubImage, "read", login)
      yield* TestClock.adjust("24 hours")
      assert.deepStrictEqual(yield* asked(it, hubImage), ["anonymous"])
    }))
})

describe("a client certificate", () => {
  const certificates = ["quay.io", "docker.io", "ghcr.io"]

  it.effect("goes with the logins of its host, under the same rules", () =>
    Effect.gen(function*() {
      const it = access({ certificates })
      assert.deepStrictEqual(yield* asked(it, backup), ["owner+certificate"])
      assert.deepStrictEqual(yield* asked(it, { registry: "quay.io", repository: "cargaona/secret" }), ["anonymous"])
      assert.deepStrictEqual(yield* asked(it, hubImage), ["anonymous"])
      yield* it.provenPublic(hubImage)
      assert.deepStrictEqual(yield* asked(it, hubImage), ["hub+certificate", "anonymous"])
    }))

  it.effect("is an identity of its own where there is no login", () =>
    Effect.gen(function*() {
      const it = access({ certificates, credentials: {} })
      const source = { registry: "ghcr.io", repository: "a/b" }
      assert.deepStrictEqual(yield* asked(it, backup), ["certificate"])
      assert.isTrue(yield* it.needsProof(source))
      yield* it.provenPublic(source)
      const { identities } = yield* it.identitiesFor(source, "read")
      assert.deepStrictEqual(identities.map(({ certificate, name }) => [name, certificate]), [
        ["certificate", true],
        ["anonymous", false]
      ])
    }))
})
