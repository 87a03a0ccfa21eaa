// A source and a backup, both fakes, with a cloner between them; and the images that the tests copy.
import { assert } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { type CloneError, Cloner, type Copied } from "../../src/clone/Cloner.ts"
import type { ImageReference } from "../../src/image/ImageReference.ts"
import { type FakeRegistry, startFakeRegistry } from "./FakeRegistry.ts"
import { clonerLayer, type TestOptions } from "./Registries.ts"
import { imageOf, indexOf, layerOf, type TestImage } from "./TestImages.ts"

export interface SourceAndBackup {
  readonly source: FakeRegistry
  readonly backup: FakeRegistry
  /** Where images of `app` go. */
  readonly into: string
  readonly clone: (reference?: Partial<ImageReference>) => Effect.Effect<Copied, CloneError>
  readonly cloner: Cloner["Service"]
}

/** Runs a test between a fresh source and a fresh backup. */
export const betweenRegistries = <A, E>(
  use: (it: SourceAndBackup) => Effect.Effect<A, E, Scope.Scope>,
  options: Partial<TestOptions> & {
    readonly permits?: number
    readonly others?: ReadonlyArray<{ readonly host: string }>
  } = {}
): Effect.Effect<A, E, Scope.Scope> =>
  Effect.gen(function*() {
    const source = yield* startFakeRegistry()
    const backup = yield* startFakeRegistry()
    return yield* Effect.flatMap(Cloner, (cloner) =>
      use({
        source,
        backup,
        into: `mirror/${source.host.replace(":", "_")}/app`,
        cloner,
        clone: (reference = { tag: "1" }) => cloner.clone({ registry: source.host, repository: "app", ...reference })
      })).pipe(
        Effect.provide(clonerLayer({
          backup: backup.host,
          plainHttp: [source.host, backup.host, ...options.others?.map((it) => it.host) ?? []],
          ...options
        }))
      )
  })

/** One platform, two layers. */
export const image = imageOf([layerOf("a"), layerOf("b")])
/** Two platforms that share a layer. */
export const index = indexOf([image, imageOf([layerOf("b"), layerOf("c")], { architecture: "arm64" })])
/** The tag that keeps a digest. */
export const protection = (digest: string) => `at-sha256-${digest.slice(7)}`

/** Everything of an image is in a repository, byte for byte. */
export const assertWhole = (registry: FakeRegistry, repository: string, expected: TestImage) => {
  for (const it of expected.manifests) {
    assert.isTrue(registry.manifest(repository, it.digest)?.equals(it.bytes), `manifest ${it.digest}`)
  }
  for (const it of expected.blobs) assert.isTrue(registry.blob(repository, it.digest)?.equals(it.bytes), it.digest)
}

/** Tags, digests and blobs in the order in which they were pushed. */
export const pushes = (registry: FakeRegistry) =>
  registry.seen.filter((it) => it.method === "PUT").map((it) =>
    it.path.includes("/manifests/") ? it.path.split("/").at(-1) : "blob"
  )
