// UploadSizes: what is learned of how large a body may be: which blobs a registry does not take in one request, and how large the
// chunks are that it takes. Memory of this process. Edge: sending is Uploads.ts'.
import { makeBoundedMap } from "../../collections/BoundedMap.ts"
import type { Cloud } from "../../image/CloudNames.ts"
import type { Digest } from "../../image/Digest.ts"

/** GHCR takes no more in one PATCH; smaller ones trip registries that count requests. */
const chunkBytes = 4 * 1024 * 1024
/** What refuses chunks of this size takes no blobs; nginx takes four times as much unless it is told otherwise. */
const leastChunkBytes = 256 * 1024
/** How the registries of clouds take blobs; others are learned of. */
interface Form {
  /** The largest blob that is sent in one request. */
  readonly mostWhole: number
  /** Bytes of a chunk; undefined: chunks are never taken. */
  readonly chunk: number | undefined
  /** The fewest bytes of a chunk, the last one aside. */
  readonly least: number
}

const usual: Form = { mostWhole: Infinity, chunk: chunkBytes, least: leastChunkBytes }

/**
 * ECR's parts have 5 to 10 MiB, and there are 4,200 of them at most (ECR service quotas); Artifact Registry knows no chunks; ACR
 * refuses a blob of more than 20 MB in one piece (goharbor/harbor#23015).
 */
const forms = {
  aws: { mostWhole: Infinity, chunk: 10 * 1024 * 1024, least: 5 * 1024 * 1024 },
  google: { mostWhole: Infinity, chunk: undefined, least: leastChunkBytes },
  azure: { mostWhole: 20_000_000, chunk: chunkBytes, least: leastChunkBytes }
} satisfies Record<Cloud, Form>

/** A blob whose PUT was cut off so often is sent in chunks: something on the way may not like its size. */
const mostResets = 2

/** How large chunks are sent after one of `refused` bytes was too large; undefined: smaller ones would not help, or not be taken. */
const smallerChunk = (refused: number, least: number): number | undefined =>
  refused <= least ? undefined : Math.max(least, Math.ceil(refused / 2))

export interface UploadSizes {
  readonly needsChunks: (registry: string, digest: Digest, size: number) => boolean
  /** Bytes of a chunk for a registry. */
  readonly chunkLength: (registry: string) => number
  /** A blob was refused in one piece because of its size; answers whether chunks may do. */
  readonly refusedWhole: (registry: string, size: number) => boolean
  /** A chunk was refused because of its size; answers how large the next ones are, undefined where none may do. */
  readonly refusedChunk: (registry: string, bytes: number, chunkMin: number) => number | undefined
  /** The connection ended under a blob that was sent in one piece. */
  readonly cutOff: (digest: Digest) => void
}

/** @param cloudIn whose registry it is, own domains included */
export const makeUploadSizes = (cloudIn: (registry: string) => Cloud | undefined): UploadSizes => {
  const formOf = (registry: string): Form => {
    const cloud = cloudIn(registry)
    return cloud === undefined ? usual : forms[cloud]
  }
  /** By registry: the smallest blob that it would not take in one request. */
  const largest = makeBoundedMap<string, number>(64)
  /** By registry: how large chunks are sent to it, where the usual ones were refused. */
  const lengths = makeBoundedMap<string, number>(64)
  /** By blob: how often its PUT was cut off. */
  const resets = makeBoundedMap<Digest, number>(1024)
  const chunkLength = (registry: string): number => {
    const { chunk = chunkBytes, least } = formOf(registry)
    // settings may have said since whose it is
    return Math.max(lengths.get(registry) ?? chunk, least)
  }
  return {
    needsChunks: (registry, digest, size) => {
      const form = formOf(registry)
      if (form.chunk === undefined) return false
      return size > form.mostWhole || size >= (largest.get(registry) ?? Infinity) ||
        (size > chunkLength(registry) && (resets.get(digest) ?? 0) >= mostResets)
    },
    chunkLength,
    refusedWhole: (registry, size) => {
      const { chunk, least } = formOf(registry)
      if (size <= least || chunk === undefined) return false
      largest.set(registry, Math.min(largest.get(registry) ?? Infinity, size))
      let length = chunkLength(registry)
      while (length >= size) length = Math.max(least, Math.ceil(length / 2))
      lengths.set(registry, length)
      return true
    },
    refusedChunk: (registry, bytes, chunkMin) => {
      const smaller = smallerChunk(bytes, Math.max(formOf(registry).least, chunkMin))
      if (smaller !== undefined) lengths.set(registry, smaller)
      return smaller
    },
    cutOff: (digest) => resets.set(digest, (resets.get(digest) ?? 0) + 1)
  }
}
