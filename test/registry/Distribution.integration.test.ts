// Copying between real Distribution registries, 2.8 and 3, with and without log-in and TLS; digests judged by skopeo.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer } from "effect"
import { spawnSync } from "node:child_process"
import { Cloner } from "../../src/clone/Cloner.ts"
import { digestOf } from "../../src/image/Digest.ts"
import { basic } from "../../src/registry/auth/DockerConfig.ts"
import { makeCertificates } from "../kube/Certificates.ts"
import { pushImage } from "../support/PushImage.ts"
import {
  distribution2,
  distribution3,
  type Program,
  type RealRegistry,
  type RealRegistryOptions,
  startRegistry,
  storedBlob
} from "../support/RealRegistry.ts"
import { clonerLayer, type TestOptions } from "../support/Registries.ts"
import { imageOf, indexOf, layerOf } from "../support/TestImages.ts"

// bcrypt of "password", cost 5: Distribution takes no other form
const htpasswd = "owner:$2b$05$LDvLtq2cwsKaiG1UZ6HeSu.s1lOSX/MGr8Iaie0VVQbdF8gkST59G\n"
const authorization = `Basic ${Buffer.from("owner:password").toString("base64")}`

const skopeo = spawnSync("skopeo", ["--version"]).status === 0

/** The digest of what skopeo gets for a reference. */
const judged = (registry: RealRegistry, name: string, options: ReadonlyArray<string>) => {
  const result = spawnSync("skopeo", ["inspect", "--raw", ...options, `docker://${registry.host}/${name}`])
  return result.status === 0 ? digestOf(result.stdout) : assert.fail(result.stderr.toString())
}

const shared = layerOf("shared", 2_000_000)
const amd64 = imageOf([shared, layerOf("amd64", 1_000_000)])
const images = {
  oci: amd64,
  docker: imageOf([shared, layerOf("docker", 500_000)], { flavour: "docker" }),
  index: indexOf([amd64, imageOf([shared, layerOf("arm64", 1_000_000)], { architecture: "arm64" })]),
  list: indexOf([
    imageOf([layerOf("one")], { flavour: "docker" }),
    imageOf([layerOf("two")], { flavour: "docker", architecture: "arm64" })
  ], "docker")
}

interface Setting {
  readonly name: string
  readonly options: RealRegistryOptions
  readonly certificate?: string
}

/** Copies the images between two registries and looks at what arrived. */
const scenario = (from: Program, to: Program, setting: Setting) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const source = yield* startRegistry(from)
    const backup = yield* startRegistry(to, setting.options)
    const locked = setting.options.htpasswd !== undefined
    const secure = setting.options.tls !== undefined
    const certificates = yield* fs.makeTempDirectoryScoped()
    if (setting.certificate !== undefined) {
      yield* fs.makeDirectory(`${certificates}/certs.d/${backup.host}`, { recursive: true })
      yield* fs.writeFileString(`${certificates}/certs.d/${backup.host}/ca.crt`, setting.certificate)
    }
    for (const [name, image] of Object.entries(images)) {
      yield* pushImage({ origin: source.origin, repository: `team/${name}`, tag: "1" }, image)
    }
    const options: TestOptions = {
      backup: backup.host,
      plainHttp: secure ? [source.host] : [source.host, backup.host],
      certificates,
      ...(locked
        ? { credentials: (registry) => registry === backup.host ? basic("owner", "password") : undefined }
        : {})
    }
    const into = (name: string) => `mirror/${source.host.replace(":", "_")}/team/${name}`

    yield* Effect.gen(function*() {
      const cloner = yield* Cloner
      const all = Effect.forEach(
        Object.keys(images),
        (name) => cloner.clone({ registry: source.host, repository: `team/${name}`, tag: "1" }),
        { concurrency: "unbounded" }
      )
      const first = yield* all
      assert.isTrue(first.every((it) => !it.upToDate))
      // amd64's layers are in two images, and the shared one in three of their manifests
      const uploads = first.reduce((sum, it) => sum + it.blobs.uploaded, 0)
      const distinct = new Set(Object.values(images).flatMap((it) => it.blobs.map((blob) => blob.digest)))
      assert.strictEqual(uploads, distinct.size)
      assert.isAbove(first.reduce((sum, it) => sum + it.blobs.mounted, 0), 0)

      const puts = Effect.map(backup.log, (lines) => lines.filter((it) => /"(PUT|POST|PATCH) /.test(it)).length)
      const before = yield* puts
      assert.isAbove(before, 0)
      const second = yield* all
      assert.isTrue(second.every((it) => it.upToDate))
      assert.deepStrictEqual(second.map((it) => it.blobs.uploaded + it.blobs.mounted + it.manifests), [0, 0, 0, 0])
      assert.strictEqual(yield* puts, before)
    }).pipe(Effect.provide(clonerLayer(options)))

    // a new process knows nothing, and finds everything there
    yield* Effect.gen(function*() {
      const cloner = yield* Cloner
      for (const name of Object.keys(images)) {
        const copied = yield* cloner.clone({ registry: source.host, repository: `team/${name}`, tag: "1" })
        assert.isTrue(copied.upToDate, name)
      }
    }).pipe(Effect.provide(clonerLayer(options)))

    for (const [name, image] of Object.entries(images)) {
      for (const it of [...image.blobs, ...image.manifests]) {
        assert.isTrue((yield* storedBlob(backup, it.digest)).equals(it.bytes), `${name} ${it.digest}`)
      }
      if (!skopeo) continue
      const flags = [
        ...(secure ? ["--cert-dir", `${certificates}/certs.d/${backup.host}`] : ["--tls-verify=false"]),
        ...(locked ? ["--creds", "owner:password"] : [])
      ]
      const protection = `at-sha256-${image.root.digest.slice(7)}`
      for (const reference of [":1", `@${image.root.digest}`, `:${protection}`]) {
        assert.strictEqual(judged(backup, `${into(name)}${reference}`, flags), image.root.digest)
      }
    }
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

const settings = Effect.promise(makeCertificates).pipe(
  Effect.map(({ ca, server }): ReadonlyArray<Setting> => {
    const tls = { certificate: server.cert, key: server.key }
    return [
      { name: "open over plain HTTP", options: {} },
      { name: "locked over plain HTTP", options: { htpasswd } },
      { name: "open over TLS", options: { tls }, certificate: ca },
      { name: "locked over TLS", options: { htpasswd, tls }, certificate: ca }
    ]
  })
)
const settingNames = ["open over plain HTTP", "locked over plain HTTP", "open over TLS", "locked over TLS"]

describe.each([distribution2, distribution3])("to $name", (to) => {
  const from = distribution2.path === undefined ? distribution3 : distribution2

  it.live.each(settingNames)("every kind of image arrives once, %s", (name, context) =>
    Effect.gen(function*() {
      if (to.path === undefined || from.path === undefined) return context.skip(`${to.name} is not installed`)
      const setting = (yield* settings).find((it) => it.name === name)
      if (setting === undefined) return assert.fail(name)
      yield* scenario(from, to, setting)
    }))

  it.live("an image that is private, missing or unreachable is told apart", (context) =>
    Effect.gen(function*() {
      if (to.path === undefined) return context.skip(`${to.name} is not installed`)
      const locked = yield* startRegistry(to, { htpasswd })
      const open = yield* startRegistry(to)
      const gone = yield* Effect.scoped(Effect.map(startRegistry(to), (it) => it.host))
      yield* pushImage({ origin: locked.origin, repository: "team/secret", tag: "1", authorization }, images.oci)
      const reasons = yield* Effect.flatMap(Cloner, (cloner) =>
        Effect.forEach([locked.host, open.host, gone], (registry) =>
          Effect.flip(cloner.clone({ registry, repository: "team/secret", tag: "1" })))).pipe(
          Effect.provide(
            clonerLayer({
              backup: open.host,
              plainHttp: [locked.host, open.host, gone],
              // a log-in that could read it, and must not be used
              credentials: () =>
                basic("owner", "password")
            }).pipe(Layer.fresh)
          )
        )
      assert.deepStrictEqual(reasons.map((it) => [it.reason, it.side]), [
        ["private", "source"],
        ["not-found", "source"],
        ["unavailable", "source"]
      ])
    }))

  it.live("a backup that takes no log-in of ours says so", (context) =>
    Effect.gen(function*() {
      if (to.path === undefined) return context.skip(`${to.name} is not installed`)
      const source = yield* startRegistry(to)
      const backup = yield* startRegistry(to, { htpasswd })
      yield* pushImage({ origin: source.origin, repository: "team/app", tag: "1" }, images.oci)
      const error = yield* Effect.flatMap(Cloner, (cloner) =>
        Effect.flip(cloner.clone({ registry: source.host, repository: "team/app", tag: "1" }))).pipe(
          Effect.provide(clonerLayer({
            backup: backup.host,
            plainHttp: [source.host, backup.host],
            credentials: () =>
              basic("owner", "wrong")
          }))
        )
      assert.deepStrictEqual([error.reason, error.side], ["denied", "backup"])
    }))
})

describe("skopeo", () => {
  it.live("sees the very digest of the source behind the backup's tag", (context) =>
    Effect.gen(function*() {
      if (!skopeo) return context.skip("skopeo is not installed")
      if (distribution2.path === undefined) return context.skip(`${distribution2.name} is not installed`)
      const source = yield* startRegistry(distribution2)
      const backup = yield* startRegistry(distribution2)
      yield* pushImage({ origin: source.origin, repository: "team/app", tag: "1" }, images.index)
      const copied = yield* Effect.flatMap(Cloner, (cloner) =>
        cloner.clone({ registry: source.host, repository: "team/app", tag: "1" })).pipe(
          Effect.provide(clonerLayer({ backup: backup.host, plainHttp: [source.host, backup.host] }))
        )
      const flags = ["--tls-verify=false"]
      assert.strictEqual(judged(source, "team/app:1", flags), copied.digest)
      assert.strictEqual(judged(backup, `${copied.backup.repository}:1`, flags), copied.digest)
    }))
})
