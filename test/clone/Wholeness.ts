// The judge of copies: looks into a backup's storage, past the cloner and past the registry's own checks, and says what a
// tag names that is not there. Synchronous, so that a verdict is of one moment.
import { assert } from "@effect/vitest"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { digestOf, isDigest } from "../../src/image/Digest.ts"
import type { FakeRegistry } from "../support/FakeRegistry.ts"
import type { RealRegistry } from "../support/RealRegistry.ts"
import { image, imageTags, listTag, signature, signatures } from "./SignedImage.ts"

/** What a registry has stored. */
export interface Storage {
  readonly repositories: () => ReadonlyArray<string>
  /** Name and digest of every tag. */
  readonly tags: (repository: string) => ReadonlyArray<readonly [string, string]>
  readonly manifest: (repository: string, digest: string) => Buffer | undefined
  readonly blob: (repository: string, digest: string) => Buffer | undefined
}

const namesIn = (directory: string): ReadonlyArray<string> => existsSync(directory) ? readdirSync(directory) : []

/** Files of a Distribution registry: a repository has what it links to. */
export const storageOf = (registry: RealRegistry): Storage => {
  const root = join(registry.directory, "data/docker/registry/v2")
  const pathOf = (digest: string) => digest.split(":").join("/")
  const linked = (repository: string, links: string, digest: string) => {
    if (!isDigest(digest) || !existsSync(join(root, "repositories", repository, links, pathOf(digest), "link"))) return
    const [algorithm = "", hex = ""] = digest.split(":")
    const data = join(root, "blobs", algorithm, hex.slice(0, 2), hex, "data")
    return existsSync(data) ? readFileSync(data) : undefined
  }
  const below = (name: string): ReadonlyArray<string> =>
    namesIn(join(root, "repositories", name)).flatMap((it) =>
      it === "_manifests" ? [name] : it.startsWith("_") ? [] : below(join(name, it))
    )
  return {
    repositories: () => below(""),
    tags: (repository) => {
      const tags = join(root, "repositories", repository, "_manifests/tags")
      return namesIn(tags).flatMap((tag) => {
        const current = join(tags, tag, "current/link")
        return existsSync(current) ? [[tag, readFileSync(current, "utf8")] as const] : []
      })
    },
    manifest: (repository, digest) => linked(repository, "_manifests/revisions", digest),
    blob: (repository, digest) => linked(repository, "_layers", digest)
  }
}

/** The memory of a registry that takes whatever it is given. It cannot list its tags, so it is asked for these. */
export const memoryOf = (registry: FakeRegistry, repository: string, tags: ReadonlyArray<string>): Storage => ({
  repositories: () => [repository],
  tags: () =>
    tags.flatMap((tag) => {
      const bytes = registry.manifest(repository, tag)
      return bytes === undefined ? [] : [[tag, digestOf(bytes)] as const]
    }),
  manifest: registry.manifest,
  blob: registry.blob
})

interface Parts {
  readonly config?: { readonly digest: string }
  readonly layers?: ReadonlyArray<{ readonly digest: string }>
  readonly manifests?: ReadonlyArray<{ readonly digest: string }>
}

/** Everything below a manifest that a repository does not have, or has with other bytes. */
const missingBelow = (storage: Storage, repository: string, digest: string): ReadonlyArray<string> => {
  const bytes = storage.manifest(repository, digest)
  if (bytes === undefined || digestOf(bytes) !== digest) return [`manifest ${digest}`]
  const { config, layers = [], manifests = [] }: Parts = JSON.parse(bytes.toString())
  const blobs = [...config === undefined ? [] : [config], ...layers]
  return [
    ...manifests.flatMap((it) => missingBelow(storage, repository, it.digest)),
    ...blobs.flatMap((it) => {
      const blob = storage.blob(repository, it.digest)
      return blob !== undefined && digestOf(blob) === it.digest ? [] : [`blob ${it.digest}`]
    })
  ]
}

/** Every tag of the backup that names what is not whole. */
export const brokenIn = (storage: Storage): ReadonlyArray<string> =>
  storage.repositories().flatMap((repository) =>
    storage.tags(repository).flatMap(([tag, digest]) =>
      missingBelow(storage, repository, digest).map((it) => `${tag} names what has no ${it}`)
    )
  )

/** The image's tags where its signature is not there and listed. */
export const unsignedIn = (storage: Storage): ReadonlyArray<string> =>
  storage.repositories().flatMap((repository) => {
    const tags = storage.tags(repository)
    const list = tags.find(([tag]) => tag === listTag)?.[1]
    const bytes = list === undefined ? undefined : storage.manifest(repository, list)
    const { manifests = [] }: Parts = bytes === undefined ? {} : JSON.parse(bytes.toString())
    return manifests.some((it) => it.digest === signature.root.digest)
      ? []
      : tags.flatMap(([tag]) => imageTags.includes(tag) ? [`${tag} names what is not signed`] : [])
  })

/** What a repository should have before it is asked to store the image under one of its tags, and has not. */
export const earlyIn = (storage: Storage, repository: string, tag: string): ReadonlyArray<string> => {
  const whole = imageTags.includes(tag) ? image : tag === listTag ? signatures : undefined
  if (whole === undefined) return [`nobody knows the tag ${tag}`]
  return [
    ...whole.manifests.filter((it) =>
      it.digest !== whole.root.digest && storage.manifest(repository, it.digest) === undefined
    ),
    ...whole.blobs.filter((it) => storage.blob(repository, it.digest) === undefined)
  ].map((it) => `${tag} was pushed before ${it.digest}`)
}

/** The backup has the image with its signature, byte for byte and under all its tags; nothing else is tagged. */
export const assertBackup = (storage: Storage, repository: string): void => {
  assert.deepStrictEqual(storage.repositories(), [repository])
  for (const whole of [image, signature]) {
    for (const it of whole.manifests) {
      assert.isTrue(storage.manifest(repository, it.digest)?.equals(it.bytes), `manifest ${it.digest}`)
    }
    for (const it of whole.blobs) assert.isTrue(storage.blob(repository, it.digest)?.equals(it.bytes), it.digest)
  }
  const tags = storage.tags(repository)
  assert.deepStrictEqual(tags.map(([tag]) => tag).toSorted(), [...imageTags, listTag].toSorted())
  for (const [tag, digest] of tags) if (tag !== listTag) assert.strictEqual(digest, image.root.digest, tag)
  assert.deepStrictEqual([...brokenIn(storage), ...unsignedIn(storage)], [])
}
