// What a source's bytes do on their way, as conversations: they break off, stand still, change, end too soon or too late.
// Source: RFC 9110 §14 (ranges).
import { Duration } from "effect"
import { gzipSync } from "node:zlib"
import { digestOf } from "../../../src/image/Digest.ts"
import { conversations, refused, type Row, type Told } from "../../support/Conversation.ts"
import {
  apart,
  begin,
  blob,
  cancel,
  clone,
  come,
  download,
  ended,
  found,
  large,
  long,
  look,
  missing,
  never,
  single,
  small,
  store
} from "../../support/CopySteps.ts"
import type { TestBlob } from "../../support/TestImages.ts"

const half = 1_500_000
const part = (of: TestBlob, from: number, more: Partial<Told> = {}): Told => ({
  status: 206,
  headers: { "content-range": `bytes ${from}-${of.bytes.length - 1}/${of.bytes.length}` },
  body: of.bytes.subarray(from),
  ...more
})
const whole: Told = { status: 200, body: long.bytes }
/** Half of it, and the end of the connection. */
const broken: Told = { ...whole, cut: half }
const flipped = (bytes: Buffer) => {
  const copy = Buffer.from(bytes)
  copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1
  return copy
}
const wrong: Told = { status: 200, body: flipped(long.bytes) }
const hasty = { stallWindow: Duration.millis(200), stallBytes: 100_000 }

const downloads: ReadonlyArray<Row> = [
  {
    name: "that goes well",
    call: clone,
    steps: [
      ...found(small),
      look(blob, missing),
      begin(),
      download(blob, { status: 200, body: blob.bytes }),
      store(blob),
      ...ended(small)
    ],
    outcome: come(small)
  },
  {
    name: "of unknown length",
    call: clone,
    steps: [
      ...found(small),
      look(blob, missing),
      begin(),
      download(blob, { status: 200, headers: { "transfer-encoding": "chunked" }, body: blob.bytes }),
      store(blob),
      ...ended(small)
    ],
    outcome: come(small)
  },
  {
    name: "that breaks off is taken up where it was",
    call: clone,
    steps: [
      ...found(large),
      look(long, missing),
      begin(),
      download(long, broken),
      download(long, part(long, half), half),
      store(long),
      ...ended(large)
    ],
    outcome: come(large)
  },
  {
    name: "that stands still is taken up over another connection",
    call: clone,
    options: { limits: hasty },
    steps: [
      ...found(large),
      look(long, missing),
      begin(),
      download(long, { ...whole, still: half }),
      download(long, part(long, half), half),
      store(long),
      ...ended(large)
    ],
    outcome: come(large)
  },
  {
    name: "that breaks off at a registry without ranges begins anew, in the same upload",
    call: clone,
    steps: [
      ...found(large),
      look(long, missing),
      begin(),
      download(long, broken),
      download(long, whole, half),
      store(long),
      ...ended(large)
    ],
    outcome: come(large)
  },
  ...([
    ["416", { status: 416 }],
    ["another part", { ...part(long, half), headers: { "content-range": "bytes 0-9/3000000" } }],
    ["a part that it does not name", { ...part(long, half), headers: {} }]
  ] satisfies ReadonlyArray<[string, Told]>).map(([name, answer]): Row => ({
    name: `that breaks off, and goes on with ${name}, begins anew in another upload`,
    call: clone,
    steps: [
      ...found(large),
      look(long, missing),
      begin(),
      download(long, broken),
      download(long, answer, half),
      never(long),
      cancel(),
      look(long, missing),
      begin(2),
      download(long, whole),
      store(long, 2),
      ...ended(large)
    ],
    outcome: come(large)
  })),
  {
    name: "that breaks off behind a redirect asks the registry anew: the link may have expired",
    call: clone,
    steps: [
      ...found(large),
      look(long, missing),
      begin(),
      download(long, { status: 307, headers: { location: "http://{storage}/a?sig=1" } }),
      { at: "storage", expect: "GET /a?sig=1", with: { range: undefined }, answer: broken },
      download(long, { status: 307, headers: { location: "http://{storage}/a?sig=2" } }, half),
      { at: "storage", expect: "GET /a?sig=2", with: { range: `bytes=${half}-` }, answer: part(long, half) },
      store(long),
      ...ended(large)
    ],
    outcome: come(large)
  },
  {
    name: "that storage refuses because the link has expired gets another link",
    call: clone,
    steps: [
      ...found(large),
      look(long, missing),
      begin(),
      download(long, { status: 307, headers: { location: "http://{storage}/a?sig=1" } }),
      {
        at: "storage",
        expect: "GET /a?sig=1",
        answer: { status: 403, body: "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>" }
      },
      cancel(),
      look(long, missing),
      begin(2),
      download(long, { status: 307, headers: { location: "http://{storage}/a?sig=2" } }),
      { at: "storage", expect: "GET /a?sig=2", answer: whole },
      store(long, 2),
      ...ended(large)
    ],
    outcome: come(large)
  },
  {
    name: "that goes on with other bytes never completes an upload",
    call: clone,
    steps: [
      ...found(large),
      look(long, missing),
      begin(),
      download(long, broken),
      download(long, { ...part(long, half), body: Buffer.alloc(half) }, half),
      never(long),
      cancel(),
      look(long, missing),
      begin(2),
      download(long, whole),
      store(long, 2),
      ...ended(large)
    ],
    outcome: come(large)
  },
  {
    name: "of wrong bytes is tried once more, and never completes an upload",
    call: clone,
    steps: [
      ...found(large),
      look(long, missing),
      begin(),
      download(long, wrong),
      never(long),
      cancel(),
      look(long, missing),
      begin(2),
      download(long, wrong),
      never(long, 2),
      cancel(2)
    ],
    outcome: { failure: { reason: "corrupt", side: "source", says: "other bytes" } }
  },
  {
    name: "of more bytes than there should be",
    call: clone,
    options: { limits: { attempts: 1 } },
    steps: [
      ...found(small),
      look(blob, missing),
      begin(),
      download(blob, {
        status: 200,
        headers: { "transfer-encoding": "chunked" },
        body: Buffer.concat([blob.bytes, blob.bytes])
      }),
      cancel()
    ],
    outcome: { failure: { reason: "corrupt", side: "source", says: "more than the 1000 bytes" } }
  },
  {
    name: "of another length than the manifest says is not begun",
    call: clone,
    options: { limits: { attempts: 1 } },
    steps: [...found(small), look(blob, missing), begin(), download(blob, { status: 200, body: "12345" }), cancel()],
    outcome: { failure: { reason: "corrupt", side: "source", says: "5 bytes" } }
  },
  {
    name: "compressed on the way is not taken",
    call: clone,
    options: { limits: { attempts: 1 } },
    steps: [
      ...found(small),
      look(blob, missing),
      begin(),
      download(blob, { status: 200, headers: { "content-encoding": "gzip" }, body: gzipSync(blob.bytes) }),
      cancel()
    ],
    outcome: { failure: { reason: "corrupt", side: "source", says: "gzip" } }
  },
  {
    name: "that is a login page in its place is said to be one",
    call: clone,
    options: { limits: { attempts: 1 } },
    steps: [
      ...found(small),
      look(blob, missing),
      begin(),
      download(blob, { status: 200, headers: { "content-type": "text/html" }, body: "<html>" }),
      cancel()
    ],
    outcome: { failure: { reason: "corrupt", side: "source", says: "text/html: a web page" } }
  },
  ...["gzip", "x-gzip", "aws-chunked", "binary", "identity", ""].map((label): Row => ({
    name: `with the bytes of its digest and "${label}" for an encoding is what it should be`,
    call: clone,
    steps: [
      ...found(small),
      look(blob, missing),
      begin(),
      download(blob, { status: 200, headers: { "content-encoding": label }, body: blob.bytes }),
      store(blob),
      ...ended(small)
    ],
    outcome: come(small)
  })),
  {
    name: "of what the source has lost",
    call: clone,
    steps: [...found(small), look(blob, missing), begin(), download(blob, refused(404, "BLOB_UNKNOWN")), cancel()],
    outcome: { failure: { reason: "not-found", side: "source", retryable: false } }
  },
  {
    name: "of a foreign layer that nobody has: it is left, and the image is copied",
    call: clone,
    steps: (() => {
      const root = single(blob, { urls: ["https://vendor.test/layer"] })
      return [
        ...found(root),
        look(blob, missing),
        begin(),
        download(blob, missing),
        cancel(),
        ...ended(root)
      ]
    })(),
    outcome: come(single(blob, { urls: ["https://vendor.test/layer"] }), {})
  },
  {
    name: "of a blob without bytes",
    call: clone,
    steps: (() => {
      const empty: TestBlob = { digest: digestOf(Buffer.alloc(0)), bytes: Buffer.alloc(0) }
      return [
        ...found(single(empty)),
        look(empty, missing),
        begin(),
        download(empty, { status: 200 }),
        store(empty),
        ...ended(single(empty))
      ]
    })(),
    outcome: come(single({ digest: digestOf(Buffer.alloc(0)), bytes: Buffer.alloc(0) }))
  }
]

conversations("a download", apart(downloads))
