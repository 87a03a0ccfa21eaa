// Docker's schema 1 between real parts: images that skopeo has put into Distribution 2.8 in that format are cloned into
// Distribution 3, where skopeo takes them; their configs are compared with what skopeo's own conversion makes of them.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { Cloner } from "../../../src/clone/Cloner.ts"
import { type Digest, digestOf, hexOf } from "../../../src/image/Digest.ts"
import { dockerManifest } from "../../../src/image/ManifestDocument.ts"
import {
  distribution2,
  distribution3,
  type RealRegistry,
  startRegistry,
  storedBlob
} from "../../support/RealRegistry.ts"
import { clonerLayer } from "../../support/Registries.ts"
import { tarLayer } from "../../support/Schema1Images.ts"

const hasSkopeo = spawnSync("skopeo", ["--version"]).status === 0
const ready = hasSkopeo && distribution2.path !== undefined && distribution3.path !== undefined

const skopeo = (...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = spawnSync("skopeo", args, { encoding: "utf8" })
  return status === 0 ? stdout : assert.fail(`skopeo ${args.join(" ")}: ${stderr}`)
}

const layers = [tarLayer("etc/base", "x".repeat(100_000)), tarLayer("usr/two"), tarLayer("usr/three")]

/** A schema 2 image as skopeo's `dir:` has it. */
const writeImage = Effect.fnUntraced(function*(folder: string, docker: string | undefined) {
  const fs = yield* FileSystem.FileSystem
  yield* fs.makeDirectory(folder, { recursive: true })
  const config = Buffer.from(JSON.stringify({
    architecture: "arm64",
    os: "linux",
    created: "2016-03-01T10:20:30.120Z",
    author: "Ann <ann@example>",
    ...(docker === undefined ? {} : { docker_version: docker }),
    container_config: { Cmd: ["/bin/sh", "-c", "#(nop) CMD [\"sh\"]"], Labels: null },
    config: {
      Env: ["PATH=/bin", "A=<b>&c\u2028"],
      Cmd: ["sh", "-c", "echo \b\f\t\"x\""],
      Labels: { "10": "ten", "2": "two", b: "é", a: "" },
      ExposedPorts: { "80/tcp": {}, "53/udp": {} },
      Volumes: { "/data": {} }
    },
    rootfs: {
      type: "layers",
      diff_ids: layers.map((it) => `sha256:${createHash("sha256").update(gunzipSync(it.bytes)).digest("hex")}`)
    },
    history: [
      { created: "2016-03-01T00:00:00Z", created_by: "ADD file & more" },
      { created: "2016-03-01T00:00:01.5Z", created_by: "ENV A=<b>", empty_layer: true },
      { created: "2016-03-01T00:00:02Z", created_by: "RUN two", comment: "a comment" },
      { created: "2016-03-01T00:00:03Z", created_by: "RUN three", author: "Bob" }
    ]
  }))
  const described = (mediaType: string, bytes: Buffer) => ({ mediaType, size: bytes.length, digest: digestOf(bytes) })
  const manifest = {
    schemaVersion: 2,
    mediaType: dockerManifest,
    config: described("application/vnd.docker.container.image.v1+json", config),
    layers: layers.map((it) => described("application/vnd.docker.image.rootfs.diff.tar.gzip", it.bytes))
  }
  for (const bytes of [config, ...layers.map((it) => it.bytes)]) {
    yield* fs.writeFile(join(folder, hexOf(digestOf(bytes))), bytes)
  }
  yield* fs.writeFileString(join(folder, "manifest.json"), JSON.stringify(manifest))
  yield* fs.writeFileString(join(folder, "version"), "Directory Transport Version: 1.1\n")
})

interface Described {
  readonly config: { readonly digest: Digest }
  readonly layers: ReadonlyArray<{ readonly digest: Digest }>
}

const copyOf = (source: RealRegistry, tag: string) => `mirror/${source.host.replace(":", "_")}/team/old:${tag}`

describe.runIf(ready)("schema 1 images that skopeo has made", () => {
  it.live("become images that skopeo takes, with the same digest in every backup", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* fs.makeTempDirectoryScoped()
      const source = yield* startRegistry(distribution2, { schema1: true })
      const policy = ["--insecure-policy", "copy", "--src-tls-verify=false", "--dest-tls-verify=false"]
      // without a version, old enough to be written anew, and newer
      const versions = { none: undefined, old: "1.6.0", new: "17.03.1-ce" }
      for (const [tag, version] of Object.entries(versions)) {
        yield* writeImage(`${folder}/${tag}`, version)
        skopeo(...policy, "--format", "v2s1", `dir:${folder}/${tag}`, `docker://${source.host}/team/old:${tag}`)
      }

      const digests: Array<ReadonlyArray<string>> = []
      for (const round of ["first", "second"]) {
        const backup = yield* startRegistry(distribution3)
        const all = Effect.flatMap(Cloner, (cloner) =>
          Effect.forEach(
            Object.keys(versions),
            (tag) => cloner.clone({ registry: source.host, repository: "team/old", tag })
          ))
        const layer = clonerLayer({ backup: backup.host, plainHttp: [source.host, backup.host] })
        const copied = yield* Effect.provide(all, layer)
        digests.push(copied.map((it) => it.digest))
        for (const [at, tag] of Object.keys(versions).entries()) {
          const one = copied[at]
          assert.isDefined(one)
          const raw = skopeo("inspect", "--raw", "--tls-verify=false", `docker://${backup.host}/${copyOf(source, tag)}`)
          assert.strictEqual(one.digest, digestOf(Buffer.from(raw)))
          const original = skopeo("inspect", "--tls-verify=false", `docker://${source.host}/team/old:${tag}`)
          assert.strictEqual(one.original, JSON.parse(original)["Digest"])
          skopeo(...policy, `docker://${backup.host}/${copyOf(source, tag)}`, `oci:${folder}/${round}-${tag}:${tag}`)

          // layers as they were, and the config that skopeo's own conversion makes
          const mine: Described = JSON.parse(raw)
          assert.deepStrictEqual(mine.layers.map((it) => it.digest), layers.map((it) => it.digest))
          if (versions[tag as keyof typeof versions] === undefined || round === "second") continue // keys of it
          const folderOfTheirs = `${folder}/theirs-${tag}`
          skopeo(...policy, "--format", "v2s2", `docker://${source.host}/team/old:${tag}`, `dir:${folderOfTheirs}`)
          const theirs: Described = JSON.parse(yield* fs.readFileString(`${folderOfTheirs}/manifest.json`))
          assert.strictEqual(
            (yield* storedBlob(backup, mine.config.digest)).toString(),
            yield* fs.readFileString(`${folderOfTheirs}/${hexOf(theirs.config.digest)}`)
          )
        }
        // another process, which knows nothing, asks the source for nothing but its tags
        const reads = Effect.map(source.log, (lines) =>
          lines.filter((it) => /"GET \/v2\/team.*image-cloner/.test(it)).length)
        const before = yield* reads
        assert.isAbove(before, 0)
        const again = yield* Effect.provide(
          all,
          clonerLayer({
            backup: backup.host,
            plainHttp: [source.host, backup.host]
          })
        )
        assert.isTrue(again.every((it) =>
          it.upToDate
        ))
        assert.deepStrictEqual(again.map((it) => it.original), copied.map((it) => it.original))
        assert.strictEqual(yield* reads, before)
      }
      assert.deepStrictEqual(digests[1], digests[0])
      assert.strictEqual(new Set(digests[0]).size, 3)
    }).pipe(Effect.provide(NodeServices.layer)))
})
