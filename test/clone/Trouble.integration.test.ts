// Real Distribution registries, 2.8 and 3, behind a proxy that makes trouble: what is copied all the same.
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { type CloneError, Cloner, type Copied } from "../../src/clone/Cloner.ts"
import { digestOf } from "../../src/image/Digest.ts"
import { startFakeRegistry } from "../support/FakeRegistry.ts"
import { type Meddler, type Proxy, startProxy } from "../support/Proxy.ts"
import { pushImage } from "../support/PushImage.ts"
import {
  distribution2,
  distribution3,
  type Program,
  type RealRegistry,
  startRegistry,
  storedBlob
} from "../support/RealRegistry.ts"
import { clonerLayer } from "../support/Registries.ts"
import { imageOf, layerOf, type TestImage } from "../support/TestImages.ts"

const layer = layerOf("long", 6_000_000)
const image = imageOf([layer])
const through: Meddler = (_, __, forward) => forward()

/** Copies `image` between two registries of a kind, each behind its proxy. */
const copy = (
  program: Program,
  meddlers: { readonly source?: Meddler; readonly backup?: Meddler },
  what: TestImage = image
): Effect.Effect<
  { readonly copied: Copied; readonly source: Proxy; readonly backup: Proxy; readonly stored: RealRegistry },
  CloneError,
  Scope.Scope
> =>
  Effect.gen(function*() {
    const from = yield* startRegistry(program)
    const into = yield* startRegistry(program)
    const source = yield* startProxy(from.host, meddlers.source ?? through)
    const backup = yield* startProxy(into.host, meddlers.backup ?? through)
    yield* pushImage({ origin: from.origin, repository: "app", tag: "1" }, what)
    const copied = yield* Effect.flatMap(
      Cloner,
      (cloner) => cloner.clone({ registry: source.host, repository: "app", tag: "1" })
    ).pipe(Effect.provide(clonerLayer({ backup: backup.host, plainHttp: [source.host, backup.host] })))
    return { copied, source, backup, stored: into }
  })

for (const program of [distribution2, distribution3]) {
  describe.skipIf(program.path === undefined)(`with ${program.name}`, () => {
    it.live("a source whose download breaks off is asked for the rest", () =>
      Effect.gen(function*() {
        let broken = false
        const { copied, source, stored } = yield* copy(program, {
          source: (request, response, forward) => {
            if (broken || request.method !== "GET" || !request.url?.endsWith(layer.digest)) return forward()
            broken = true
            return forward((answer) => {
              response.writeHead(answer.statusCode ?? 0, answer.headers)
              let sent = 0
              answer.on("data", (chunk: Buffer) => {
                if (sent > 2_000_000) return
                response.write(chunk)
                sent += chunk.length
                if (sent > 2_000_000) setTimeout(() => response.destroy(), 20)
              })
            })
          }
        })
        assert.strictEqual(copied.blobs.uploaded, 2)
        const gets = source.seen.filter((it) => it.startsWith("GET") && it.includes(layer.digest))
        assert.strictEqual(gets.length, 2)
        assert.match(gets[1] ?? "", / bytes=\d+-$/)
        assert.isTrue((yield* storedBlob(stored, layer.digest)).equals(layer.bytes))
      }))

    it.live("a backup behind something that refuses large requests gets chunks", () =>
      Effect.gen(function*() {
        const { backup, copied, stored } = yield* copy(program, {
          backup: (request, response, forward) => {
            if (Number(request.headers["content-length"] ?? 0) <= 5_000_000) return forward()
            request.resume()
            request.on("end", () => response.writeHead(413).end("<html>Request Entity Too Large</html>"))
          }
        })
        assert.strictEqual(copied.blobs.uploaded, 2)
        assert.strictEqual(backup.seen.filter((it) => it.startsWith("PATCH")).length, 2)
        assert.isTrue((yield* storedBlob(stored, layer.digest)).equals(layer.bytes))
      }))

    it.live("takes blobs of no bytes", () =>
      Effect.gen(function*() {
        const nothing = { digest: digestOf(Buffer.alloc(0)), bytes: Buffer.alloc(0) }
        const { copied, stored } = yield* copy(program, {}, imageOf([nothing, layerOf("a")]))
        assert.strictEqual(copied.blobs.uploaded, 3)
        assert.strictEqual((yield* storedBlob(stored, nothing.digest)).length, 0)
      }))

    it.live("a backup that refuses layers with URLs is told apart from one that has lost blobs", () =>
      Effect.gen(function*() {
        const from = yield* startFakeRegistry()
        const into = yield* startRegistry(program)
        const elsewhere = imageOf([layer], {
          more: {
            layers: [{
              mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
              digest: layer.digest,
              size: layer.bytes.length,
              urls: ["https://vendor.example/layer"]
            }]
          }
        })
        from.add("app", elsewhere, "1")
        const error = yield* Effect.flip(Effect.flatMap(
          Cloner,
          (cloner) => cloner.clone({ registry: from.host, repository: "app", tag: "1" })
        )).pipe(Effect.provide(clonerLayer({ backup: into.host, plainHttp: [from.host, into.host] })))
        assert.deepStrictEqual([error.reason, error.side, error.retryable], ["denied", "backup", false])
        assert.include(error.message, "validation.manifests.urls.allow")
      }))

    it.live("a backup whose answer to an upload is lost is looked at", () =>
      Effect.gen(function*() {
        const { backup, copied, source, stored } = yield* copy(program, {
          backup: (request, response, forward) => {
            if (request.method !== "PUT" || !request.url?.includes("/uploads/")) return forward()
            forward((answer) => {
              answer.resume()
              response.destroy()
            })
          }
        })
        assert.strictEqual(copied.blobs.uploaded, 2)
        assert.strictEqual(backup.seen.filter((it) => it.startsWith("PUT") && it.includes("/uploads/")).length, 2)
        assert.strictEqual(source.seen.filter((it) => it.startsWith("GET") && it.includes("/blobs/")).length, 2)
        assert.isTrue((yield* storedBlob(stored, layer.digest)).equals(layer.bytes))
      }))
  })
}
