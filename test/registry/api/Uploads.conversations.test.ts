// How blobs get into a backup, as conversations: what registries answer to looks, mounts, uploads, chunks and their ends.
// Source: OCI distribution-spec, "Pushing blobs", and what registries make of it.
import { Duration, Effect } from "effect"
import { Readable } from "node:stream"
import { digestOf } from "../../../src/image/Digest.ts"
import type { Upload } from "../../../src/registry/api/Upload.ts"
import { basic } from "../../../src/registry/auth/DockerConfig.ts"
import { type Answer, conversations, refused, type Row, type Step, type Talk } from "../../support/Conversation.ts"
import { layerOf, type TestBlob } from "../../support/TestImages.ts"

const blob = layerOf("blob", 1000)
const empty: TestBlob = { digest: digestOf(Buffer.alloc(0)), bytes: Buffer.alloc(0) }
const long: TestBlob = { digest: digestOf(blob.bytes, "sha512"), bytes: blob.bytes }
/** More than goes in one chunk. */
const large = layerOf("large", 5_000_000)
const first = 4 * 1024 * 1024

const bodyOf = ({ bytes }: TestBlob) => bytes.length === 0 ? undefined : Readable.from([bytes])
const push = (it: TestBlob) => ({ client, mirror }: Talk) =>
  Effect.flatMap(
    client.startUpload(mirror, it.digest),
    (upload) => client.putBlob(upload, it.digest, it.bytes.length, bodyOf(it))
  )
const look = ({ client, mirror }: Talk) => client.hasBlob(mirror, blob.digest)
const mount = ({ client, mirror }: Talk) =>
  client.mountBlob(mirror, blob.digest, { ...mirror, repository: "mirror/other" })
const pathOf = (of: "mounted" | Upload | undefined) =>
  typeof of === "object" ? of.location.pathname + of.location.search : of

const coded = (digest: string) => digest.replace(":", "%3A")
const post = (answer: Answer): Step => ({
  expect: "POST /v2/mirror/app/blobs/uploads/",
  // never the blob itself: those who do not know the single POST would have it sent in vain
  with: { "content-length": "0", "content-type": undefined },
  answer
})
const at = (location: string): Step => post({ status: 202, headers: { location } })
const put = (path: string, answer: Answer = { status: 201 }, of: TestBlob = blob): Step => ({
  expect: `PUT ${path}digest=${coded(of.digest)}`,
  with: { "content-length": String(of.bytes.length), "content-type": "application/octet-stream" },
  body: of.bytes,
  answer
})
const head = (answer: Answer, of: TestBlob = blob): Step => ({
  expect: `HEAD /v2/mirror/app/blobs/${of.digest}`,
  answer
})
const there = { status: 200 }
const missing = { status: 404 }
const stored = { value: undefined }

const looks: ReadonlyArray<Row> = [
  { name: "a blob that is there", call: look, steps: [head(there)], outcome: { value: true } },
  { name: "one that is not", call: look, steps: [head(missing)], outcome: { value: false } },
  {
    name: "one that lies in storage elsewhere, which is looked at without a login",
    call: look,
    options: { credentials: () => basic("me", "secret") },
    steps: [
      head({ status: 401, headers: { "www-authenticate": "Basic realm=\"x\"" } }),
      { ...head({ status: 307, headers: { location: "http://{storage}/blob?sig=a%2Fb" } }) },
      { at: "storage", expect: "HEAD /blob?sig=a%2Fb", with: { authorization: undefined }, answer: there }
    ],
    outcome: { value: true }
  },
  ...[400, 403, 405].map((status): Row => ({
    name: `one that lies in storage which answers ${status} to a HEAD: the registry has led there`,
    call: look,
    steps: [
      head({ status: 307, headers: { location: "http://{storage}/blob?sig=x" } }),
      { at: "storage", expect: "HEAD /blob?sig=x", answer: { status } }
    ],
    outcome: { value: true }
  })),
  {
    name: "one that storage does not have, wherever the registry led",
    call: look,
    steps: [
      head({ status: 307, headers: { location: "http://{storage}/blob?sig=x" } }),
      { at: "storage", expect: "HEAD /blob?sig=x", answer: missing }
    ],
    outcome: { value: false }
  },
  {
    name: "a registry without HEAD of blobs: the blob counts as missing",
    call: look,
    steps: [head({ status: 405 })],
    outcome: { value: false }
  },
  {
    name: "a registry that fails for a moment is asked again",
    call: look,
    steps: [head({ status: 503 }), head("hangs up"), head(there)],
    outcome: { value: true }
  },
  {
    name: "a refusal is an error, and no blob that is missing",
    call: look,
    steps: [head({ status: 403 })],
    outcome: { failure: { reason: "Denied", retryable: false } }
  }
]

const locations: ReadonlyArray<Row> = [
  ["absolute", "http://{registry}/u/1", "/u/1?"],
  ["absolute on the server", "/u/1", "/u/1?"],
  ["relative to the request", "1", "/v2/mirror/app/blobs/uploads/1?"],
  ["relative, upwards", "../1", "/v2/mirror/app/blobs/1?"],
  ["without a scheme", "//{registry}/u/1", "/u/1?"],
  ["with a scheme that a proxy has garbled", "https://{registry}/u/1", "/u/1?"],
  ["with a query, which stays as it is encoded", "/u/1?_state=a%2Bb%3D&x=~%7e+%20", "/u/1?_state=a%2Bb%3D&x=~%7e+%20&"],
  ["with an empty query", "/u/1?", "/u/1?"],
  ["with a fragment, which is never sent", "/u/1?a=b#part", "/u/1?a=b&"],
  ["of nothing but a query", "?_state=x", "/v2/mirror/app/blobs/uploads/?_state=x&"]
].map(([name = "", location = "", path = ""]) => ({
  name: `a Location ${name}`,
  call: push(blob),
  steps: [at(location), put(path)],
  outcome: stored
}))

const strangeLocations: ReadonlyArray<Row> = [
  {
    name: "a Location on another host gets the bytes, and no login",
    call: push(blob),
    options: { credentials: () => basic("me", "secret") },
    steps: [
      post({ status: 401, headers: { "www-authenticate": "Basic realm=\"x\"" } }),
      { ...at("//{storage}/put?sig=a%2Bb"), with: { authorization: "Basic bWU6c2VjcmV0" } },
      {
        ...put("/put?sig=a%2Bb&"),
        at: "storage",
        with: { authorization: undefined, "content-length": "1000" }
      }
    ],
    outcome: stored
  },
  ...["ftp://elsewhere.test/u/1", "file:///etc/passwd", "data:,x"].map((location): Row => ({
    name: `a Location like ${location} is refused`,
    call: push(blob),
    steps: [at(location)],
    outcome: { failure: { reason: "Refused", retryable: false } }
  })),
  {
    name: "a Location that is no URL",
    call: push(blob),
    steps: [at("http://[x")],
    outcome: { failure: { reason: "Protocol", retryable: false, says: "Location" } }
  },
  {
    name: "no Location",
    call: push(blob),
    steps: [post({ status: 202 })],
    outcome: { failure: { reason: "Protocol", retryable: false, says: "Location" } }
  }
]

const mountOf = (answer: Answer): Step => ({
  expect: `POST /v2/mirror/app/blobs/uploads/?mount=${coded(blob.digest)}&from=mirror%2Fother`,
  with: { "content-length": "0" },
  answer
})
const mounts: ReadonlyArray<Row> = [
  {
    name: "a mount",
    call: mount,
    steps: [mountOf({ status: 201, headers: { location: `/v2/mirror/app/blobs/${blob.digest}` } })],
    outcome: { value: "mounted" }
  },
  {
    name: "a mount that becomes an upload: that one is used",
    call: (talk) =>
      Effect.flatMap(mount(talk), (upload) =>
        typeof upload === "object"
          ? talk.client.putBlob(upload, blob.digest, blob.bytes.length, bodyOf(blob))
          : Effect.die(upload)),
    steps: [mountOf({ status: 202, headers: { location: "/u/1?_state=a%2Bb%3D" } }), put("/u/1?_state=a%2Bb%3D&")],
    outcome: stored
  },
  {
    name: "a mount that becomes an upload which nobody can use",
    call: (talk) => Effect.map(mount(talk), pathOf),
    steps: [mountOf({ status: 202 })],
    outcome: { value: undefined }
  },
  ...([
    [
      "401 with an empty challenge, as of Harbor's missing projects",
      refused(401, "UNAUTHORIZED", "", {
        "www-authenticate": ""
      })
    ],
    ["403", refused(403, "DENIED")],
    ["404", refused(404, "NAME_UNKNOWN")],
    ["405", refused(405, "UNSUPPORTED")],
    ["500", { status: 500 }],
    ["an end of the connection", "hangs up"],
    ["a redirect", { status: 307, headers: { location: "http://{storage}/elsewhere" } }]
  ] as const).map(([name, answer]): Row => ({
    name: `a mount that is answered with ${name} is none, and no error`,
    call: mount,
    steps: [mountOf(answer)],
    outcome: { value: undefined }
  })),
  {
    name: "a mount at a registry that wants rest is none, and what follows waits for it",
    options: { limits: { longestWait: Duration.seconds(5) } },
    call: (talk) =>
      Effect.gen(function*() {
        const [took, upload] = yield* Effect.timed(Effect.andThen(mount(talk), talk.client.startUpload(talk.mirror)))
        return [Duration.toMillis(took) >= 1000, pathOf(upload)]
      }),
    steps: [mountOf(refused(429, "TOOMANYREQUESTS", "", { "retry-after": "1" })), at("/u/1")],
    outcome: { value: [true, "/u/1"] }
  },
  {
    name: "a mount at a registry that wants a long rest is none, and what follows is not sent",
    call: (talk) => Effect.andThen(mount(talk), talk.client.startUpload(talk.mirror)),
    steps: [mountOf(refused(429, "TOOMANYREQUESTS", "", { "retry-after": "300" }))],
    outcome: { failure: { reason: "RateLimited", retryAfter: 300 } }
  }
]

const ends: ReadonlyArray<Row> = [
  { name: "201: stored", call: push(blob), steps: [at("/u/1"), put("/u/1?")], outcome: stored },
  ...([
    ["that the registry confirms", blob, blob.digest],
    ["of sha512, which the registry knows by its sha256", long, blob.digest],
    ["of which the registry says what is no digest", blob, "sha256:tbd"]
  ] as const).map(([what, it, digest]): Row => ({
    name: `201 for a blob ${what}: stored`,
    call: push(it),
    steps: [
      it === long
        ? { ...at("/u/1"), expect: "POST /v2/mirror/app/blobs/uploads/?digest-algorithm=sha512" }
        : at("/u/1"),
      put("/u/1?", { status: 201, headers: { "docker-content-digest": digest } }, it)
    ],
    outcome: stored
  })),
  {
    name: "201 for another digest: not stored",
    call: push(blob),
    steps: [at("/u/1"), put("/u/1?", { status: 201, headers: { "docker-content-digest": large.digest } })],
    outcome: { failure: { reason: "Corrupt", says: `stored ${large.digest} instead` } }
  },
  ...[200, 202, 204].flatMap((status): ReadonlyArray<Row> => [
    {
      name: `${status}: stored, if a look says so`,
      call: push(blob),
      steps: [at("/u/1"), put("/u/1?", { status }), head(there)],
      outcome: stored
    },
    {
      name: `${status}, and it is there a moment later`,
      call: push(blob),
      steps: [at("/u/1"), put("/u/1?", { status }), head(missing), head(there)],
      outcome: stored
    },
    {
      name: `${status}, and it is not there`,
      call: push(blob),
      steps: [at("/u/1"), put("/u/1?", { status }), ...[1, 2, 3, 4].map(() => head(missing))],
      outcome: { failure: { reason: "Unavailable", retryable: true, says: `answered ${status}` } }
    }
  ]),
  ...([
    ["500", { status: 500 }],
    ["502 in HTML", { status: 502, body: "<html>Bad Gateway</html>" }],
    [
      "504",
      { status: 504 }
    ],
    ["the end of the connection", "hangs up"],
    ["silence", "silence"]
  ] as const).flatMap((
    [name, answer]
  ): ReadonlyArray<Row> => [
    {
      name: `${name}, and it is there all the same`,
      call: push(blob),
      options: { limits: { commitTimeout: Duration.millis(200) } },
      steps: [at("/u/1"), put("/u/1?", answer), head(there)],
      outcome: stored
    },
    {
      name: `${name}, and it is not there: another upload may do`,
      call: push(blob),
      options: { limits: { commitTimeout: Duration.millis(200) } },
      steps: [at("/u/1"), put("/u/1?", answer), head(missing)],
      outcome: {
        failure: {
          reason: answer === "silence" ? "Timeout" : answer === "hangs up" ? "Unreachable" : "Unavailable",
          retryable: true,
          hides: "html"
        }
      }
    }
  ]),
  {
    name: "401: the token has ended; the next upload gets a fresh one",
    call: push(blob),
    steps: [at("/u/1"), put("/u/1?", refused(401, "UNAUTHORIZED"))],
    outcome: { failure: { reason: "Unauthorized", retryable: true } }
  },
  {
    name: "401 says nothing of the login: the next upload is begun as the same",
    call: (talk) =>
      Effect.andThen(Effect.result(push(blob)(talk)), Effect.map(talk.client.startUpload(talk.mirror), pathOf)),
    options: { credentials: () => [basic("me", "secret"), basic("other", "secret")] },
    steps: [
      post({ status: 401, headers: { "www-authenticate": "Basic realm=\"x\"" } }),
      { ...at("/u/1"), with: { authorization: "Basic bWU6c2VjcmV0" } },
      put("/u/1?", refused(401, "UNAUTHORIZED", "", { "www-authenticate": "Basic realm=\"x\"" })),
      { ...at("/u/2"), with: { authorization: "Basic bWU6c2VjcmV0" } }
    ],
    outcome: { value: "/u/2" }
  },
  {
    name: "a digest that is wrong there, and was right here: the bytes have changed on the way",
    call: push(blob),
    steps: [at("/u/1"), put("/u/1?", refused(400, "DIGEST_INVALID"))],
    outcome: { failure: { reason: "Corrupt", retryable: true } }
  },
  {
    name: "a size that is wrong there",
    call: push(blob),
    steps: [at("/u/1"), put("/u/1?", refused(400, "SIZE_INVALID"))],
    outcome: { failure: { reason: "Corrupt", retryable: true } }
  },
  ...["BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID"].map((code): Row => ({
    name: `${code}: the registry has been restarted, or is several; another upload may do`,
    call: push(blob),
    steps: [at("/u/1"), put("/u/1?", refused(404, code)), head(missing)],
    outcome: { failure: { reason: "Unavailable", retryable: true } }
  })),
  {
    name: "a repository that is not there",
    call: push(blob),
    steps: [post(refused(404, "NAME_UNKNOWN", "The repository does not exist"))],
    outcome: { failure: { reason: "NotFound", retryable: false, says: "does not exist" } }
  },
  {
    name: "a quota that is used up",
    call: push(blob),
    steps: [post(refused(403, "DENIED", "Quota has been exceeded on namespace"))],
    outcome: { failure: { reason: "Quota", retryable: false } }
  },
  {
    name: "a registry that is read-only",
    call: push(blob),
    steps: [post(refused(405, "UNSUPPORTED", "The operation is unsupported."))],
    outcome: { failure: { reason: "NotAllowed", retryable: false, says: "405" } }
  },
  {
    name: "a POST that fails for a moment is sent again: a session too many is the registry's garbage",
    call: push(blob),
    steps: [post({ status: 500 }), post("hangs up"), at("/u/1"), put("/u/1?")],
    outcome: stored
  },
  {
    name: "a POST that is redirected within the registry is sent there, with its login",
    call: push(blob),
    options: { credentials: () => basic("me", "secret") },
    steps: [
      post({ status: 401, headers: { "www-authenticate": "Basic realm=\"x\"" } }),
      { ...post({ status: 308, headers: { location: "/r/v2/up" } }), with: { authorization: "Basic bWU6c2VjcmV0" } },
      {
        expect: "POST /r/v2/up",
        with: { authorization: "Basic bWU6c2VjcmV0" },
        answer: { status: 202, headers: { location: "/u/1" } }
      },
      put("/u/1?")
    ],
    outcome: stored
  },
  {
    name: "redirects of a POST without end come to one",
    call: push(blob),
    steps: Array.from(
      { length: 6 },
      () => post({ status: 307, headers: { location: "/v2/mirror/app/blobs/uploads/" } })
    ),
    outcome: { failure: { reason: "Protocol", retryable: false, says: "redirects" } }
  },
  {
    name: "a PUT of a blob that is redirected within the registry is not sent again: its bytes have gone",
    call: push(blob),
    steps: [at("/u/1"), put("/u/1?", { status: 307, headers: { location: "/u/2" } })],
    outcome: { failure: { reason: "Protocol", retryable: false, says: "/u/2" } }
  },
  {
    name: "a POST that is redirected to another host is not followed",
    call: push(blob),
    steps: [post({ status: 307, headers: { location: "http://{storage}/x" } })],
    outcome: { failure: { reason: "Protocol", retryable: false } }
  },
  {
    name: "a PUT that is redirected to another host is not followed",
    call: push(blob),
    steps: [at("/u/1"), put("/u/1?", { status: 307, headers: { location: "http://{storage}/x" } })],
    outcome: { failure: { reason: "Protocol", retryable: false } }
  },
  {
    name: "a blob without bytes",
    call: push(empty),
    steps: [at("/u/1"), put("/u/1?", { status: 201 }, empty)],
    outcome: stored
  },
  {
    name: "a blob by sha512, which the registry is told of before",
    call: push(long),
    steps: [
      { ...at("/u/1"), expect: "POST /v2/mirror/app/blobs/uploads/?digest-algorithm=sha512" },
      put("/u/1?", { status: 201 }, long)
    ],
    outcome: stored
  },
  ...[204, 202, 404, 405, 500].map((status): Row => ({
    name: `an upload that is ended, answered with ${status}`,
    call: ({ client, mirror }) => Effect.flatMap(client.startUpload(mirror), client.cancelUpload),
    steps: [at("/u/1?_state=x"), { expect: "DELETE /u/1?_state=x", whenever: true, answer: { status } }],
    outcome: { value: undefined }
  }))
]

const tooLarge = { status: 413, body: "<html>413 Request Entity Too Large</html>" }
const patch = (location: string, from: number, to: number, answer: Answer): Step => ({
  expect: `PATCH ${location}`,
  with: {
    "content-range": `${from}-${to - 1}`,
    "content-length": String(to - from),
    "content-type": "application/octet-stream"
  },
  body: large.bytes.subarray(from, to),
  answer
})
const last = (path: string, answer: Answer = { status: 201 }): Step => ({
  ...put(path, answer, large),
  with: { "content-length": "0" },
  body: ""
})
/** The first chunk in all sizes down to 256 KiB. */
const halved = (answer: Answer): ReadonlyArray<Step> =>
  [1, 2, 4, 8, 16].map((it) => patch("/u/2", 0, first / it, answer))
/** Fails once for its size, and is sent again. */
const again = (talk: Talk) => Effect.andThen(Effect.exit(push(large)(talk)), push(large)(talk))
const refusedWhole = [at("/u/1"), { ...put("/u/1?", { ...tooLarge, early: "reads on" }, large), body: "" }]

const chunks: ReadonlyArray<Row> = [
  {
    name: "a refusal for the size, before the body has ended",
    call: push(blob),
    steps: [at("/u/1"), { ...put("/u/1?", { ...tooLarge, early: "reads on" }), body: "" }],
    outcome: { failure: { reason: "TooLarge", retryable: false, hides: "html" } }
  },
  {
    name: "a refusal of a large blob, before its body has ended, is one of its size: chunks may do",
    call: push(large),
    steps: refusedWhole,
    outcome: { failure: { reason: "TooLarge", retryable: true, hides: "html" } }
  },
  {
    name: "a refusal before the body has ended by a server that hangs up then",
    call: push(large),
    steps: [at("/u/1"), { ...put("/u/1?", { ...refused(403, "DENIED"), early: "hangs up" }, large), body: "" }],
    outcome: { failure: { reason: "Denied", retryable: false } }
  },
  {
    name: "chunks go where the newest Location says",
    call: again,
    steps: [
      ...refusedWhole,
      at("/u/2?_state=1"),
      patch("/u/2?_state=1", 0, first, { status: 202, headers: { location: "/u/2?_state=2%3D", range: "0-4194303" } }),
      patch("/u/2?_state=2%3D", first, 5_000_000, { status: 202, headers: { location: "/u/2?_state=3" } }),
      last("/u/2?_state=3&")
    ],
    outcome: stored
  },
  {
    name: "chunks that are answered with 201 or 204, and without a Location",
    call: again,
    steps: [
      ...refusedWhole,
      at("/u/2"),
      patch("/u/2", 0, first, { status: 201 }),
      patch("/u/2", first, 5_000_000, { status: 204 }),
      last("/u/2?")
    ],
    outcome: stored
  },
  {
    name: "chunks as large as the registry wants them",
    call: again,
    steps: [
      ...refusedWhole,
      post({ status: 202, headers: { location: "/u/2", "oci-chunk-min-length": "4900000" } }),
      patch("/u/2", 0, 4_900_000, { status: 202 }),
      patch("/u/2", 4_900_000, 5_000_000, { status: 202 }),
      last("/u/2?")
    ],
    outcome: stored
  },
  {
    name: "chunks larger than anybody should hold in memory",
    call: again,
    steps: [...refusedWhole, post({ status: 202, headers: { location: "/u/2", "oci-chunk-min-length": "99999999" } })],
    outcome: { failure: { reason: "Unsupported", retryable: false, says: "99999999" } }
  },
  {
    name: "a chunk that is out of order for the registry: the upload is given up, another may do",
    call: again,
    steps: [...refusedWhole, at("/u/2"), patch("/u/2", 0, first, refused(416, "RANGE_INVALID")), head(missing, large)],
    outcome: { failure: { reason: "Unavailable", retryable: true } }
  },
  {
    name: "a chunk that is too large for GHCR",
    call: again,
    steps: [
      ...refusedWhole,
      at("/u/2"),
      ...halved(refused(416, "BLOB_UPLOAD_INVALID", "exceeds the maximum permissible limit of 4.00MiB"))
    ],
    outcome: { failure: { reason: "TooLarge", retryable: false } }
  },
  {
    name: "a chunk that is too large, and goes in two",
    call: again,
    steps: [
      ...refusedWhole,
      at("/u/2"),
      patch("/u/2", 0, first, tooLarge),
      patch("/u/2", 0, first / 2, { status: 202, headers: { location: "/u/3" } }),
      patch("/u/3", first / 2, first, { status: 202 }),
      patch("/u/3", first, 5_000_000, { status: 202 }),
      last("/u/3?")
    ],
    outcome: stored
  },
  {
    name: "chunks that are too large however small they are",
    call: again,
    steps: [...refusedWhole, at("/u/2"), ...halved(tooLarge)],
    outcome: { failure: { reason: "TooLarge", retryable: false } }
  },
  {
    name: "an end of chunks whose answer is lost",
    call: again,
    steps: [
      ...refusedWhole,
      at("/u/2"),
      patch("/u/2", 0, first, { status: 202 }),
      patch("/u/2", first, 5_000_000, { status: 202 }),
      last("/u/2?", { status: 502 }),
      head(there, large)
    ],
    outcome: stored
  }
]

conversations("a look for a blob", looks)
conversations("an upload", [...locations, ...strangeLocations])
conversations("a blob that a neighbour has", mounts)
conversations("the end of an upload", ends)
conversations("a backup that refuses large requests", chunks)
