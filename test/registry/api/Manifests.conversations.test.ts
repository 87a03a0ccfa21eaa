// Manifests and what refers to them, as conversations: what is believed of an answer, and what a refusal to store one means.
// Sources: OCI distribution-spec, "Pulling manifests", "Pushing manifests", "Listing referrers".
import { Duration, Effect, Option } from "effect"
import { gzipSync } from "node:zlib"
import { digestOf } from "../../../src/image/Digest.ts"
import { acceptManifests, ociIndex, schema1Signed } from "../../../src/image/ManifestDocument.ts"
import { basic } from "../../../src/registry/auth/DockerConfig.ts"
import { fallbackTag } from "../../../src/registry/api/Referrers.ts"
import {
  type Answer,
  conversations,
  refused,
  type Row,
  type Step,
  type Talk,
  type Told
} from "../../support/Conversation.ts"
import { schema1Image, tarLayer } from "../../support/Schema1Images.ts"
import { imageOf, indexOf, manifestOf } from "../../support/TestImages.ts"

const image = imageOf([])
const { root } = image
const index = indexOf([image]).root
const signed = schema1Image([{ layer: tarLayer("a") }])
const other = digestOf(Buffer.from("other"))

const get = (reference: string) => ({ app, client }: Talk) =>
  Effect.map(client.getManifest(app, reference), (it) => [it.digest, it.mediaType])
const head = ({ app, client }: Talk) =>
  Effect.map(client.headManifest(app, "1"), (it) => Option.getOrUndefined(it)?.digest)
const put = ({ client, mirror }: Talk) => Effect.as(client.putManifest(mirror, "1", root), "put")

const asks = { accept: acceptManifests, "accept-encoding": "identity" }
const look = (answer: Answer): Step => ({ expect: "HEAD /v2/app/manifests/1", with: asks, answer })
const read = (answer: Answer, reference = "1"): Step => ({
  expect: `GET /v2/app/manifests/${reference}`,
  with: asks,
  answer
})
const store = (answer: Answer): Step => ({
  expect: "PUT /v2/mirror/app/manifests/1",
  with: { "content-type": root.mediaType, "content-length": String(root.bytes.length) },
  body: root.bytes,
  answer
})
const served = (it: { readonly bytes: Buffer; readonly mediaType: string }, headers: Told["headers"] = {}): Told => ({
  status: 200,
  headers: { "content-type": it.mediaType, ...headers },
  body: it.bytes
})
const known = { value: root.digest }
const whole = { value: [root.digest, root.mediaType] }

const heads: ReadonlyArray<Row> = [
  {
    name: "200 with its digest",
    call: head,
    steps: [look({ status: 200, headers: { "docker-content-digest": root.digest } })],
    outcome: known
  },
  { name: "404: none", call: head, steps: [look({ status: 404 })], outcome: { value: undefined } },
  ...([
    ["200 without its digest", { status: 200 }],
    ["200 with nonsense for a digest", {
      status: 200,
      headers: { "docker-content-digest": "sha256:../../x" }
    }],
    ["405", { status: 405 }],
    ["403", { status: 403 }]
  ] as const).map(([name, answer]): Row => ({
    name: `${name}: a GET tells`,
    call: head,
    steps: [look(answer), read(served(root))],
    outcome: known
  })),
  // RTFACT-13797: what a virtual repository does not have
  {
    name: "403 of an Artifactory that is the backup: none",
    call: ({ client, mirror }) => Effect.map(client.headManifest(mirror, "1"), Option.isSome),
    steps: [{
      expect: "HEAD /v2/mirror/app/manifests/1",
      answer: refused(403, "UNAUTHORIZED", "", { "x-jfrog-version": "Artifactory/7.77.5" })
    }],
    outcome: { value: false }
  },
  {
    name: "403 of an Artifactory that is a source: a GET tells",
    call: head,
    steps: [
      look(refused(403, "UNAUTHORIZED", "", { "x-jfrog-version": "Artifactory/7.77.5" })),
      read(refused(403, "UNAUTHORIZED", "", { "x-jfrog-version": "Artifactory/7.77.5" }))
    ],
    outcome: { failure: { reason: "Denied" } }
  },
  {
    name: "405, and a GET finds none",
    call: head,
    steps: [look({ status: 405 }), read(refused(404, "MANIFEST_UNKNOWN"))],
    outcome: { value: undefined }
  }
]

/** As an image is looked at first. */
const firstHead = ({ app, client }: Talk) =>
  Effect.map(client.headManifest(app, "1", true), (it) => Option.getOrUndefined(it)?.digest)
const twice = (talk: Talk) => Effect.andThen(Effect.result(firstHead(talk)), firstHead(talk))
const budget = { "ratelimit-limit": "100;w=21600", "ratelimit-remaining": "90;w=21600" }
const seen: Told = { status: 200, headers: { "docker-content-digest": root.digest } }

const secondLooks: ReadonlyArray<Row> = [
  ...[400, 404, 405, 406, 410, 451, 501].map((status): Row => ({
    name: `${status} to a HEAD, and a GET has it`,
    call: firstHead,
    steps: [look({ status }), read(served(root))],
    outcome: known
  })),
  {
    name: "its answer holds for an hour: a HEAD is asked again, and no second GET",
    call: twice,
    steps: [look({ status: 404 }), read(served(root)), look({ status: 404 })],
    outcome: known
  },
  {
    name: "what it says of an image that is missing is told, and is told again",
    call: twice,
    steps: [
      look({ status: 404 }),
      read(refused(404, "MANIFEST_UNKNOWN", "upstream says no")),
      look({ status: 404 })
    ],
    outcome: { failure: { reason: "NotFound", retryable: false, says: "upstream says no" } }
  },
  {
    name: "what it says of a refusal is told",
    call: firstHead,
    steps: [look({ status: 400 }), read({ status: 400, body: "Client sent an HTTP request to an HTTPS server.\n" })],
    outcome: { failure: { reason: "Invalid", says: "HTTPS server" } }
  },
  ...(["hangs up", "silence", { status: 503 }] as const).map((answer): Row => ({
    name: `one that comes to nothing (${
      typeof answer === "string" ? answer : answer.status
    }) is the only one all the same`,
    call: firstHead,
    options: { limits: { answerTimeout: Duration.millis(200) } },
    steps: [look({ status: 404 }), read(answer), look({ status: 404 }), look({ status: 404 })],
    outcome: {
      failure: {
        reason: answer === "hangs up" ? "Unreachable" : answer === "silence" ? "Timeout" : "Unavailable",
        retryable: true
      }
    }
  })),
  {
    name: "a rate limit in its place rests the host",
    call: firstHead,
    steps: [look({ status: 404 }), read(refused(429, "TOOMANYREQUESTS", "", { "retry-after": "60" }))],
    outcome: { failure: { reason: "RateLimited", retryAfter: 60 } }
  },
  {
    name: "none where the registry says with its refusal how much may be read of it",
    call: firstHead,
    steps: [look({ status: 404, headers: budget })],
    outcome: { value: undefined }
  },
  {
    name: "none where it has said so before",
    call: (talk) => Effect.andThen(talk.client.headManifest(talk.app, "2"), firstHead(talk)),
    steps: [{ expect: "HEAD /v2/app/manifests/2", answer: { status: 404, headers: budget } }, look({ status: 404 })],
    outcome: { value: undefined }
  },
  ...([[404, { value: undefined }], [400, { failure: { reason: "Invalid", says: "HTTP 400" } }]] as const).map((
    [status, outcome]
  ): Row => ({
    name: `none where it has answered a HEAD before: ${status} is believed`,
    call: (talk) => Effect.andThen(talk.client.headManifest(talk.app, "2"), firstHead(talk)),
    steps: [{ expect: "HEAD /v2/app/manifests/2", answer: seen }, look({ status })],
    outcome
  })),
  {
    name: "none for a digest, which is asked for by GET anyway",
    call: ({ app, client }) => Effect.map(client.headManifest(app, other, true), Option.isSome),
    steps: [{ expect: `HEAD /v2/app/manifests/${other}`, answer: { status: 404 } }],
    outcome: { value: false }
  },
  {
    name: "none at the backup, where most is missing",
    call: ({ client, mirror }) => Effect.map(client.headManifest(mirror, "1", true), Option.isSome),
    steps: [{ expect: "HEAD /v2/mirror/app/manifests/1", answer: { status: 404 } }],
    outcome: { value: false }
  },
  {
    name: "none for an outage, which is asked again",
    call: firstHead,
    steps: [look({ status: 507 }), look(seen)],
    outcome: known
  }
]

const gets: ReadonlyArray<Row> = [
  ...([
    ["Artifactory", { "x-artifactory-id": "abc" }, "NotFound"],
    ["another registry", {}, "Denied"]
  ] as const).map(([name, headers, reason]): Row => ({
    name: `403 of ${name} that is the backup`,
    call: ({ client, mirror }) => client.getManifest(mirror, "1"),
    steps: [{ expect: "GET /v2/mirror/app/manifests/1", answer: refused(403, "UNAUTHORIZED", "", headers) }],
    outcome: { failure: { reason } }
  })),
  { name: "its bytes, and the digest that they have", call: get("1"), steps: [read(served(root))], outcome: whole },
  {
    name: "a type with parameters stays as it came",
    call: get("1"),
    steps: [read(served({ ...root, mediaType: `${root.mediaType}; charset=utf-8` }))],
    outcome: { value: [root.digest, `${root.mediaType}; charset=utf-8`] }
  },
  {
    name: "another digest in the header of a tag: ours counts",
    call: get("1"),
    steps: [read(served(root, { "docker-content-digest": other }))],
    outcome: whole
  },
  {
    name: "other bytes than those of the digest, whatever the header says: asked again, then corrupt",
    call: get(other),
    steps: [1, 2, 3].map(() => read(served(root, { "docker-content-digest": other }), other)),
    outcome: { failure: { reason: "Corrupt", retryable: true, says: root.digest } }
  },
  {
    name: "a child in place of the index whose digest was asked for",
    call: get(index.digest),
    options: { limits: { attempts: 1 } },
    steps: [read(served(root), index.digest)],
    outcome: { failure: { reason: "Corrupt" } }
  },
  {
    name: "compressed on the way, though nobody wanted that",
    call: get("1"),
    options: { limits: { attempts: 1 } },
    steps: [read(served({ ...root, bytes: gzipSync(root.bytes) }, { "content-encoding": "gzip" }))],
    outcome: { failure: { reason: "Corrupt", says: "compressed" } }
  },
  {
    name: "compressed on the way, and asked for by digest: other bytes, with the label as the reason",
    call: get(root.digest),
    options: { limits: { attempts: 1 } },
    steps: [read(served({ ...root, bytes: gzipSync(root.bytes) }, { "content-encoding": "gzip" }), root.digest)],
    outcome: { failure: { reason: "Corrupt", says: "Content-Encoding: gzip" } }
  },
  ...["identity", "gzip", "x-gzip", "aws-chunked", "binary", "utf-8", ""].flatMap((label): ReadonlyArray<Row> =>
    ["1", root.digest].map((reference) => ({
      name: `content-encoding: "${label}" of bytes that are those of the manifest ${reference.slice(0, 6)} is a label`,
      call: get(reference),
      steps: [read(served(root, { "content-encoding": label }), reference)],
      outcome: whole
    }))
  ),
  {
    name: "a login page in place of it, behind a redirect: said to be one, without its query",
    call: get("1"),
    steps: [
      read({ status: 302, headers: { location: "/login?next=secret" } }),
      {
        expect: "GET /login?next=secret",
        answer: { status: 200, headers: { "content-type": "text/html" }, body: "<html><title>Sign in</title>" }
      }
    ],
    outcome: { failure: { reason: "Protocol", retryable: false, says: "a login page of http://", hides: "secret" } }
  },
  {
    name: "a login page that anybody is shown proves nothing: no login is offered after it",
    call: get("1"),
    apart: true,
    options: { credentials: (_, repository) => repository === "app" ? basic("me", "secret") : undefined },
    steps: ["HEAD", "GET"].map((method) => ({
      expect: `${method} /v2/app/manifests/1`,
      with: { authorization: undefined },
      answer: { status: 200, headers: { "content-type": "text/html" }, body: "<html><title>Log in</title>" }
    })),
    outcome: { failure: { reason: "Protocol", says: "a login page" } }
  },
  {
    name: "a page in place of the bytes of a digest",
    call: get(root.digest),
    steps: [read({ status: 200, headers: { "content-type": "text/html" }, body: "<html>" }, root.digest)],
    outcome: { failure: { reason: "Protocol", retryable: false, says: "a web page came" } }
  },
  {
    name: "a signed one of schema 1 by the digest of what is signed",
    call: get(signed.root.digest),
    steps: [read(served(signed.root), signed.root.digest)],
    outcome: { value: [signed.root.digest, schema1Signed] }
  },
  {
    name: "more than a manifest may have, told beforehand",
    call: get("1"),
    steps: [
      read({ ...served(root, { "content-length": 40_000_000 }), body: Buffer.alloc(8_500_000), still: 8_500_000 })
    ],
    outcome: { failure: { reason: "TooLarge", retryable: false } }
  },
  {
    name: "more than a manifest may have, without a word",
    call: get("1"),
    steps: [read({ ...served(root, { "transfer-encoding": "chunked" }), body: Buffer.alloc(8_388_609, 32) })],
    outcome: { failure: { reason: "TooLarge", retryable: false } }
  },
  {
    name: "behind a redirect",
    call: get("1"),
    steps: [
      read({ status: 307, headers: { location: "http://{storage}/m?sig=x" } }),
      { at: "storage", expect: "GET /m?sig=x", with: { ...asks, authorization: undefined }, answer: served(root) }
    ],
    outcome: whole
  },
  {
    name: "404",
    call: get("1"),
    steps: [read(refused(404, "MANIFEST_UNKNOWN", "manifest unknown"))],
    outcome: { failure: { reason: "NotFound", retryable: false, says: "manifest unknown" } }
  }
]

const immutable: ReadonlyArray<[string, Told]> = [
  ["400, as Artifact Registry says it", refused(400, "FAILED", "The repository has enabled tag immutability")],
  ["403, as Artifactory says it", refused(403, "DENIED", "not enough permissions to overwrite artifact")],
  ["409, as Quay says it", refused(409, "TAG_IMMUTABLE")],
  ["412, as Harbor says it", refused(412, "PRECONDITION", "configured as immutable")]
]

const lookThere = (digest: string): Step => ({
  ...look({ status: 200, headers: { "docker-content-digest": digest } }),
  expect: "HEAD /v2/mirror/app/manifests/1"
})
const existing = refused(400, "TAG_INVALID", "The image tag '1' already exists and cannot be overwritten")

const puts: ReadonlyArray<Row> = [
  ...[200, 201, 202, 204].map((status): Row => ({
    name: `${status}: stored`,
    call: put,
    steps: [store({ status, headers: { "docker-content-digest": root.digest } })],
    outcome: { value: "put" }
  })),
  {
    name: "200 with a login page: nothing was stored",
    call: put,
    steps: [store({ status: 200, headers: { "content-type": "text/html" }, body: "<html><title>Sign in</title>" })],
    outcome: { failure: { reason: "Protocol", retryable: false, says: "HTTP 200: a login page (\"Sign in\")" } }
  },
  {
    name: "201 without a body, whatever that is called",
    call: put,
    steps: [store({ status: 201, headers: { "content-type": "text/html; charset=utf-8" } })],
    outcome: { value: "put" }
  },
  {
    name: "201 with a word that Quay calls HTML",
    call: put,
    steps: [store({ status: 201, headers: { "content-type": "text/html; charset=utf-8" }, body: "OK" })],
    outcome: { value: "put" }
  },
  {
    name: "201, without any digest",
    call: put,
    steps: [store({ status: 201 })],
    outcome: { value: "put" }
  },
  {
    name: "201 with another digest: something else was stored",
    call: put,
    steps: [store({ status: 201, headers: { "docker-content-digest": other } })],
    outcome: { failure: { reason: "Corrupt", says: other } }
  },
  {
    name: "400, as ECR says it, where the tag is another: a tag that cannot be moved",
    call: put,
    steps: [store(existing), lookThere(other)],
    outcome: { failure: { reason: "Immutable", retryable: false } }
  },
  {
    name: "400, as ECR says it, where the tag is this very one: it is there",
    call: put,
    steps: [store(existing), lookThere(root.digest)],
    outcome: { value: "put" }
  },
  ...immutable.map(([name, answer]): Row => ({
    name: `${name}: a tag that cannot be moved, and is not tried again`,
    call: put,
    steps: [store(answer)],
    outcome: { failure: { reason: "Immutable", retryable: false } }
  })),
  ...([
    ["404 MANIFEST_BLOB_UNKNOWN, as Distribution 2 says it", refused(404, "MANIFEST_BLOB_UNKNOWN"), "Incomplete"],
    ["400 MANIFEST_BLOB_UNKNOWN", refused(400, "MANIFEST_BLOB_UNKNOWN"), "Incomplete"],
    ["400 BLOB_UNKNOWN", refused(400, "BLOB_UNKNOWN"), "Incomplete"],
    ["400 MANIFEST_UNKNOWN for a child", refused(400, "MANIFEST_UNKNOWN"), "Incomplete"],
    ["400 MANIFEST_INVALID, as for an index that is not whole", refused(400, "MANIFEST_INVALID"), "Invalid"],
    ["404 NAME_UNKNOWN", refused(404, "NAME_UNKNOWN"), "NotFound"],
    ["403 DENIED", refused(403, "DENIED"), "Denied"],
    ["403 for a quota", refused(403, "DENIED", "quota exceeded"), "Quota"],
    ["405, as of a registry that is read-only", refused(405, "UNSUPPORTED"), "NotAllowed"],
    ["413", { status: 413, body: "<html>" }, "TooLarge"],
    ["415, as of a registry that takes no Docker types", refused(415, "MANIFEST_INVALID"), "Unsupported"]
  ] satisfies ReadonlyArray<[string, Told, string]>).map(([name, answer, reason]): Row => ({
    name: `${name}: not tried again`,
    call: put,
    steps: [store(answer)],
    outcome: { failure: { reason, retryable: false } }
  })),
  {
    name: "307 within the registry: put there, byte for byte",
    call: put,
    steps: [
      store({ status: 307, headers: { location: "/r/v2/app/1" } }),
      { expect: "PUT /r/v2/app/1", with: { "content-type": root.mediaType }, body: root.bytes, answer: { status: 201 } }
    ],
    outcome: { value: "put" }
  },
  {
    name: "301 to another host: not followed, and named without its query",
    call: put,
    steps: [store({ status: 301, headers: { location: "http://{storage}/v2/app/1?sig=secret" } })],
    outcome: { failure: { reason: "Protocol", retryable: false, says: "/v2/app/1", hides: "secret" } }
  },
  {
    name: "nothing is put outside the prefix",
    call: ({ app, client }) => client.putManifest(app, "1", root),
    steps: [],
    outcome: { failure: { reason: "Refused", retryable: false } }
  }
]

const referrersPath = `/v2/app/referrers/${root.digest}`
const referrers = ({ app, client }: Talk) =>
  Effect.map(client.referrersOf(app, root.digest), (all) => all.map((it) => it.digest))
const descriptor = (digest: string) => ({ mediaType: root.mediaType, digest, size: 10, artifactType: "x/y" })
const list = (...digests: ReadonlyArray<string>) =>
  manifestOf(ociIndex, { schemaVersion: 2, mediaType: ociIndex, manifests: digests.map(descriptor) })
const listed = (headers: Told["headers"], ...digests: ReadonlyArray<string>): Told => ({
  status: 200,
  headers: { "content-type": ociIndex, ...headers },
  body: list(...digests).bytes
})
const page = (answer: Answer, query = ""): Step => ({ expect: `GET ${referrersPath}${query}`, answer })
const byTag: ReadonlyArray<Step> = [
  {
    expect: `HEAD /v2/app/manifests/${fallbackTag(root.digest)}`,
    answer: { status: 200, headers: { "docker-content-digest": list(other).digest, "content-type": ociIndex } }
  },
  read(served(list(other)), list(other).digest)
]
const noTag: Step = { expect: `HEAD /v2/app/manifests/${fallbackTag(root.digest)}`, answer: { status: 404 } }

const lists: ReadonlyArray<Row> = [
  { name: "200: what it lists", call: referrers, steps: [page(listed({}, other))], outcome: { value: [other] } },
  { name: "200: an empty list", call: referrers, steps: [page(listed({}))], outcome: { value: [] } },
  {
    name: "200 on pages",
    call: referrers,
    steps: [
      page(listed({ link: `<${referrersPath}?n=1&last=a>; rel="next"` }, root.digest)),
      page(listed({}, other), "?n=1&last=a")
    ],
    outcome: { value: [root.digest, other] }
  },
  ...["http://{storage}/x", "/v2/other/referrers/x", "//{storage}/x"].map((link): Row => ({
    name: `200 with a next page at ${link}: lists go on where they began, or not at all`,
    call: referrers,
    steps: [page(listed({ link: `<${link}>; rel="next"` }, other))],
    outcome: { value: [other] }
  })),
  {
    name: "200 on pages without end: ten are read",
    call: referrers,
    steps: Array.from(
      { length: 10 },
      (_, at) => page(listed({ link: `<?n=${at + 1}>; rel="next"` }, other), at === 0 ? "" : `?n=${at}`)
    ),
    outcome: { value: Array.from({ length: 10 }, () => other) }
  },
  ...([
    ["303 to a page elsewhere, as of GHCR", { status: 303, headers: { location: "http://{storage}/page" } }],
    ["400", { status: 400 }],
    ["404", refused(404, "NOT_FOUND")],
    ["405", { status: 405 }],
    ["406", { status: 406 }],
    ["501", { status: 501 }],
    ["200 with a page", { status: 200, headers: { "content-type": "text/html" }, body: "<html>" }]
  ] satisfies ReadonlyArray<[string, Told]>).map(([name, answer]): Row => ({
    name: `${name}: no such API; the list is under the tag, and the API is not asked again`,
    call: (talk) => Effect.andThen(referrers(talk), referrers(talk)),
    steps: [page(answer), ...byTag, ...byTag],
    outcome: { value: [other] }
  })),
  {
    name: "404, and no tag: none",
    call: referrers,
    steps: [page({ status: 404 }), noTag],
    outcome: { value: [] }
  },
  ...[401, 403].map((status): Row => ({
    name: `${status} here says nothing of the API elsewhere: it is asked again`,
    call: (talk) => Effect.andThen(referrers(talk), referrers(talk)),
    steps: [page({ status }), noTag, page(listed({}, other))],
    outcome: { value: [other] }
  })),
  {
    name: "503 for a moment is asked again",
    call: referrers,
    steps: [page({ status: 503 }), page(listed({}, other))],
    outcome: { value: [other] }
  },
  {
    name: "429 is a rate limit here too",
    call: referrers,
    steps: [page(refused(429, "TOOMANYREQUESTS", "", { "retry-after": "60" }))],
    outcome: { failure: { reason: "RateLimited", retryAfter: 60 } }
  },
  {
    name: "200 with something else than descriptors",
    call: referrers,
    steps: [page({ status: 200, headers: { "content-type": ociIndex }, body: "{\"manifests\":[{\"digest\":\"x\"}]}" })],
    outcome: { failure: { reason: "Protocol", retryable: false } }
  }
]

conversations("HEAD of a manifest", heads)
conversations("a second look at a source's tag", secondLooks)
conversations("GET of a manifest", gets)
conversations("PUT of a manifest", puts)
conversations("referrers", lists)
