// An image with everything that a copy has to bring in the right order: two platforms that share a layer, and a signature
// that the source lists under the fallback tag. Its layers are real, for the tools that unpack it.
import { Effect } from "effect"
import { digestOf } from "../../src/image/Digest.ts"
import { fallbackTag } from "../../src/registry/api/Referrers.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { pushImage } from "../support/PushImage.ts"
import { indexOf, type TestImage } from "../support/TestImages.ts"
import { protection } from "../support/SourceAndBackup.ts"

const blobOf = (bytes: Uint8Array) => ({ digest: digestOf(bytes), bytes: Buffer.from(bytes) })
const manifestOf = (it: SampleImage.Image["manifest"]) => ({ mediaType: it.mediaType, ...blobOf(it.bytes) })

const testImageOf = (made: SampleImage.Image): TestImage => ({
  root: manifestOf(made.manifest),
  manifests: [...made.children, made.manifest].map(manifestOf),
  blobs: made.blobs.map(blobOf),
  configs: []
})

const sample = SampleImage.twoPlatforms("signed", { shared: [SampleImage.layer("shared", 20_000)] })
export const image = testImageOf(sample)
export const signature = testImageOf(
  SampleImage.artifact(sample.manifest, "application/vnd.dev.sigstore.bundle.v0.3+json", "signature of the image")
)
/** The list under the fallback tag, as the source has it. */
export const signatures = indexOf([signature])
export const listTag = fallbackTag(image.root.digest)
/** The tags that name the image in the backup. */
export const imageTags = ["1", protection(image.root.digest)]

/** Puts all of it into a registry that keeps no list of referrers by itself, as `app:1`. */
export const pushSigned = Effect.fnUntraced(function*(origin: string) {
  yield* pushImage({ origin, repository: "app", tag: "1" }, image)
  yield* pushImage({ origin, repository: "app", tag: listTag }, signatures)
})
