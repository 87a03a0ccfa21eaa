// Tar archives for images that are made up, by Effect's encoder: layers, and what Flux takes for a source.
import { Effect, Stream } from "effect"
import { Tar } from "effect/encoding"

/** A tar with one file; its times are zero and its owner is root, so that the same content gives the same digest. */
export const tarOf = (name: string, content: string | Uint8Array): Buffer =>
  Buffer.concat(
    Stream.make(Tar.file(name, content)).pipe(
      Stream.pipeThroughChannel(Tar.encode()),
      Stream.runCollect,
      // images are constants of tests; all is in memory, so that there is nothing to wait for
      Effect.runSync
    )
  )
