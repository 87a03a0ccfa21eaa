// The requests of a whole copy of a small image, for conversations: what is asked of a source and of a backup that does not
// have it, in the one order that there is for an image of one blob.
import { Effect } from "effect"
import { protectionTag } from "../../src/image/BackupName.ts"
import { digestOf } from "../../src/image/Digest.ts"
import { ociManifest } from "../../src/image/ManifestDocument.ts"
import type { Answer, Row, Step, Talk, Told } from "./Conversation.ts"
import { layerOf, manifestOf, type TestBlob, type TestManifest } from "./TestImages.ts"

/** An image of one blob: its conversation has one order. */
export const single = (blob: TestBlob, more: object = {}): TestManifest =>
  manifestOf(ociManifest, {
    schemaVersion: 2,
    mediaType: ociManifest,
    config: { mediaType: "application/x", digest: blob.digest, size: blob.bytes.length, ...more },
    layers: []
  })
export const blob = layerOf("small", 1000)
export const small = single(blob)
export const long = layerOf("long", 3_000_000)
export const large = single(long)
export const other = digestOf(Buffer.from("other"))

export const coded = (digest: string) => digest.replace(":", "%3A")
export const source = (expect: string, answer: Answer, more: Partial<Step> = {}): Step => ({
  expect: expect.replace(" ", " /v2/app/"),
  answer,
  ...more
})
export const backup = (expect: string, answer: Answer, more: Partial<Step> = {}): Step => ({
  at: "backup",
  expect: expect.includes(" /") ? expect : expect.replace(" ", " /v2/{into}/"),
  answer,
  ...more
})
export const named = ({ digest, mediaType }: TestManifest): Told => ({
  status: 200,
  headers: { "docker-content-digest": digest, "content-type": mediaType }
})
export const served = (it: TestManifest): Told => ({ ...named(it), body: it.bytes })
export const missing: Told = { status: 404 }
export const created: Told = { status: 201 }

/** The tag of an image that the backup does not have, and its manifest. */
export const found = (root: TestManifest): ReadonlyArray<Step> => [
  source("HEAD manifests/1", named(root)),
  backup("HEAD manifests/1", missing),
  source(`GET manifests/${root.digest}`, served(root)),
  backup(`GET manifests/${root.digest}`, missing)
]
export const download = ({ digest }: TestBlob, answer: Answer, from = 0): Step =>
  source(`GET blobs/${digest}`, answer, { with: { range: from === 0 ? undefined : `bytes=${from}-` } })
export const look = ({ digest }: TestBlob, answer: Answer): Step => backup(`HEAD blobs/${digest}`, answer)
export const begin = (id = 1): Step => backup("POST blobs/uploads/", { status: 202, headers: { location: `/u/${id}` } })
export const store = (of: TestBlob, id = 1, answer: Answer = created): Step =>
  backup(`PUT /u/${id}?digest=${coded(of.digest)}`, answer, { body: of.bytes })
/** An upload that must not become one. */
export const never = (of: TestBlob, id = 1): Step =>
  backup(`PUT /u/${id}?digest=${coded(of.digest)}`, "silence", { unfinished: true, whenever: true })
export const cancel = (id = 1): Step => backup(`DELETE /u/${id}`, { status: 204 }, { whenever: true })
export const tag = (name: string, root: TestManifest, answer: Answer = created): Step =>
  backup(`PUT manifests/${name}`, answer, { body: root.bytes, with: { "content-type": root.mediaType } })
/** The tags, the human one last, and the look whether all is there. */
export const ended = (root: TestManifest): ReadonlyArray<Step> => [
  tag(protectionTag(root.digest), root),
  tag("1", root),
  backup(`HEAD manifests/${root.digest}`, named(root))
]

export const clone = ({ app, cloner }: Talk) =>
  Effect.map(cloner.clone({ ...app, tag: "1" }), (it) => [it.digest, it.blobs, it.manifests, it.upToDate])
export const come = (root: TestManifest, blobs: object = { uploaded: 1 }) => ({
  value: [root.digest, { uploaded: 0, mounted: 0, present: 0, ...blobs }, 1, false]
})

/** With a backup of its own. */
export const apart = (rows: ReadonlyArray<Row>) => rows.map((row): Row => ({ ...row, apart: true }))
