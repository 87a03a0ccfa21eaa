// Content-addressed bytes, in memory or in a folder (one file a blob, named by its digest), and uploads under way.
// Knows no repositories and no HTTP; what is committed has the digest it is stored under.
import type { Hash } from "node:crypto"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import type { Body } from "../server/Exchange.ts"

export interface Upload {
  readonly id: string
  /** Bytes received so far. */
  readonly size: () => number
  readonly append: (chunk: Uint8Array) => void
  /** Stores what was received under the digest if that is its digest; false, and the bytes are dropped, if not. */
  readonly commit: (digest: string) => boolean
  readonly discard: () => void
}

export interface BlobStorage {
  readonly size: (digest: string) => number | undefined
  /** Bytes from start to end, both included; the blob must be there. */
  readonly body: (digest: string, start: number, end: number) => Body
  readonly read: (digest: string) => Uint8Array | undefined
  readonly put: (digest: string, content: Uint8Array) => void
  readonly begin: (id: string) => Upload
  readonly remove: (digest: string) => void
}

/** Digest of the bytes by the algorithm that `like` names. */
export const digestLike = (like: string, content: Uint8Array): string => {
  const algorithm = like.slice(0, like.indexOf(":"))
  return `${algorithm}:${createHash(algorithm).update(content).digest("hex")}`
}

export const sha256 = (content: Uint8Array | string): `sha256:${string}` =>
  `sha256:${createHash("sha256").update(content).digest("hex")}`

/** Registered algorithms, lower-case hex of the right length. */
export const isDigest = (text: string): boolean =>
  /^(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$/.test(text)

export const inMemory = (): BlobStorage => {
  const blobs = new Map<string, Uint8Array>()
  return {
    size: (digest) => blobs.get(digest)?.length,
    body: (digest, start, end) => ({
      _tag: "Bytes",
      bytes: (blobs.get(digest) ?? new Uint8Array()).subarray(start, end + 1)
    }),
    read: (digest) => blobs.get(digest),
    put: (digest, content) => void blobs.set(digest, content),
    remove: (digest) => void blobs.delete(digest),
    begin: (id) => {
      let chunks: Array<Uint8Array> = []
      let size = 0
      return {
        id,
        size: () => size,
        append: (chunk) => {
          chunks.push(chunk)
          size += chunk.length
        },
        commit: (digest) => {
          const content = Buffer.concat(chunks)
          chunks = []
          if (digestLike(digest, content) !== digest) return false
          blobs.set(digest, content)
          return true
        },
        discard: () => {
          chunks = []
        }
      }
    }
  }
}

const hashFile = (algorithm: string, file: string): string => {
  const hash = createHash(algorithm)
  const descriptor = fs.openSync(file, "r")
  const buffer = Buffer.alloc(1 << 20)
  for (let read = fs.readSync(descriptor, buffer); read > 0; read = fs.readSync(descriptor, buffer)) {
    hash.update(buffer.subarray(0, read))
  }
  fs.closeSync(descriptor)
  return hash.digest("hex")
}

/** Synchronous file access is right here: the page cache answers, and a sandbox has few clients. */
export const inFolder = (folder: string): BlobStorage => {
  const blobs = path.join(folder, "blobs")
  const uploads = path.join(folder, "uploads")
  fs.mkdirSync(blobs, { recursive: true })
  fs.mkdirSync(uploads, { recursive: true })
  const fileOf = (digest: string) => path.join(blobs, digest.replace(":", "-"))
  return {
    size: (digest) => fs.statSync(fileOf(digest), { throwIfNoEntry: false })?.size,
    body: (digest, start, end) => ({
      _tag: "File",
      // An empty blob: createReadStream has no way to say "nothing".
      open: () => fs.createReadStream(fileOf(digest), end < start ? { start: 0, end: 0 } : { start, end })
    }),
    read: (digest) => fs.existsSync(fileOf(digest)) ? fs.readFileSync(fileOf(digest)) : undefined,
    put: (digest, content) => fs.writeFileSync(fileOf(digest), content),
    remove: (digest) => fs.rmSync(fileOf(digest), { force: true }),
    begin: (id) => {
      const file = path.join(uploads, id)
      const descriptor = fs.openSync(file, "w")
      // sha256 runs along; another algorithm, rarely seen, reads the file again.
      const running: Hash = createHash("sha256")
      let size = 0
      let open = true
      const close = () => {
        if (open) fs.closeSync(descriptor)
        open = false
      }
      return {
        id,
        size: () => size,
        append: (chunk) => {
          if (!open) return
          fs.writeSync(descriptor, chunk)
          running.update(chunk)
          size += chunk.length
        },
        commit: (digest) => {
          close()
          const [algorithm = "", hex] = digest.split(":")
          const actual = algorithm === "sha256" ? running.digest("hex") : hashFile(algorithm, file)
          if (actual !== hex) {
            fs.rmSync(file, { force: true })
            return false
          }
          fs.renameSync(file, fileOf(digest))
          return true
        },
        discard: () => {
          close()
          fs.rmSync(file, { force: true })
        }
      }
    }
  }
}
