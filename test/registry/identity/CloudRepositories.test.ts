// When a repository is made in a cloud, and what of it is waited for: nothing outside of the backup, each once, a few a second.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import type { CloudProvider } from "../../../src/registry/identity/CloudProvider.ts"
import { deletesTagged, isEcrName, makeCloudRepositories } from "../../../src/registry/identity/CloudRepositories.ts"
import { RegistryClient } from "../../../src/registry/RegistryClient.ts"
import { type FakeRegistry, refuse, startFakeRegistry } from "../../support/FakeRegistry.ts"
import { clientLayer } from "../../support/Registries.ts"
import { fakeCloud, newRepositories, optionsOf, unavailable } from "./FakeCloud.ts"

const ecr = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
const backup = { registry: ecr, prefix: "mirror", layout: "nested" } as const

const start = Effect.fnUntraced(function*(options: Partial<ReturnType<typeof optionsOf>> = {}) {
  const made = Array.of<string>()
  const provider: CloudProvider = {
    ...fakeCloud().provider,
    createRepository: (_, name) => Effect.sync(() => made.push(name) > 0)
  }
  const clouds = { ...optionsOf({}), newRepositories, ...options }
  const repositories = yield* makeCloudRepositories(() => ({ backup, clouds }), { aws: provider })
  return { made, create: (repository: string, registry = ecr) => repositories.create({ registry, repository }) }
})

describe("a repository", () => {
  it.effect("is made below the backup's prefix, and nowhere else", () =>
    Effect.gen(function*() {
      const { create, made } = yield* start()
      const asking = yield* Effect.forkChild(create("mirror/docker.io/library/nginx"))
      yield* TestClock.adjust("1 second")
      assert.isTrue(yield* Fiber.join(asking))
      for (const name of ["mirrored/a", "team/a", "mirror.evil/a"]) assert.isFalse(yield* create(name))
      assert.isFalse(yield* create("mirror/a", ecr.replace("west", "east")))
      assert.deepStrictEqual(made, ["mirror/docker.io/library/nginx"])
    }))

  it.effect("is not made where that is switched off", () =>
    Effect.gen(function*() {
      const off = yield* start({ newRepositories: undefined })
      assert.isFalse(yield* off.create("mirror/a"))
      const noClouds = yield* start({ clouds: new Set() })
      assert.isFalse(yield* noClouds.create("mirror/a"))
      assert.deepStrictEqual([...off.made, ...noClouds.made], [])
    }))

  it.effect("is asked for once by all who want it, and not more than five a second are", () =>
    Effect.gen(function*() {
      const { create, made } = yield* start()
      const names = Array.from({ length: 20 }, (_, index) => `mirror/${index}`)
      const asking = yield* Effect.forkChild(
        Effect.forEach([...names, ...names], (it) => create(it), { concurrency: "unbounded" }),
        { startImmediately: true }
      )
      yield* TestClock.adjust("999 millis")
      assert.lengthOf(made, 5)
      yield* TestClock.adjust("4 seconds")
      yield* Fiber.join(asking)
      assert.deepStrictEqual(made.toSorted(), names.toSorted())
    }))

  it.effect("of a name that ECR does not take costs no request", () =>
    Effect.gen(function*() {
      const { create, made } = yield* start()
      const error = yield* Effect.flip(create(`mirror/${"a".repeat(250)}`))
      assert.match(error.message, /2 to 256 characters/)
      assert.isFalse(error.retryable)
      assert.lengthOf(made, 0)
    }))
})

describe("a name", () => {
  it.each<[string, boolean]>([
    ["mirror/docker.io/library/nginx", true],
    ["a--b/c__d/e.f", true],
    ["a", false],
    ["mirror/A", false],
    ["mirror//a", false],
    ["-a/b", false],
    ["a_-b", false],
    ["a___b", false],
    ["a/", false],
    ["a".repeat(256), true],
    ["a".repeat(257), false]
  ])("%s: %s", (name, expected) => {
    assert.strictEqual(isEcrName(name), expected)
  })
})

describe("a lifecycle policy", () => {
  it.each<[unknown, boolean]>([
    [{ rules: [{ selection: { tagStatus: "untagged", countType: "sinceImagePushed" } }] }, false],
    [{ rules: [{ selection: { tagStatus: "untagged" } }, { selection: { tagStatus: "any" } }] }, true],
    [{ rules: [{ selection: { tagStatus: "tagged", tagPrefixList: ["v"] } }] }, true],
    [{ rules: [{}] }, true],
    [{ rules: [] }, false]
  ])("%j can delete tagged images: %s", (policy, expected) => {
    assert.strictEqual(deletesTagged(JSON.stringify(policy)), expected)
  })
})

/** A registry that has no repository before it is made, and is so slow to see it. */
const startEmpty = Effect.fnUntraced(function*(unseen = 0) {
  const registry = yield* startFakeRegistry()
  const state = { made: 0, left: unseen }
  registry.on(/^POST/, (_, response, next) =>
    state.made > 0 && state.left-- <= 0
      ? next()
      : refuse(response, 404, "NAME_UNKNOWN", {}, "The repository with name 'mirror/a' does not exist in the registry"))
  return { registry, state }
})

const uploading = (
  registry: FakeRegistry,
  provider: CloudProvider,
  repository = "mirror/a"
) =>
  Effect.flatMap(RegistryClient, (client) => client.startUpload({ registry: registry.host, repository })).pipe(
    Effect.provide(clientLayer({
      backup: registry.host,
      plainHttp: [registry.host],
      clouds: { ...optionsOf({ [registry.host]: "eu-west-1" }), newRepositories },
      providers: { aws: provider }
    }))
  )

const providing = (createRepository: NonNullable<CloudProvider["createRepository"]>): CloudProvider => ({
  ...fakeCloud().provider,
  createRepository
})

describe("an upload into a repository that is not there", () => {
  it.live("begins when it has been made, and has been seen", () =>
    Effect.gen(function*() {
      const { registry, state } = yield* startEmpty(1)
      yield* uploading(registry, providing(() => Effect.sync(() => ++state.made > 0)))
      assert.strictEqual(state.made, 1)
      assert.strictEqual(registry.count(/^POST/), 3)
    }))

  it.live("begins when somebody else has made it", () =>
    Effect.gen(function*() {
      const { registry, state } = yield* startEmpty()
      yield* uploading(registry, providing(() => Effect.sync(() => ++state.made === 0)))
      assert.strictEqual(registry.count(/^POST/), 2)
    }))

  it.live("fails with the cloud's words where it may not be made", () =>
    Effect.gen(function*() {
      const { registry } = yield* startEmpty()
      const error = yield* Effect.flip(uploading(registry, providing(() => Effect.fail(unavailable))))
      assert.strictEqual(error.reason, "Denied")
      assert.include(error.message, unavailable.message.slice(0, 80))
      assert.strictEqual(registry.count(/^POST/), 1)
    }))

  it.live("fails as ever where the cloud makes none", () =>
    Effect.gen(function*() {
      const { registry } = yield* startEmpty()
      const error = yield* Effect.flip(uploading(registry, fakeCloud().provider))
      assert.strictEqual(error.reason, "NotFound")
      assert.strictEqual(registry.count(/^POST/), 1)
    }))
})
