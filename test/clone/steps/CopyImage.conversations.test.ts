// Whole copies of small images, as conversations: what is asked of both sides, in which order, and what becomes of a backup
// that loses, refuses or has things already, and of a source that lies or says no.
import { inflateRawSync } from "node:zlib"
import { protectionTag } from "../../../src/image/BackupName.ts"
import { digestOf } from "../../../src/image/Digest.ts"
import { dockerManifest, ociIndex, ociManifest } from "../../../src/image/ManifestDocument.ts"
import { conversations, refused, type Row, type Step, type Told } from "../../support/Conversation.ts"
import {
  apart,
  backup,
  begin,
  blob,
  cancel,
  clone,
  coded,
  come,
  created,
  download,
  ended,
  found,
  large,
  long,
  look,
  missing,
  named,
  other,
  served,
  small,
  source,
  store,
  tag
} from "../../support/CopySteps.ts"
import { schema1Image } from "../../support/Schema1Images.ts"
import { manifestOf, type TestBlob } from "../../support/TestImages.ts"

const moved = [
  ...found(small),
  look(blob, missing),
  begin(),
  download(blob, { status: 200, body: blob.bytes }),
  store(blob)
]
const indexOfOne = manifestOf(ociIndex, {
  schemaVersion: 2,
  mediaType: ociIndex,
  manifests: [{ mediaType: ociManifest, digest: small.digest, size: small.bytes.length }]
})
const denied = (says: string) => ({ failure: { reason: "denied", side: "backup", retryable: false, says } }) as const

/** As Harbor says it. */
const unscanned = refused(
  412,
  "PROJECTPOLICYVIOLATION",
  "current image without vulnerability scanning cannot be pulled due to configured policy"
)

const backups: ReadonlyArray<Row> = [
  {
    name: "that has it already is asked for its tag and no more, but to see that it is whole",
    call: clone,
    steps: [
      source("HEAD manifests/1", named(small)),
      backup("HEAD manifests/1", named(small)),
      backup(`GET manifests/${small.digest}`, served(small)),
      look(blob, { status: 200 }),
      backup(`HEAD manifests/${protectionTag(small.digest)}`, named(small)),
      backup(`HEAD manifests/${small.digest}`, named(small))
    ],
    outcome: { value: [small.digest, { uploaded: 0, mounted: 0, present: 1 }, 0, true] }
  },
  {
    name: "whose tags are immutable and name it already is not asked to store them: equal digest, no PUT",
    call: clone,
    options: { believeTags: true },
    steps: [source("HEAD manifests/1", named(small)), backup("HEAD manifests/1", named(small))],
    outcome: { value: [small.digest, { uploaded: 0, mounted: 0, present: 0 }, 0, true] }
  },
  {
    name: "whose tag is immutable and names something else",
    call: clone,
    steps: [
      source("HEAD manifests/1", named(small)),
      backup("HEAD manifests/1", { status: 200, headers: { "docker-content-digest": other } }),
      source(`GET manifests/${small.digest}`, served(small)),
      backup(`GET manifests/${small.digest}`, missing),
      look(blob, { status: 200 }),
      tag(protectionTag(small.digest), small),
      tag("1", small, refused(412, "PRECONDITION", "Failed to process request due to 'app:1' configured as immutable."))
    ],
    outcome: denied("does not let this tag be moved")
  },
  ...["MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "UPLOAD_UNKNOWN"].map((code): Row => ({
    name: `that has lost what it said it had (${code}) gets it once more, whatever it says`,
    call: clone,
    steps: [
      ...found(small),
      look(blob, { status: 200 }),
      tag(protectionTag(small.digest), small, refused(404, code)),
      begin(),
      download(blob, { status: 200, body: blob.bytes }),
      store(blob),
      ...ended(small)
    ],
    outcome: come(small)
  })),
  {
    name: "that goes on losing it: told, and nothing is tagged",
    call: clone,
    steps: [
      ...moved,
      tag(protectionTag(small.digest), small, refused(404, "MANIFEST_BLOB_UNKNOWN")),
      begin(2),
      download(blob, { status: 200, body: blob.bytes }),
      store(blob, 2),
      ...[1, 2, 3].map(() => tag(protectionTag(small.digest), small, refused(404, "MANIFEST_BLOB_UNKNOWN")))
    ],
    outcome: { failure: { reason: "unavailable", side: "backup", retryable: true } }
  },
  {
    name: "that sees late what it was sent is sent it once more, and the manifest until it takes it",
    call: clone,
    steps: [
      ...moved,
      tag(protectionTag(small.digest), small, refused(400, "BLOB_UNKNOWN")),
      begin(2),
      download(blob, { status: 200, body: blob.bytes }),
      store(blob, 2),
      tag(protectionTag(small.digest), small, refused(400, "BLOB_UNKNOWN")),
      ...ended(small)
    ],
    outcome: come(small)
  },
  {
    name: "that wants TLS and is spoken to without says so, though a HEAD could not",
    call: clone,
    steps: [
      source("HEAD manifests/1", named(small)),
      backup("HEAD manifests/1", { status: 400 }),
      backup("GET manifests/1", { status: 400, body: "Client sent an HTTP request to an HTTPS server." })
    ],
    outcome: denied("HTTPS server")
  },
  {
    name: "that takes no index unless it is whole gets what is below it first, and once more if it has lost that",
    call: clone,
    steps: [
      ...found(indexOfOne),
      source(`GET manifests/${small.digest}`, served(small)),
      backup(`GET manifests/${small.digest}`, missing),
      look(blob, { status: 200 }),
      tag(small.digest, small),
      tag(protectionTag(indexOfOne.digest), indexOfOne, refused(400, "MANIFEST_UNKNOWN")),
      source(`GET manifests/${small.digest}`, served(small)),
      backup(`GET manifests/${small.digest}`, missing),
      begin(),
      download(blob, { status: 200, body: blob.bytes }),
      store(blob),
      tag(small.digest, small),
      ...ended(indexOfOne)
    ],
    outcome: { value: [indexOfOne.digest, { uploaded: 1, mounted: 0, present: 0 }, 3, false] }
  },
  {
    name: "that takes no such index at all says so once",
    call: clone,
    steps: [
      ...found(indexOfOne),
      source(`GET manifests/${small.digest}`, served(small)),
      backup(`GET manifests/${small.digest}`, missing),
      look(blob, { status: 200 }),
      tag(small.digest, small),
      tag(protectionTag(indexOfOne.digest), indexOfOne, refused(400, "MANIFEST_INVALID", "sparse"))
    ],
    outcome: denied("sparse")
  },
  {
    name: "that stores a blob whose answer is lost is asked, and not sent it again",
    call: clone,
    steps: [...moved.slice(0, -1), store(blob, 1, { status: 500 }), look(blob, { status: 200 }), ...ended(small)],
    outcome: come(small)
  },
  ...["BLOB_UPLOAD_UNKNOWN", "BLOB_UNKNOWN", "UPLOAD_UNKNOWN"].map((code): Row => ({
    name: `that has lost an upload (${code}) gets another`,
    call: clone,
    steps: [
      ...moved.slice(0, -1),
      store(blob, 1, refused(404, code)),
      look(blob, missing),
      cancel(),
      look(blob, missing),
      begin(2),
      download(blob, { status: 200, body: blob.bytes }),
      store(blob, 2),
      ...ended(small)
    ],
    outcome: come(small)
  })),
  {
    name: "that loses every upload: told so, and nothing of a project that is to be created",
    call: clone,
    options: { limits: { attempts: 2 } },
    steps: [
      ...moved.slice(0, -1),
      store(blob, 1, refused(404, "BLOB_UNKNOWN", "blob unknown")),
      look(blob, missing),
      cancel(),
      look(blob, missing),
      begin(2),
      download(blob, { status: 200, body: blob.bytes }),
      store(blob, 2, refused(404, "BLOB_UNKNOWN", "blob unknown")),
      look(blob, missing),
      cancel(2)
    ],
    outcome: {
      failure: { reason: "unavailable", side: "backup", retryable: true, says: "blob unknown", hides: "created first" }
    }
  },
  {
    name: "that refuses a blob before its end: told, and the download ends as well",
    call: clone,
    steps: [
      ...found(large),
      look(long, missing),
      begin(),
      download(long, { status: 200, body: long.bytes }),
      backup(`PUT /u/1?digest=${coded(long.digest)}`, { ...refused(403, "DENIED", "not yours"), early: "reads on" }),
      cancel()
    ],
    outcome: denied("not yours")
  },
  {
    name: "that is read-only says what a person can do",
    call: clone,
    steps: [
      ...found(small),
      look(blob, missing),
      backup("POST blobs/uploads/", refused(405, "UNSUPPORTED", "The operation is unsupported.")),
      source(`GET blobs/${blob.digest}`, { status: 200, body: blob.bytes }, { whenever: true })
    ],
    outcome: denied("read-only")
  },
  {
    name: "that wants its repositories made beforehand says what a person can do",
    call: clone,
    steps: [
      ...found(small),
      look(blob, missing),
      backup("POST blobs/uploads/", refused(404, "NAME_UNKNOWN", "The repository does not exist")),
      source(`GET blobs/${blob.digest}`, { status: 200, body: blob.bytes }, { whenever: true })
    ],
    outcome: denied("created first")
  },
  {
    name: "whose policy forbids the looks, and not the push: all is pushed, and the policy's text is shown",
    call: clone,
    steps: [
      source("HEAD manifests/1", named(small)),
      backup("HEAD manifests/1", { status: 412 }),
      backup("GET manifests/1", unscanned),
      source(`GET manifests/${small.digest}`, served(small)),
      backup(`GET manifests/${small.digest}`, unscanned),
      look(blob, { status: 412 }),
      begin(),
      download(blob, { status: 200, body: blob.bytes }),
      store(blob),
      tag(protectionTag(small.digest), small),
      tag("1", small),
      backup(`HEAD manifests/${small.digest}`, { status: 412 }),
      backup(`GET manifests/${small.digest}`, unscanned)
    ],
    outcome: denied("cannot be pulled due to configured policy")
  },
  {
    name: "whose policy forbade the looks until the image was there: copied",
    call: clone,
    steps: [
      source("HEAD manifests/1", named(small)),
      backup("HEAD manifests/1", { status: 403 }),
      backup("GET manifests/1", refused(403, "DENIED", "blocked by policy")),
      source(`GET manifests/${small.digest}`, served(small)),
      backup(`GET manifests/${small.digest}`, refused(403, "DENIED", "blocked by policy")),
      look(blob, { status: 200 }),
      ...ended(small)
    ],
    outcome: come(small, { present: 1 })
  },
  {
    name: "that takes everything and has nothing is found out",
    call: clone,
    steps: [
      ...moved,
      tag(protectionTag(small.digest), small),
      tag("1", small),
      ...[1, 2, 3].map(() => backup(`HEAD manifests/${small.digest}`, missing))
    ],
    outcome: { failure: { reason: "unavailable", side: "backup", retryable: true, says: "is not there" } }
  },
  {
    name: "that shows late what it has stored is looked at again, and sent nothing a second time",
    call: clone,
    steps: [
      ...moved,
      tag(protectionTag(small.digest), small),
      tag("1", small),
      backup(`HEAD manifests/${small.digest}`, missing),
      backup(`HEAD manifests/${small.digest}`, named(small))
    ],
    outcome: come(small)
  },
  {
    name: "that wants rest for long: the permit is given back, with the time",
    call: clone,
    steps: [
      ...found(small),
      look(blob, missing),
      backup("POST blobs/uploads/", refused(429, "TOOMANYREQUESTS", "", { "retry-after": "300" })),
      source(`GET blobs/${blob.digest}`, { status: 200, body: blob.bytes }, { whenever: true })
    ],
    outcome: { failure: { reason: "rate-limited", side: "backup", retryable: true, retryAfter: 300 } }
  }
]

// what it is converted to is the same for ever, and so is its layer: a tar with the file etc/old
const layerBytes = inflateRawSync(
  Buffer.from("Sy1J1s/PSWGgJTAwMDAwMzEB0wYGBui0gYGBMRIbJG5uZGjEoGDAQAdQWlySWMRgQBe7BiGgddyPglEwCkbBKBicAAA=", "base64")
)
const layer: TestBlob = { digest: digestOf(layerBytes), bytes: layerBytes }
const old = schema1Image([{ layer }]).root
const converted = "sha256:8066704920dbda085ca122450b89d6865106d289b659451c278aa23480adf14c"
const convertedConfig = "sha256:ee71a646e1cc4aca2922aa745bd6c6ca20bb6fd6ec542fb59d032bcd0aab6b0e"
const told = (digest: string): Told => ({
  status: 200,
  headers: { "docker-content-digest": digest, "content-type": dockerManifest }
})
const asDocker = (name: string): Step =>
  backup(`PUT manifests/${name}`, created, { with: { "content-type": dockerManifest } })

const sources: ReadonlyArray<Row> = [
  {
    name: "that lies about a tag's digest is read by the tag",
    call: clone,
    steps: [
      source("HEAD manifests/1", {
        ...named(small),
        headers: { ...named(small).headers, "docker-content-digest": other }
      }),
      backup("HEAD manifests/1", missing),
      source(`GET manifests/${other}`, refused(404, "MANIFEST_UNKNOWN")),
      backup(`GET manifests/${other}`, missing),
      source("GET manifests/1", served(small)),
      look(blob, { status: 200 }),
      ...ended(small)
    ],
    outcome: come(small, { present: 1 })
  },
  ...[400, 404, 410, 418].map((status): Row => ({
    name: `that fills by GET, and answers ${status} to a HEAD until then: asked once, and copied`,
    call: clone,
    apart: true,
    steps: [
      source("HEAD manifests/1", { status }),
      backup("HEAD manifests/1", missing),
      source("GET manifests/1", served(small)),
      backup(`GET manifests/${small.digest}`, missing),
      source(`GET manifests/${small.digest}`, served(small)),
      look(blob, { status: 200 }),
      ...ended(small)
    ],
    outcome: come(small, { present: 1 })
  })),
  {
    name: "that wants rest for hours, while the backup has the image: it is there",
    call: clone,
    steps: [
      source("HEAD manifests/1", refused(429, "TOOMANYREQUESTS", "", { "retry-after": "21600" })),
      backup("HEAD manifests/1", named(small), { whenever: true }),
      backup("HEAD manifests/1", named(small)),
      backup(`GET manifests/${small.digest}`, served(small)),
      look(blob, { status: 200 }),
      backup(`HEAD manifests/${small.digest}`, named(small))
    ],
    outcome: { value: [small.digest, { uploaded: 0, mounted: 0, present: 1 }, 0, true] }
  },
  {
    name: "of schema 1, at a backup that would answer 500 to it: what is stored is schema 2",
    call: clone,
    steps: [
      source("HEAD manifests/1", named(old)),
      backup("HEAD manifests/1", missing),
      backup(`HEAD manifests/${protectionTag(old.digest)}`, missing),
      source(`GET manifests/${old.digest}`, served(old)),
      backup(`GET manifests/${old.digest}`, missing),
      source(`HEAD blobs/${layer.digest}`, { status: 200, headers: { "content-length": layer.bytes.length } }),
      look(layer, missing),
      look(layer, missing),
      begin(),
      download(layer, { status: 200, body: layer.bytes }),
      store(layer),
      backup(`GET blobs/${layer.digest}`, { status: 200, body: layer.bytes }),
      backup(`HEAD manifests/${converted}`, missing),
      backup(`HEAD blobs/${convertedConfig}`, missing),
      begin(2),
      backup(`PUT /u/2?digest=${coded(convertedConfig)}`, created),
      asDocker(`at-${converted.replace(":", "-")}`),
      backup(`HEAD manifests/at-${converted.replace(":", "-")}`, told(converted)),
      backup(`HEAD manifests/${protectionTag(old.digest)}`, missing),
      backup("HEAD manifests/1", missing),
      asDocker(protectionTag(old.digest)),
      asDocker("1"),
      backup(`HEAD manifests/${converted}`, told(converted))
    ],
    outcome: { value: [converted, { uploaded: 2, mounted: 0, present: 0 }, 1, false] }
  },
  ...([[401, "private"], [403, "private"], [404, "not-found"]] as const).map(([status, reason]): Row => ({
    name: `that answers ${status}, and the backup has nothing`,
    call: clone,
    steps: [
      source("HEAD manifests/1", { status }),
      ...(status === 403 ? [source("GET manifests/1", refused(403, "DENIED"))] : []),
      ...(status === 404 ? [source("GET manifests/1", refused(404, "MANIFEST_UNKNOWN"))] : []),
      backup("HEAD manifests/1", missing, { whenever: true }),
      backup("HEAD manifests/1", missing)
    ],
    outcome: { failure: { reason, side: "source", retryable: false } }
  }))
]

conversations("a backup", apart(backups))
conversations("a source", apart(sources))
