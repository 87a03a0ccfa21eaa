// Numbers of bytes as people read them, in binary units: a layer's, an image's, those of all.
import { ByteSize } from "effect"

/** A count of bytes: 1536 is `1.5 KiB`. Takes any whole number, sums of what registries claim included. */
export const shownBytes = (count: number): string =>
  ByteSize.format(ByteSize.bytes(BigInt(count)), { system: "binary", precision: 1 })
