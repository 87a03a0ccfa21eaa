// Verifying and repairing copies in real Distribution registries whose files were damaged on disk; judged by crane and skopeo.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, type Scope } from "effect"
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import { Cloner } from "../../../src/clone/Cloner.ts"
import { makeVerifier, type Verified } from "../../../src/clone/verify/Verify.ts"
import { copyNamed } from "../../../src/controller/Wanted.ts"
import { protectionTag } from "../../../src/image/BackupName.ts"
import { type Digest, digestOf } from "../../../src/image/Digest.ts"
import * as SampleImage from "../../../sandbox/registry/SampleImage.ts"
import { pushImage } from "../../support/PushImage.ts"
import {
  distribution2,
  distribution3,
  type Program,
  type RealRegistry,
  startRegistry
} from "../../support/RealRegistry.ts"
import { clonerLayer } from "../../support/Registries.ts"
import type { TestImage } from "../../support/TestImages.ts"

const skopeo = spawnSync("skopeo", ["--version"]).status === 0
const crane = join(process.env["GOPATH"] ?? join(homedir(), "go"), "bin/crane")

const blobOf = (bytes: Uint8Array) => ({ digest: digestOf(bytes), bytes: Buffer.from(bytes) })

/** Two platforms whose layers are real tars: crane reads them. */
const index = ((): TestImage => {
  const made = SampleImage.twoPlatforms("verified", { shared: [SampleImage.layer("shared", 300_000)] })
  const manifestOf = (it: SampleImage.Image["manifest"]) => ({ mediaType: it.mediaType, ...blobOf(it.bytes) })
  return {
    root: manifestOf(made.manifest),
    manifests: [...made.children, made.manifest].map(manifestOf),
    blobs: made.blobs.map(blobOf),
    configs: []
  }
})()
const child: Digest = index.manifests[0]?.digest ?? assert.fail("no child")
const layer: Digest = index.blobs[1]?.digest ?? assert.fail("no layer")

interface Stage {
  readonly source: RealRegistry
  readonly backup: RealRegistry
  readonly into: string
  /** A path in the backup's storage. */
  readonly stored: (path: string) => string
  readonly verify: (options?: { readonly deep?: boolean; readonly repair?: boolean }) => Effect.Effect<Verified>
}

const dataOf = (digest: Digest) => `blobs/sha256/${digest.slice(7, 9)}/${digest.slice(7)}/data`

/** A copy of the index in a registry, made by us. */
const staged = (program: Program) =>
  Effect.gen(function*() {
    const source = yield* startRegistry(program)
    const backup = yield* startRegistry(program)
    yield* pushImage({ origin: source.origin, repository: "team/app", tag: "1" }, index)
    const options = { backup: backup.host, plainHttp: [source.host, backup.host] }
    const reference = { registry: source.host, repository: "team/app", tag: "1" }
    yield* Effect.flatMap(Cloner, (it) => it.clone(reference)).pipe(Effect.provide(clonerLayer(options)), Effect.orDie)
    const target = copyNamed({ registry: backup.host, prefix: "mirror", layout: "nested" }, reference)
    const stage: Stage = {
      source,
      backup,
      into: target.backup.repository,
      stored: (path) => join(backup.directory, "data/docker/registry/v2", path),
      // each time as a process of its own
      verify: (given = {}) =>
        Effect.gen(function*() {
          const verifier = yield* makeVerifier({ deep: given.deep ?? false, repair: given.repair ?? false })
          return yield* verifier.verify(target)
        }).pipe(Effect.provide(clonerLayer(options)))
    }
    return stage
  })

const problems = (it: Verified) => it.problems.map(({ fault, name, part }) => `${part} ${name} ${fault}`)

/** Others must find the copy whole too. */
const judged = ({ backup, into }: Stage) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const name = `${backup.host}/${into}:1`
    if (existsSync(crane)) {
      const validated = spawnSync(crane, ["validate", "--insecure", "--remote", name])
      assert.strictEqual(validated.status, 0, `${validated.stdout}${validated.stderr}`)
    }
    if (skopeo) {
      const folder = yield* fs.makeTempDirectoryScoped()
      const copied = spawnSync("skopeo", [
        "copy",
        "--all",
        "--preserve-digests",
        "--src-tls-verify=false",
        `docker://${name}`,
        `oci:${folder}:1`
      ])
      assert.strictEqual(copied.status, 0, copied.stderr.toString())
    }
  })

interface Damage {
  readonly name: string
  /** The file below the storage's root that is damaged. */
  readonly file: (stage: Stage) => string
  readonly how: "remove" | "truncate" | "flip"
  readonly found: ReadonlyArray<string>
  /** What only reading every byte shows. */
  readonly deep?: boolean
}

const repositories = ({ into }: Stage) => `repositories/${into}`

const damages: ReadonlyArray<Damage> = [
  { name: "a layer's file is gone", file: () => dataOf(layer), how: "remove", found: [`layer ${layer} missing`] },
  {
    name: "a layer's link is gone",
    file: (it) => `${repositories(it)}/_layers/sha256/${layer.slice(7)}/link`,
    how: "remove",
    found: [`layer ${layer} missing`]
  },
  { name: "a layer is cut short", file: () => dataOf(layer), how: "truncate", found: [`layer ${layer} size`] },
  {
    name: "a bit of a layer is flipped",
    file: () => dataOf(layer),
    how: "flip",
    found: [`layer ${layer} corrupt`],
    deep: true
  },
  {
    name: "a manifest's link is gone",
    file: (it) => `${repositories(it)}/_manifests/revisions/sha256/${child.slice(7)}/link`,
    how: "remove",
    found: [`manifest ${child} missing`]
  },
  { name: "a manifest's file is gone", file: () => dataOf(child), how: "remove", found: [`manifest ${child} missing`] },
  {
    name: "a manifest is cut short",
    file: () => dataOf(child),
    how: "truncate",
    found: [`manifest ${child} unreadable`]
  },
  {
    name: "a bit of a manifest is flipped",
    file: () => dataOf(child),
    how: "flip",
    found: [`manifest ${child} corrupt`]
  },
  {
    name: "the index is cut short",
    file: () => dataOf(index.root.digest),
    how: "truncate",
    found: ["1", index.root.digest, protectionTag(index.root.digest)].map((it) =>
      `${it === index.root.digest ? "manifest" : "tag"} ${it} unreadable`
    )
  },
  {
    name: "a bit of the index is flipped",
    file: () => dataOf(index.root.digest),
    how: "flip",
    found: [`manifest ${index.root.digest} corrupt`]
  },
  {
    name: "the tag is gone",
    file: (it) => `${repositories(it)}/_manifests/tags/1`,
    how: "remove",
    found: ["tag 1 missing"]
  },
  {
    name: "the tag that protects the digest is gone",
    file: (it) => `${repositories(it)}/_manifests/tags/${protectionTag(index.root.digest)}`,
    how: "remove",
    found: [`tag ${protectionTag(index.root.digest)} missing`]
  }
]

const spoil = (path: string, how: Damage["how"]) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    if (how === "remove") return yield* fs.remove(path, { recursive: true })
    const bytes = yield* fs.readFile(path)
    if (how === "truncate") return yield* fs.writeFile(path, bytes.subarray(0, bytes.length - 100))
    const at = Math.floor(bytes.length / 2)
    bytes[at] = (bytes[at] ?? 0) ^ 1
    yield* fs.writeFile(path, bytes)
  })

const scenario = (program: Program, damage: Damage): Effect.Effect<void, never, Scope.Scope | FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const stage = yield* staged(program)
    const deep = damage.deep === true
    assert.strictEqual((yield* stage.verify({ deep: true })).status, "whole")
    yield* judged(stage)

    const path = stage.stored(damage.file(stage))
    yield* spoil(path, damage.how)
    if (deep) assert.strictEqual((yield* stage.verify()).status, "whole")
    const found = yield* stage.verify({ deep })
    assert.deepStrictEqual([found.status, problems(found)], ["damaged", damage.found])

    const repaired = yield* stage.verify({ deep, repair: true })
    if (damage.how !== "remove") {
      // Distribution stores nothing where it has a file of that digest, whatever is in it
      assert.deepStrictEqual([repaired.status, problems(repaired)], ["damaged", damage.found])
      const said = repaired.problems.map((it) => it.detail).join("\n")
      assert.include(said, "it was sent again and is as before")
      assert.isTrue(path.endsWith(/Remove (\S+) from its storage/.exec(said)?.[1] ?? "?"))
      yield* fs.remove(path)
      assert.strictEqual((yield* stage.verify({ deep, repair: true })).status, "whole")
    } else {
      assert.deepStrictEqual([repaired.status, repaired.repair?.failure], ["whole", undefined])
    }
    const again = yield* stage.verify({ deep: true })
    assert.deepStrictEqual([again.status, again.digest], ["whole", index.root.digest])
    yield* judged(stage)
  }).pipe(Effect.orDie)

for (const program of [distribution2, distribution3]) {
  describe.skipIf(program.path === undefined)(`a copy in ${program.name}`, () => {
    it.layer(NodeServices.layer, { excludeTestServices: true })((layered) => {
      layered.effect.each(damages.map((it) => [it.name, it] as const))(
        "of which %s is found out and repaired, as far as the registry lets it be",
        ([, damage]) => Effect.scoped(scenario(program, damage)),
        30_000
      )
    })
  })
}
