// The bundled program behind a proxy: the variables of its environment, certs.d, and what it says when the proxy is dead.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { makeCertificatesFor } from "../kube/Certificates.ts"
import { startFakeRegistry } from "../support/FakeRegistry.ts"
import { startForwardProxy } from "../support/ForwardProxy.ts"
import { imageOf, layerOf } from "../support/TestImages.ts"
import { cli } from "./Cli.ts"

const image = imageOf([layerOf("a", 400_000)])

const world = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const files = yield* Effect.promise(() => makeCertificatesFor(["source.test", "backup.test"]))
  const registry = yield* startFakeRegistry({ certificate: files.server.cert, key: files.server.key })
  registry.add("team/app", image, "1")
  const [source, backup] = ["source.test", "backup.test"].map((it) => registry.host.replace("127.0.0.1", it))
  const certificates = yield* fs.makeTempDirectoryScoped()
  for (const host of [source, backup]) {
    yield* fs.makeDirectory(`${certificates}/certs.d/${host}`, { recursive: true })
    yield* fs.writeFileString(`${certificates}/certs.d/${host}/ca.crt`, files.ca)
  }
  return { registry, source, backup, env: { CERTS_DIR: certificates, BACKUP_REGISTRY: `${backup}/mirror` } }
})

describe("clone behind a proxy", () => {
  it.live("goes through it with its login", () =>
    Effect.gen(function*() {
      const { backup, env, registry, source } = yield* world
      const proxy = yield* startForwardProxy()
      const ended = yield* cli(["clone", `${source}/team/app:1`], {
        env: { ...env, HTTPS_PROXY: proxy.origin.replace("//", "//me:hidden@") }
      })
      assert.strictEqual(ended.code, 0, ended.stderr)
      assert.include(ended.stdout, `copied ${backup}/mirror`)
      assert.deepStrictEqual(new Set(proxy.seen), new Set([`CONNECT ${source}`, `CONNECT ${backup}`]))
      assert.deepStrictEqual(new Set(proxy.logins), new Set([`Basic ${Buffer.from("me:hidden").toString("base64")}`]))
      assert.isDefined(registry.manifest(`mirror/${source?.replace(":", "_")}/team/app`, "1"))
    }).pipe(Effect.provide(NodeServices.layer)), 30_000)

  it.live("names a proxy that is wrong before anything else, and tells no password", () =>
    Effect.gen(function*() {
      const ended = yield* cli(["clone", "a.test/b:1"], {
        env: {
          BACKUP_REGISTRY: "b.test/mirror",
          https_proxy: "socks5://me:hidden@127.0.0.1:1",
          NO_PROXY: "10.0.0.0/99"
        }
      })
      assert.strictEqual(ended.code, 1)
      assert.match(ended.stderr, /https_proxy: it must be http/)
      assert.match(ended.stderr, /NO_PROXY: "10\.0\.0\.0\/99" is no network/)
      assert.notInclude(ended.stdout + ended.stderr, "hidden")
    }).pipe(Effect.provide(NodeServices.layer)), 30_000)
})
