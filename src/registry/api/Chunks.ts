// A blob's body in chunks, for registries (or what stands before them) that refuse it in one request.
// Source: OCI distribution-spec, "Pushing a blob in chunks". Edge: when this is needed is Uploads.ts' to know.
import { Data, Effect } from "effect"
import type { Readable } from "node:stream"

/** A registry that wants larger chunks than this is refused: each is held in memory. */
export const mostChunkBytes = 64 * 1024 * 1024

/** The body ended before its time: whoever fills it knows why. */
export class BodyEnded extends Data.TaggedError("BodyEnded")<{ readonly cause: unknown }> {}

/** A body that is taken piece by piece. */
export interface Chunks {
  /** The next `size` bytes, fewer at the end. */
  readonly next: (size: number) => Effect.Effect<Buffer, BodyEnded>
}

export const makeChunks = (body: Readable): Chunks => {
  const iterator: AsyncIterator<Buffer> = body[Symbol.asyncIterator]()
  let rest: Buffer = Buffer.alloc(0)
  return {
    next: Effect.fnUntraced(function*(size) {
      const chunk = Buffer.allocUnsafe(size)
      let filled = 0
      for (;;) {
        const count = rest.copy(chunk, filled, 0, Math.min(rest.length, size - filled))
        filled += count
        rest = rest.subarray(count)
        if (filled === size) return chunk
        const more = yield* Effect.tryPromise({
          // in a turn of its own: undici cannot resume one connection while it reads an answer from another
          try: () => Promise.resolve().then(() => iterator.next()),
          catch: (cause) => new BodyEnded({ cause })
        })
        if (more.done === true) return chunk.subarray(0, filled)
        rest = more.value
      }
    })
  }
}
