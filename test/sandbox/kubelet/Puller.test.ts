// The node's own puller: what it takes, and what it must not take.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as Pullers from "../../../sandbox/kubelet/Puller.ts"
import * as EmbeddedRegistry from "../../../sandbox/registry/EmbeddedRegistry.ts"
import * as SampleImage from "../../../sandbox/registry/SampleImage.ts"

const nobody = () => []
const start = (options: EmbeddedRegistry.EmbeddedRegistryOptions = {}) =>
  Effect.all({ registry: EmbeddedRegistry.make(options), puller: Pullers.make() })
const failure = (puller: Pullers.Puller, image: string, logins: ReadonlyArray<Pullers.Login> = []) =>
  Effect.flip(puller.pull(image, () => logins))

describe("references", () => {
  for (
    const [image, complete] of [
      ["nginx", "docker.io/library/nginx:latest"],
      ["nginx:1.27", "docker.io/library/nginx:1.27"],
      ["team/app:1", "docker.io/team/app:1"],
      ["localhost/app", "localhost/app:latest"],
      ["127.0.0.1:5000/a/b/c:v1", "127.0.0.1:5000/a/b/c:v1"],
      [`quay.io/app@sha256:${"a".repeat(64)}`, `quay.io/app@sha256:${"a".repeat(64)}`],
      [`quay.io/app:1@sha256:${"a".repeat(64)}`, `quay.io/app:1@sha256:${"a".repeat(64)}`],
      ["Upper/App", undefined],
      ["app:", undefined],
      ["app@sha256:12", undefined],
      ["", undefined]
    ] as const
  ) {
    it(`"${image}" is ${complete ?? "none"}`, () => assert.strictEqual(Pullers.parse(image)?.complete, complete))
  }
})

describe("a pull", () => {
  it.live("takes the node's platform out of an index, and every blob of it", () =>
    Effect.gen(function*() {
      const { puller, registry } = yield* start()
      const image = SampleImage.twoPlatforms("app")
      yield* registry.load("app", image, "1")
      const pulled = yield* puller.pull(`${registry.host}/app:1`, nobody)
      assert.strictEqual(pulled.digest, image.manifest.digest)
      assert.strictEqual(pulled.manifest, image.children[0]?.digest)
      assert.strictEqual(pulled.repository, `${registry.host}/app`)
      // Index, manifest, configuration, layer: nothing of the other platform.
      assert.strictEqual(registry.log.entries().length, 4)
      yield* puller.pull(`${registry.host}/app:1`, nobody)
      assert.strictEqual(registry.log.entries().length, 6)
      yield* puller.prune
      yield* puller.pull(`${registry.host}/app:1`, nobody)
      assert.strictEqual(registry.log.entries().length, 10)
    }))

  it.live("takes nested indexes, docker's forms, and a digest", () =>
    Effect.gen(function*() {
      const { puller, registry } = yield* start()
      const nested = SampleImage.index([SampleImage.twoPlatforms("nested")])
      const docker = SampleImage.index([SampleImage.image("docker", { docker: true })], { docker: true })
      yield* registry.load("nested", nested, "1")
      yield* registry.load("docker", docker, "1")
      yield* puller.pull(`${registry.host}/nested:1`, nobody)
      const byDigest = yield* puller.pull(`${registry.host}/docker@${docker.manifest.digest}`, nobody)
      assert.strictEqual(byDigest.digest, docker.manifest.digest)
    }))

  it.live("refuses an index without its platform", () =>
    Effect.gen(function*() {
      const { puller, registry } = yield* start()
      yield* registry.load("arm", SampleImage.index([SampleImage.image("arm", { platform: SampleImage.arm64 })]), "1")
      assert.match((yield* failure(puller, `${registry.host}/arm:1`)).message, /no match for platform/)
    }))

  for (
    const [what, fault] of [
      ["corrupt", { _tag: "Corrupt", at: 20 }],
      ["cut short", { _tag: "Cut", after: 20 }],
      ["refused", { _tag: "Refuse" }]
    ] as const
  ) {
    it.live(`refuses a blob that is ${what}, and takes it when it is whole`, () =>
      Effect.gen(function*() {
        const { puller, registry } = yield* start()
        yield* registry.load("app", SampleImage.image("app"), "1")
        const handle = registry.faults.add({ path: /\/blobs\//, fault })
        const image = `${registry.host}/app:1`
        assert.isFalse((yield* failure(puller, image)).denied)
        assert.isUndefined(puller.present(image))
        handle.remove()
        yield* puller.pull(image, nobody)
        assert.isDefined(puller.present(image))
      }))
  }

  it.live("refuses a manifest that is not of its digest", () =>
    Effect.gen(function*() {
      const { puller, registry } = yield* start()
      const image = SampleImage.image("app")
      yield* registry.load("app", image, "1")
      registry.faults.add({ path: /\/manifests\//, fault: { _tag: "Corrupt", at: 5 } })
      const error = yield* failure(puller, `${registry.host}/app@${image.manifest.digest}`)
      assert.match(error.message, /manifest has digest/)
    }))

  it.live("follows a redirect without its token", () =>
    Effect.gen(function*() {
      const users = [{ name: "node", password: Redacted.make("secret") }]
      const { puller, registry } = yield* start({ auth: { _tag: "Bearer", users, anonymousPull: false } })
      const elsewhere = yield* EmbeddedRegistry.make()
      const image = SampleImage.image("app")
      yield* registry.load("app", image, "1")
      yield* elsewhere.load("app", image, "1")
      for (const blob of image.blobs) {
        const digest = yield* elsewhere.loadBlob("app", blob)
        registry.faults.add({
          path: new RegExp(digest),
          when: (request) => request.headers.authorization !== undefined,
          fault: { _tag: "Respond", status: 307, headers: { location: `${elsewhere.url}/v2/app/blobs/${digest}` } }
        })
      }
      yield* puller.pull(`${registry.host}/app:1`, () => [{ username: "node", password: Redacted.make("secret") }])
      assert.deepStrictEqual([...new Set(elsewhere.log.entries().map((entry) => entry.credential))], ["none"])
    }))

  it.live("tries one login after the other, and says so when none is taken", () =>
    Effect.gen(function*() {
      const users = [{ name: "node", password: Redacted.make("secret") }]
      const { puller, registry } = yield* start({ auth: { _tag: "Basic", users, anonymousPull: false } })
      yield* registry.load("app", SampleImage.image("app"), "1")
      const image = `${registry.host}/app:1`
      const wrong = { username: "node", password: Redacted.make("wrong") }
      const right = { username: "node", password: Redacted.make("secret") }
      assert.isTrue((yield* failure(puller, image)).denied)
      assert.isTrue((yield* failure(puller, image, [wrong])).denied)
      yield* puller.pull(image, () => [wrong, right])
    }))
})
