// The registries of the model: one source with tags that move and vanish, and one backup, each up or down. An image is its digest.
import type { Digest } from "../../src/image/Digest.ts"

export const sourceHost = "up.example"
export const backupPrefix = "backup.example/copies"

export const isCopy = (image: string): boolean => image.startsWith(`${backupPrefix}/`)

/** When a name of the backup was whole last, and as what. */
export interface Seen {
  readonly digest: Digest
  readonly at: number
}

const split = (image: string): { readonly name: string; readonly tag: string; readonly digest: string | undefined } => {
  const [named = "", digest] = image.split("@")
  const colon = named.lastIndexOf(":")
  return colon > named.lastIndexOf("/")
    ? { name: named.slice(0, colon), tag: named.slice(colon + 1), digest }
    : { name: named, tag: "latest", digest }
}

export class Registries {
  sourceUp = true
  backupUp = true
  /** Whether the backup refuses the secrets of pods. */
  backupRefuses = false
  /** Whether the backup has lost anything. */
  hasLost = false
  /** What images crash, whatever they are called. */
  readonly broken = new Set<string>()
  readonly #tags = new Map<string, Digest>()
  /** What the source has by digest, by repository. */
  readonly #kept = new Map<string, Set<string>>()
  readonly #copies = new Map<string, Digest>()
  readonly #blobs = new Map<string, Set<string>>()
  readonly #seen = new Map<string, Seen>()
  readonly #pushed = new Map<string, number>()
  #made = 0

  /** Pushes a new image to a tag of the source. */
  push(image: string, now: number): Digest {
    this.#pushed.set(image, now)
    const digest: Digest = `sha256:${String(++this.#made).padStart(64, "0")}`
    const { name } = split(image)
    this.#tags.set(image, digest)
    this.#kept.set(name, (this.#kept.get(name) ?? new Set()).add(digest))
    return digest
  }

  /** When a tag was pushed last. */
  pushedAt(image: string): number {
    return this.#pushed.get(image) ?? 0
  }

  /** Takes a tag away, and all of its repository with it. */
  vanish(image: string): void {
    const { name } = split(image)
    for (const tag of this.#tags.keys()) if (split(tag).name === name) this.#tags.delete(tag)
    this.#kept.delete(name)
  }

  /** The backup loses all of a repository. */
  lose(copy: string): void {
    this.hasLost = true
    const { name } = split(copy)
    for (const it of this.#copies.keys()) if (split(it).name === name) this.#copies.delete(it)
    this.#blobs.delete(name)
  }

  /** What a name means at the source now, whether it answers or not. */
  atSource(image: string): Digest | undefined {
    const { digest, name, tag } = split(image)
    if (digest === undefined) return this.#tags.get(`${name}:${tag}`)
    return this.#kept.get(name)?.has(digest) === true ? digest as Digest : undefined // what was pushed is one
  }

  /** The same at the backup. */
  atBackup(image: string): Digest | undefined {
    const { digest, name, tag } = split(image)
    if (digest === undefined) return this.#copies.get(`${name}:${tag}`)
    return this.#blobs.get(name)?.has(digest) === true ? digest as Digest : undefined // as above
  }

  /** Stores a copy by its digest, and by its tag where it has one. */
  store(copy: string, digest: Digest): void {
    const { name, tag } = split(copy)
    this.#blobs.set(name, (this.#blobs.get(name) ?? new Set()).add(digest))
    if (copy.includes(`:${tag}`)) this.#copies.set(`${name}:${tag}`, digest)
  }

  /** Takes note of what is whole now. */
  note(now: number): void {
    for (const [copy, digest] of this.#copies) this.#seen.set(copy, { digest, at: now })
    for (const [name, digests] of this.#blobs) {
      for (const digest of digests) this.#seen.set(`${name}@${digest}`, { digest: digest as Digest, at: now }) // as above
    }
  }

  /** When a copy was whole last. */
  seen(copy: string): Seen | undefined {
    const { digest, name, tag } = split(copy)
    return this.#seen.get(digest === undefined ? `${name}:${tag}` : `${name}@${digest}`)
  }

  /** What a node gets that pulls an image; a text where it gets none. */
  pull(image: string): Digest | "unreachable" | "denied" | "not found" {
    const own = isCopy(image)
    if (own ? !this.backupUp : !this.sourceUp) return "unreachable"
    if (own && this.backupRefuses) return "denied"
    return (own ? this.atBackup(image) : this.atSource(image)) ?? "not found"
  }
}
