// Copying into real registries that let nobody in without a client certificate.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { Cloner } from "../../../src/clone/Cloner.ts"
import { makeCertificates } from "../../kube/Certificates.ts"
import { pushImage } from "../../support/PushImage.ts"
import { distribution2, distribution3, startRegistry, storedBlob } from "../../support/RealRegistry.ts"
import { clonerLayer } from "../../support/Registries.ts"
import { imageOf, layerOf } from "../../support/TestImages.ts"

const image = imageOf([layerOf("a", 1_000_000)])

describe.each([distribution2, distribution3])("a client certificate at $name", (program) => {
  it.live.skipIf(program.path === undefined)(
    "is what a copy needs; a missing or strange one is told from others",
    () =>
      Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        const files = yield* Effect.promise(makeCertificates)
        const stranger = yield* Effect.promise(makeCertificates)
        const source = yield* startRegistry(program)
        const backup = yield* startRegistry(program, {
          tls: { certificate: files.server.cert, key: files.server.key, clients: files.ca }
        })
        yield* pushImage({ origin: source.origin, repository: "team/app", tag: "1" }, image)
        const certificates = yield* fs.makeTempDirectoryScoped()
        const folder = `${certificates}/certs.d/${backup.host}`
        yield* fs.makeDirectory(folder, { recursive: true })
        yield* fs.writeFileString(`${folder}/ca.crt`, files.ca)
        const copy = Effect.gen(function*() {
          const cloner = yield* Cloner
          return yield* cloner.clone({ registry: source.host, repository: "team/app", tag: "1" })
        }).pipe(Effect.provide(clonerLayer({ backup: backup.host, plainHttp: [source.host], certificates })))

        const without = yield* Effect.flip(copy)
        assert.include(without.message, "wants a client certificate that it trusts")
        assert.isFalse(without.retryable)

        yield* fs.writeFileString(`${folder}/me.cert`, stranger.client.cert)
        yield* fs.writeFileString(`${folder}/me.key`, files.client.key)
        const broken = yield* Effect.flip(copy)
        assert.include(broken.message, "me.cert and its key belong to different pairs")

        yield* fs.writeFileString(`${folder}/me.key`, stranger.client.key)
        const strange = yield* Effect.flip(copy)
        assert.include(strange.message, "wants a client certificate that it trusts")

        yield* fs.writeFileString(`${folder}/me.cert`, files.client.cert)
        yield* fs.writeFileString(`${folder}/me.key`, files.client.key)
        const copied = yield* copy
        assert.strictEqual(copied.digest, image.root.digest)
        assert.deepStrictEqual(yield* storedBlob(backup, layerOf("a", 1_000_000).digest), layerOf("a", 1_000_000).bytes)
      }).pipe(Effect.provide(NodeServices.layer)),
    30_000
  )
})
