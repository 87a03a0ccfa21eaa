// Registries that throttle, fail, stall and break off, as conversations: what is waited for, what is tried again, what is told.
// Sources: RFC 9110 §10.2.3, and what Docker Hub, GHCR, Cloudflare and proxies say when they want rest.
import { Duration, Effect } from "effect"
import {
  type Answer,
  conversations,
  refused,
  type Row,
  type Step,
  type Talk,
  type Told
} from "../support/Conversation.ts"
import { imageOf } from "../support/TestImages.ts"

const { root } = imageOf([])

const get = ({ app, client }: Talk) => Effect.map(client.getManifest(app, "1"), (it) => it.digest)
const head = ({ app, client }: Talk) => Effect.as(client.headManifest(app, "1"), "answered")
const put = ({ client, mirror }: Talk) => Effect.as(client.putManifest(mirror, "1", root), "put")

const got: Told = { status: 200, headers: { "content-type": root.mediaType }, body: root.bytes }
const seen: Told = { status: 200, headers: { "content-type": root.mediaType, "docker-content-digest": root.digest } }
const step = (answer: Answer): Step => ({ expect: "GET /v2/app/manifests/1", answer })
const look = (answer: Answer): Step => ({ expect: "HEAD /v2/app/manifests/1", answer })
const store = (answer: Answer): Step => ({ expect: "PUT /v2/mirror/app/manifests/1", body: root.bytes, answer })
const read = { value: root.digest }
const asked = { value: "answered" }
const rests = (retryAfter: number) => ({ failure: { reason: "RateLimited", retryable: true, retryAfter } })

const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toUTCString()
const tooMany = (message: string, headers: Told["headers"] = {}) => refused(429, "TOOMANYREQUESTS", message, headers)
const hub = "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"

const rateLimits: ReadonlyArray<Row> = [
  {
    name: "429 with a second to wait: waited for, and asked again",
    call: get,
    options: { limits: { longestWait: Duration.seconds(5) } },
    steps: [step(tooMany("", { "retry-after": "1" })), step(got)],
    outcome: read
  },
  {
    name: "429 with seconds, more than is waited for",
    call: get,
    steps: [step(tooMany("", { "retry-after": "30" }))],
    outcome: rests(30)
  },
  {
    name: "429 with a date",
    call: get,
    steps: [step(() => tooMany("", { "retry-after": inSeconds(90) }))],
    outcome: rests(90)
  },
  {
    name: "429 with a date that has passed: asked again at once",
    call: get,
    steps: [step(() => tooMany("", { "retry-after": inSeconds(-90) })), step(got)],
    outcome: read
  },
  {
    name: "429 with six hours: the permit is given back for so long",
    call: get,
    steps: [step(tooMany(hub, { "retry-after": "21600" }))],
    outcome: rests(21_600)
  },
  {
    name: "429 with a year: a day is believed",
    call: get,
    steps: [step(tooMany("", { "retry-after": "31536000" }))],
    outcome: rests(86_400)
  },
  {
    name: "429 whose time is in its message alone, as GHCR has it: waited for, and asked again",
    call: get,
    steps: [step(tooMany("retry-after: 10.305464ms, allowed: 2000/minute")), step(got)],
    outcome: read
  },
  {
    name: "429 whose minutes are in its message alone",
    call: get,
    steps: [step(tooMany("retry-after: 1m30s, allowed: 2000/minute"))],
    outcome: rests(90)
  },
  {
    name: "429 of a budget of hours without a time: a quarter of an hour",
    call: get,
    steps: [step(tooMany(hub))],
    outcome: rests(900)
  },
  {
    name: "429 in plain text: a short rest",
    call: get,
    steps: [step({ status: 429, body: "Too Many Requests" })],
    outcome: rests(10)
  },
  {
    name: "429 with nonsense for a time: a short rest",
    call: get,
    steps: [step(tooMany("", { "retry-after": "soon" }))],
    outcome: rests(10)
  },
  {
    name: "403 that is GHCR's secondary limit: minutes, and no question of rights",
    call: get,
    steps: [
      step(
        refused(403, "DENIED", "permission_denied: You have exceeded a secondary rate limit. Please wait a few minutes")
      )
    ],
    outcome: rests(300)
  },
  {
    name: "403 to a HEAD, which cannot say that it is a rate limit: a GET tells",
    call: head,
    steps: [look({ status: 403 }), step(refused(403, "DENIED", "You have exceeded a secondary rate limit."))],
    outcome: rests(300)
  },
  {
    name: "503 with Retry-After",
    call: get,
    steps: [step({ status: 503, headers: { "retry-after": "60" } })],
    outcome: { failure: { reason: "Unavailable", retryable: true, retryAfter: 60 } }
  },
  {
    name: "a host that rests is not asked for anything else meanwhile",
    call: (talk) => Effect.andThen(Effect.exit(get(talk)), head(talk)),
    steps: [step(tooMany("", { "retry-after": "60" }))],
    outcome: rests(60)
  },
  {
    name: "a host that rests does not keep storage on another host from answering",
    call: ({ app, client, mirror }) =>
      Effect.andThen(
        Effect.exit(client.getManifest(app, "1")),
        Effect.as(client.headManifest(mirror, "1"), "answered")
      ),
    apart: true,
    steps: [
      step(tooMany("", { "retry-after": "60" })),
      { at: "backup", expect: "HEAD /v2/mirror/app/manifests/1", answer: { status: 404 } }
    ],
    outcome: asked
  },
  {
    name: "a budget that runs low is left to the cluster: what counts waits, what is free goes on",
    call: (talk) => Effect.andThen(Effect.exit(head(talk)), Effect.andThen(head(talk), get(talk))),
    steps: [
      look({
        ...seen,
        headers: { ...seen.headers, "ratelimit-limit": "100;w=21600", "ratelimit-remaining": "19;w=21600" }
      }),
      look(seen)
    ],
    outcome: { failure: { reason: "RateLimited", retryAfter: 900, says: "RATE_LIMIT_RESERVE" } }
  },
  {
    name: "a budget of which enough is left is used",
    call: (talk) => Effect.andThen(head(talk), get(talk)),
    steps: [
      look({
        ...seen,
        headers: { ...seen.headers, "ratelimit-limit": "100;w=21600", "ratelimit-remaining": "20;w=21600" }
      }),
      step(got)
    ],
    outcome: read
  }
]

const page = "<html><head><title>502 Bad Gateway</title></head></html>"
const failures: ReadonlyArray<Row> = [
  ...[408, 425, 499, 500, 502, 503, 504, 507, 520, 522, 527, 529, 530, 598].map((status): Row => ({
    name: `${status}: asked again`,
    call: get,
    steps: [step({ status }), step(got)],
    outcome: read
  })),
  {
    name: "a page with a 502: asked again so often, and its text is nobody's business",
    call: get,
    steps: [1, 2, 3].map(() => step({ status: 502, headers: { "content-type": "text/html" }, body: page })),
    outcome: {
      failure: {
        reason: "Unavailable",
        retryable: true,
        says: "HTTP 502: a web page (\"502 Bad Gateway\")",
        hides: "html"
      }
    }
  },
  ...([[400, "Invalid"], [404, "NotFound"], [405, "NotAllowed"], [406, "Unsupported"], [410, "Invalid"], [
    451,
    "Invalid"
  ]] as const).map(([status, reason]): Row => ({
    name: `${status}: not asked again`,
    call: get,
    steps: [step({ status })],
    outcome: { failure: { reason, retryable: false, says: `HTTP ${status}` } }
  })),
  {
    name: "the end of the connection in place of an answer: asked again",
    call: get,
    steps: [step("hangs up"), step("hangs up"), step(got)],
    outcome: read
  },
  {
    name: "the end of the connection in the middle of one: asked again",
    call: get,
    steps: [step({ ...got, cut: 100 }), step(got)],
    outcome: read
  },
  {
    name: "the end of the connection in the middle of one of unknown length: asked again",
    call: get,
    steps: [
      step({ ...got, headers: { ...got.headers, "transfer-encoding": "chunked" }, cut: 100 }),
      step(got)
    ],
    outcome: read
  },
  {
    name: "something else than HTTP: not asked again",
    call: get,
    steps: [step("nonsense")],
    outcome: { failure: { reason: "Protocol", retryable: false, hides: "ceci" } }
  },
  {
    name: "a manifest that is refused for a moment is put again",
    call: put,
    steps: [store({ status: 500 }), store("hangs up"), store({ status: 201 })],
    outcome: { value: "put" }
  },
  {
    name: "an answer before the body has ended counts",
    call: put,
    steps: [{ ...store({ ...refused(403, "DENIED", "no"), early: "reads on" }), body: "" }],
    outcome: { failure: { reason: "Denied", retryable: false, says: "no" } }
  }
]

const hasty = { attempts: 2, answerTimeout: Duration.millis(150), wholeTimeout: Duration.millis(250) }
const slow: ReadonlyArray<Row> = [
  {
    name: "that says nothing: asked once more, then given up",
    call: get,
    options: { limits: hasty },
    steps: [step("silence"), step("silence")],
    outcome: { failure: { reason: "Timeout", retryable: true } }
  },
  {
    name: "that falls silent in the middle: asked once more, then given up",
    call: get,
    options: { limits: hasty },
    steps: [step({ ...got, still: 50 }), step({ ...got, still: 50 })],
    outcome: { failure: { reason: "Timeout", retryable: true } }
  },
  {
    name: "that drips, never silent for long: given up all the same",
    call: get,
    options: { limits: hasty },
    steps: [step({ ...got, drip: 20 }), step({ ...got, drip: 20 })],
    outcome: { failure: { reason: "Timeout", retryable: true, says: "too slowly" } }
  },
  {
    name: "that drips its refusal: the refusal counts when it is there",
    call: ({ app, client }) => client.openBlob(app, root.digest, 0),
    options: { limits: hasty },
    steps: [{
      expect: `GET /v2/app/blobs/${root.digest}`,
      answer: { ...refused(404, "BLOB_UNKNOWN", "x".repeat(500)), drip: 20 }
    }],
    outcome: { failure: { reason: "NotFound", retryable: false } }
  },
  {
    name: "that was silent once: its next answer counts",
    call: get,
    options: { limits: hasty },
    steps: [step("silence"), step(got)],
    outcome: read
  }
]

conversations("a registry that wants rest", rateLimits)
conversations("a registry that fails", failures)
conversations("a registry", slow)
