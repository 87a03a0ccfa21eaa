// What the client does with manifests and blobs that registries get wrong.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { Readable } from "node:stream"
import { gzipSync } from "node:zlib"
import { digestOf } from "../../src/image/Digest.ts"
import { acceptManifests } from "../../src/image/ManifestDocument.ts"
import { anonymous } from "../../src/registry/auth/Identities.ts"
import { RegistryClient } from "../../src/registry/RegistryClient.ts"
import { type FakeRegistry, refuse, startFakeRegistry } from "../support/FakeRegistry.ts"
import { clientLayer } from "../support/Registries.ts"
import { imageOf, layerOf } from "../support/TestImages.ts"

const layer = layerOf("a")
const image = imageOf([layer])

/** One registry that is source (`app`) and backup (`mirror/app`). */
const withRegistry = <A, E>(
  use: (client: RegistryClient["Service"], registry: FakeRegistry) => Effect.Effect<A, E>
) =>
  Effect.gen(function*() {
    const registry = yield* startFakeRegistry()
    registry.add("app", image, "1")
    return yield* Effect.flatMap(RegistryClient, (client) => use(client, registry)).pipe(
      Effect.provide(clientLayer({ backup: registry.host, plainHttp: [registry.host] }))
    )
  })
const app = (registry: FakeRegistry) => ({ registry: registry.host, repository: "app" })
const mirror = (registry: FakeRegistry) => ({ registry: registry.host, repository: "mirror/app" })

describe("manifests", () => {
  it.live("are asked for with every type in one header, uncompressed", () =>
    withRegistry((client, registry) =>
      Effect.gen(function*() {
        const manifest = yield* client.getManifest(app(registry), "1")
        assert.deepStrictEqual([manifest.digest, manifest.mediaType], [image.root.digest, image.root.mediaType])
        assert.isTrue(Buffer.from(manifest.bytes).equals(image.root.bytes))
        assert.strictEqual(registry.seen[0]?.headers.accept, acceptManifests)
        assert.strictEqual(registry.seen[0]?.headers["accept-encoding"], "identity")
      })
    ))

  it.live("that are not there are none to a HEAD and an error to a GET", () =>
    withRegistry((client, registry) =>
      Effect.gen(function*() {
        assert.isTrue(Option.isNone(yield* client.headManifest(app(registry), "2")))
        assert.strictEqual((yield* Effect.flip(client.getManifest(app(registry), "2"))).reason, "NotFound")
      })
    ))

  it.live("whose bytes are not those of the digest are corrupt, whatever the header says", () =>
    withRegistry((client, registry) =>
      Effect.gen(function*() {
        registry.on(/GET/, (_, response) =>
          response.writeHead(200, { "docker-content-digest": image.root.digest }).end("{}"))
        const error = yield* Effect.flip(client.getManifest(app(registry), image.root.digest))
        assert.strictEqual(error.reason, "Corrupt")
        // by tag there is no digest to hold it to: our own counts
        assert.strictEqual((yield* client.getManifest(app(registry), "1")).digest, digestOf(Buffer.from("{}")))
      })
    ))

  it.live("that come compressed all the same are not taken", () =>
    withRegistry((client, registry) =>
      Effect.gen(function*() {
        registry.on(/GET/, (_, response) =>
          response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(image.root.bytes)))
        assert.strictEqual((yield* Effect.flip(client.getManifest(app(registry), "1"))).reason, "Corrupt")
      })
    ))

  it.live("are fetched where a HEAD tells no digest or is not allowed", () =>
    withRegistry((client, registry) =>
      Effect.gen(function*() {
        registry.on(/HEAD/, (_, response) => response.writeHead(200).end(), 1)
        registry.on(/HEAD/, (_, response) => response.writeHead(405).end(), 1)
        for (let index = 0; index < 2; index++) {
          const found = yield* client.headManifest(app(registry), "1")
          assert.strictEqual(Option.getOrUndefined(found)?.digest, image.root.digest)
        }
      })
    ))

  it.live("are pushed byte for byte, below the prefix only", () =>
    withRegistry((client, registry) =>
      Effect.gen(function*() {
        const manifest = { bytes: image.root.bytes, digest: image.root.digest, mediaType: image.root.mediaType }
        yield* client.putManifest(mirror(registry), "1", manifest)
        assert.isTrue(registry.manifest("mirror/app", "1")?.equals(image.root.bytes))
        registry.forget()
        const error = yield* Effect.flip(client.putManifest(app(registry), "2", manifest))
        assert.strictEqual(error.reason, "Refused")
        assert.strictEqual(registry.seen.length, 0)
      })
    ))

  it.live("that the registry stores under another digest are reported", () =>
    withRegistry((client, registry) =>
      Effect.gen(function*() {
        registry.on(/PUT/, (_, response) =>
          response.writeHead(201, { "docker-content-digest": digestOf(Buffer.from("other")) }).end())
        const error = yield* Effect.flip(client.putManifest(mirror(registry), "1", image.root))
        assert.strictEqual(error.reason, "Corrupt")
      })
    ))

  it.live("too large for any registry are not sent", () =>
    withRegistry((client, registry) =>
      Effect.gen(function*() {
        const bytes = Buffer.alloc(4 * 1024 * 1024 + 1)
        const error = yield* Effect.flip(
          client.putManifest(mirror(registry), "1", { bytes, digest: digestOf(bytes), mediaType: "x" })
        )
        assert.strictEqual(error.reason, "TooLarge")
        assert.strictEqual(registry.seen.length, 0)
      })
    ))
})

describe("blobs", () => {
  it.live("are pushed in one PUT to the Location as it was given", () =>
    withRegistry((client, registry) =>
      Effect.gen(function*() {
        const upload = yield* client.startUpload(mirror(registry))
        yield* client.putBlob(upload, layer.digest, layer.bytes.length, Readable.from([layer.bytes]))
        assert.isTrue(registry.blob("mirror/app", layer.digest)?.equals(layer.bytes))
        const put = registry.seen.find((it) => it.method === "PUT")
        assert.strictEqual(put?.query.get("_state"), "a+b=")
        assert.strictEqual(put?.headers["content-length"], String(layer.bytes.length))
        assert.isTrue(yield* client.hasBlob(mirror(registry), layer.digest))
      })
    ))

  it.live("without bytes are pushed too", () =>
    withRegistry((client, registry) =>
      Effect.gen(function*() {
        const upload = yield* client.startUpload(mirror(registry))
        yield* client.putBlob(upload, digestOf(Buffer.alloc(0)), 0, undefined)
        assert.strictEqual(registry.blob("mirror/app", digestOf(Buffer.alloc(0)))?.length, 0)
      })
    ))

  it.live.each([
    ["201", true],
    ["204 and it is there", true],
    ["202 and it is not", false]
  ])("whose PUT is answered with %s", ([name, good]) =>
    withRegistry((client, registry) =>
      Effect.gen(function*() {
        const status = Number.parseInt(String(name), 10)
        registry.on(/PUT/, (_, response) => {
          if (good) registry.add("mirror/app", image)
          response.writeHead(status).end()
        })
        const upload = yield* client.startUpload(mirror(registry))
        const outcome = yield* Effect.exit(
          client.putBlob(upload, layer.digest, layer.bytes.length, Readable.from([layer.bytes]))
        )
        assert.strictEqual(outcome._tag, good === true ? "Success" : "Failure")
      })
    ))

  it.live("keep TLS or its absence where a proxy garbles the Location's scheme", () =>
    withRegistry((client, registry) =>
      Effect.gen(function*() {
        registry.on(/POST/, (_, response) =>
          response.writeHead(202, { location: `https://${registry.host}/v2/mirror/app/blobs/uploads/x` }).end())
        const { location } = yield* client.startUpload(mirror(registry))
        assert.strictEqual(location.origin, registry.origin)
      })
    ))

  it.live.each(["/relative", "relative", "?_state=x"])(
    "take a Location like %s",
    (text) =>
      withRegistry((client, registry) =>
        Effect.gen(function*() {
          registry.on(/POST/, (_, response) => response.writeHead(202, { location: text }).end())
          const { location } = yield* client.startUpload(mirror(registry))
          assert.strictEqual(location.origin, registry.origin)
        })
      )
  )

  it.live("without a Location cannot be pushed", () =>
    withRegistry((client, registry) =>
      Effect.gen(function*() {
        registry.on(/POST/, (_, response) => response.writeHead(202).end())
        assert.strictEqual((yield* Effect.flip(client.startUpload(mirror(registry)))).reason, "Protocol")
      })
    ))

  it.live("are mounted, or leave an upload, or neither, but never fail for it", () =>
    withRegistry((client, registry) =>
      Effect.gen(function*() {
        registry.add("mirror/other", image)
        const other = { registry: registry.host, repository: "mirror/other" }
        assert.strictEqual(yield* client.mountBlob(mirror(registry), layer.digest, other), "mounted")
        registry.on(/POST/, (_, response) => response.writeHead(202, { location: "/upload" }).end(), 1)
        const session = yield* client.mountBlob(mirror(registry), layer.digest, other)
        assert.strictEqual(typeof session === "object" ? session.location.pathname : "", "/upload")
        for (const status of [400, 401, 404, 405, 500]) {
          registry.on(/POST/, (_, response) => refuse(response, status, "NO"), 1)
          assert.isUndefined(yield* client.mountBlob(mirror(registry), layer.digest, other), String(status))
        }
        registry.on(/POST/, (_, response) => response.destroy(), 1)
        assert.isUndefined(yield* client.mountBlob(mirror(registry), layer.digest, other))
      })
    ))

  it.live("cannot be written anywhere but below the prefix", () =>
    withRegistry((client, registry) =>
      Effect.gen(function*() {
        const errors = yield* Effect.all([
          Effect.flip(client.startUpload(app(registry))),
          Effect.flip(client.mountBlob(app(registry), layer.digest, mirror(registry))),
          Effect.flip(client.putBlob(
            { repository: app(registry), location: new URL(`${registry.origin}/x`), chunkMin: 0, by: anonymous },
            layer.digest,
            0,
            undefined
          ))
        ])
        assert.deepStrictEqual(errors.map((it) => it.reason), ["Refused", "Refused", "Refused"])
        assert.strictEqual(registry.seen.length, 0)
      })
    ))

  it.live("whose token ended between POST and PUT can be tried again", () =>
    withRegistry((client, registry) =>
      Effect.gen(function*() {
        registry.on(/PUT/, (_, response) => refuse(response, 401, "UNAUTHORIZED"))
        const upload = yield* client.startUpload(mirror(registry))
        const error = yield* Effect.flip(
          client.putBlob(upload, layer.digest, layer.bytes.length, Readable.from([layer.bytes]))
        )
        assert.strictEqual(error.reason, "Unauthorized")
        assert.isTrue(error.retryable)
        assert.strictEqual(registry.count(/PUT/), 1)
      })
    ))
})
