// Who is let in with what, as conversations: challenges, token servers of every manner, realms, redirects, several logins.
// Sources: distribution docs/spec/auth, RFC 9110 §11, and what registries make of them.
import { Effect, Option, Result } from "effect"
import { basic, identityToken, type Login } from "../../../src/registry/auth/DockerConfig.ts"
import {
  type Answer,
  conversations,
  refused,
  type Row,
  type Step,
  type Talk,
  type Told
} from "../../support/Conversation.ts"
import { imageOf, layerOf } from "../../support/TestImages.ts"

const { root } = imageOf([])
const blob = layerOf("blob", 1000)
const login = basic("me", "secret")
const asMe = "Basic bWU6c2VjcmV0"

const headOf = ({ app, client }: Talk) => Effect.map(client.headManifest(app, "1"), Option.isSome)
const begin = ({ client, mirror }: Talk) => Effect.as(client.startUpload(mirror), "begun")
const mount = ({ client, mirror }: Talk) =>
  client.mountBlob(mirror, blob.digest, { ...mirror, repository: "mirror/other" })

/** Why a blob does not come, whether later it may; and whether the manifest is there then. */
const refusedThere = (talk: Talk) =>
  Effect.gen(function*() {
    const outcome = yield* Effect.result(Effect.scoped(talk.client.openBlob(talk.app, blob.digest, 0)))
    const why = Result.isFailure(outcome) ? [outcome.failure.reason, outcome.failure.retryable] : ["opened"]
    return [...why, yield* headOf(talk)]
  })
const load = (answer: Answer): Step => ({ expect: `GET /v2/app/blobs/${blob.digest}`, answer })
const expired: Told = { status: 403, body: "<Error><Code>AccessDenied</Code></Error>" }

const found: Told = { status: 200, headers: { "docker-content-digest": root.digest, "content-type": root.mediaType } }
const opened: Told = { status: 202, headers: { location: "/u/1" } }
const bearer = (more = "") => `Bearer realm="http://{realm}/token",service="reg",scope="repository:app:pull"${more}`
const challenge = (text: string | Array<string> = bearer()): Told =>
  refused(401, "UNAUTHORIZED", "authentication required", { "www-authenticate": text })
const token = (value: string, more: object = {}): Told => ({
  status: 200,
  body: JSON.stringify({ token: value, ...more })
})

const head = (answer: Answer, authorization?: string): Step => ({
  expect: "HEAD /v2/app/manifests/1",
  with: { authorization },
  answer
})
const post = (answer: Answer, authorization?: string): Step => ({
  expect: "POST /v2/mirror/app/blobs/uploads/",
  with: { authorization },
  answer
})
const pull = "scope=repository%3Aapp%3Apull"
const push = "scope=repository%3Amirror%2Fapp%3Apull%2Cpush"
const get = (scope: string, answer: Answer, authorization?: string): Step => ({
  at: "realm",
  expect: `GET /token?service=reg&${scope}`,
  with: { authorization },
  answer
})
const yes = { value: true }
const begun = { value: "begun" }
const closed = { failure: { reason: "Unauthorized", retryable: false } }

const challenges: ReadonlyArray<Row> = [
  ...([
    ["Bearer", bearer()],
    ["Bearer in capitals and odd spaces", `BEARER  Realm = "http://{realm}/token" ,, SERVICE="reg"`],
    ["Bearer behind Basic", `Basic realm="x", ${bearer()}`],
    ["Bearer in a header of its own", ["Basic realm=\"x\"", bearer()]],
    ["Bearer without quotation marks", "Bearer realm=http://{realm}/token,service=reg"],
    ["Bearer with escapes", `Bearer realm="http://{realm}/\\token",service="r\\eg"`]
  ] satisfies ReadonlyArray<[string, string | Array<string>]>).map(([name, text]): Row => ({
    name,
    call: headOf,
    steps: [head(challenge(text)), get(pull, token("t")), head(found, "Bearer t")],
    outcome: yes
  })),
  {
    name: "Bearer with a realm that is relative",
    call: headOf,
    steps: [
      head(challenge("Bearer realm=\"/token\",service=\"reg\"")),
      { ...get(pull, token("t")), at: "registry" },
      head(found, "Bearer t")
    ],
    outcome: yes
  },
  {
    name: "Bearer with a realm that has a query and a login: the login is not ours to send",
    call: headOf,
    steps: [
      head(challenge("Bearer realm=\"http://a:b@{realm}/token?x=1\",service=\"reg\"")),
      {
        at: "realm",
        expect: `GET /token?x=1&service=reg&${pull}`,
        with: { authorization: undefined },
        answer: token("t")
      },
      head(found, "Bearer t")
    ],
    outcome: yes
  },
  ...([
    ["none", {}],
    ["an empty one", { "www-authenticate": "" }],
    ["nonsense", { "www-authenticate": "=,\"" }],
    [
      "a realm that is no URL",
      { "www-authenticate": "Bearer realm=\"http://[\"" }
    ],
    ["a realm of another kind", { "www-authenticate": "Bearer realm=\"file:///etc/passwd\"" }],
    [
      "one that nobody knows",
      { "www-authenticate": "Negotiate" }
    ]
  ] as const).map(([name, headers]): Row => ({
    name: `${name}: closed, and not asked again`,
    call: headOf,
    steps: [head(refused(401, "UNAUTHORIZED", "", headers))],
    outcome: closed
  })),
  {
    name: "Basic, for a login",
    call: begin,
    options: { credentials: () => login },
    steps: [post(challenge("Basic realm=\"x\"")), post(opened, asMe)],
    outcome: begun
  },
  {
    name: "Basic, without a login",
    call: headOf,
    steps: [head(challenge("Basic realm=\"x\""))],
    outcome: closed
  },
  {
    name: "Basic, for a login that is wrong",
    call: begin,
    options: { credentials: () => login },
    steps: [post(challenge("Basic realm=\"x\"")), post(challenge("Basic realm=\"x\""), asMe)],
    outcome: closed
  },
  {
    name: "Basic after a token that was not enough, as Harbor has it: tokens it remains",
    call: (talk) => Effect.andThen(Effect.exit(headOf(talk)), headOf(talk)),
    steps: [
      head(challenge()),
      get(pull, token("t1")),
      head(challenge("Basic realm=\"harbor\""), "Bearer t1"),
      head(challenge("Basic realm=\"harbor\""), "Bearer t1"),
      get(pull, token("t2")),
      head(found, "Bearer t2")
    ],
    outcome: yes
  },
  {
    name: "a token that has ended is replaced by another, once",
    call: (talk) => Effect.andThen(headOf(talk), headOf(talk)),
    steps: [
      head(challenge()),
      get(pull, token("t1")),
      head(found, "Bearer t1"),
      head(challenge(bearer(",error=\"invalid_token\"")), "Bearer t1"),
      get(pull, token("t2")),
      head(found, "Bearer t2")
    ],
    outcome: yes
  },
  {
    name: "a second token that is not enough: closed",
    call: headOf,
    steps: [
      head(challenge()),
      get(pull, token("t")),
      head(challenge(bearer(",error=\"insufficient_scope\"")), "Bearer t")
    ],
    outcome: closed
  }
]

const tokens: ReadonlyArray<Row> = [
  ...([
    ["as access_token", { access_token: "t" }],
    ["in both members", { access_token: "other", token: "t" }],
    ["with a lifetime in text", { token: "t", expires_in: "300" }],
    ["with a lifetime of nonsense", { token: "t", expires_in: { a: 1 }, issued_at: "never" }]
  ] as const).map(([name, body]): Row => ({
    name: `a token ${name}`,
    call: headOf,
    steps: [head(challenge()), get(pull, { status: 200, body: JSON.stringify(body) }), head(found, "Bearer t")],
    outcome: yes
  })),
  ...([
    ["no token", "{}"],
    ["a token that smuggles a header", JSON.stringify({ token: "a\r\nx: y" })],
    ["a page", "<html>"]
  ] as const).map(([name, body]): Row => ({
    name,
    call: headOf,
    steps: [head(challenge()), get(pull, { status: 200, body })],
    outcome: { failure: { reason: "Protocol", retryable: false } }
  })),
  {
    name: "more than any token has",
    call: headOf,
    steps: [head(challenge()), get(pull, { status: 200, body: Buffer.alloc(1024 * 1024 + 1, 32) })],
    outcome: { failure: { reason: "TooLarge", retryable: false } }
  },
  {
    name: "401 for nobody in particular: closed",
    call: headOf,
    steps: [head(challenge()), get(pull, refused(401, "UNAUTHORIZED"))],
    outcome: closed
  },
  {
    name: "403: refused",
    call: headOf,
    steps: [head(challenge()), get(pull, refused(403, "DENIED"))],
    outcome: { failure: { reason: "Denied", retryable: false } }
  },
  {
    name: "a failure for a moment: asked again, as what the token is for is",
    call: headOf,
    steps: [
      head(challenge()),
      get(pull, { status: 503 }),
      get(pull, "hangs up"),
      get(pull, token("t")),
      head(found, "Bearer t")
    ],
    outcome: yes
  },
  {
    name: "a rate limit of the token server",
    call: headOf,
    steps: [head(challenge()), get(pull, { status: 429, headers: { "retry-after": "60" } })],
    outcome: { failure: { reason: "RateLimited", retryable: true, retryAfter: 60 } }
  },
  {
    name: "a redirect to another host, which does not see the login",
    call: begin,
    options: { credentials: () => login },
    steps: [
      post(challenge()),
      get(push, { status: 307, headers: { location: "http://{storage}/elsewhere" } }, asMe),
      { at: "storage", expect: "GET /elsewhere", with: { authorization: undefined }, answer: token("t") },
      post(opened, "Bearer t")
    ],
    outcome: begun
  }
]

const form = (refresh: string) =>
  `grant_type=refresh_token&client_id=image-cloner&${
    push.replace("%2Cpush", "%2Cpush")
  }&refresh_token=${refresh}&service=reg`
const postToken = (refresh: string, answer: Answer): Step => ({
  at: "realm",
  expect: "POST /token",
  with: { authorization: undefined, "content-type": "application/x-www-form-urlencoded" },
  body: form(refresh),
  answer
})
const withLogin = identityToken("refresh", login)
const access = (value: string, more: object = {}): Told => ({
  status: 200,
  body: JSON.stringify({ access_token: value, ...more })
})

const identityTokens: ReadonlyArray<Row> = [
  {
    name: "goes by POST",
    call: begin,
    options: { credentials: () => identityToken("refresh") },
    steps: [post(challenge()), postToken("refresh", access("t")), post(opened, "Bearer t")],
    outcome: begun
  },
  ...[400, 401, 404, 405].map((status): Row => ({
    name: `where POST is answered with ${status}: the login that there is besides goes by GET`,
    call: begin,
    options: { credentials: () => withLogin },
    steps: [post(challenge()), postToken("refresh", { status }), get(push, token("t"), asMe), post(opened, "Bearer t")],
    outcome: begun
  })),
  ...([[400, "Invalid"], [401, "Unauthorized"], [404, "NotFound"], [405, "NotAllowed"]] as const).map((
    [status, reason]
  ): Row => ({
    name: `where POST is answered with ${status}, and there is nothing else`,
    call: begin,
    options: { credentials: () => identityToken("refresh") },
    steps: [post(challenge()), postToken("refresh", { status })],
    outcome: { failure: { reason, retryable: false, hides: "refresh_token" } }
  })),
  {
    name: "where POST fails for a moment: nobody's password is sent for that",
    call: begin,
    options: { credentials: () => withLogin },
    steps: [
      post(challenge()),
      postToken("refresh", { status: 503 }),
      postToken("refresh", access("t")),
      post(opened, "Bearer t")
    ],
    outcome: begun
  },
  {
    name: "that the server replaces is used in its new form",
    call: (talk) => Effect.andThen(begin(talk), begin(talk)),
    options: { credentials: () => identityToken("refresh") },
    steps: [
      post(challenge()),
      postToken("refresh", access("t1", { refresh_token: "next" })),
      post(opened, "Bearer t1"),
      post(challenge(), "Bearer t1"),
      postToken("next", access("t2")),
      post(opened, "Bearer t2")
    ],
    outcome: begun
  }
]

const strangers: ReadonlyArray<Row> = [
  {
    name: "a token server on the registry's host sees the login",
    call: begin,
    options: { credentials: () => login },
    steps: [post(challenge()), get(push, token("t"), asMe), post(opened, "Bearer t")],
    outcome: begun
  },
  {
    name: "a token server on another host does not, and gives what it gives to anybody",
    call: begin,
    options: { credentials: () => login },
    steps: [
      post(challenge("Bearer realm=\"http://localhost:{port}/token\",service=\"reg\"")),
      get(push, token("anybody")),
      post(challenge("Bearer realm=\"http://localhost:{port}/token\",service=\"reg\""), "Bearer anybody")
    ],
    outcome: closed
  },
  {
    name: "a token server on another host sees no identity token either",
    call: begin,
    options: { credentials: () => withLogin },
    steps: [
      post(challenge("Bearer realm=\"http://localhost:{port}/token\",service=\"reg\"")),
      get(push, token("anybody")),
      post(opened, "Bearer anybody")
    ],
    outcome: begun
  },
  {
    name: "storage that refuses whoever brings an Authorization is brought none",
    call: ({ app, client }) => Effect.map(client.openBlob(app, blob.digest, 0), (it) => it.size),
    steps: [
      { expect: `GET /v2/app/blobs/${blob.digest}`, with: { authorization: undefined }, answer: challenge() },
      get(pull, token("t")),
      {
        expect: `GET /v2/app/blobs/${blob.digest}`,
        with: { authorization: "Bearer t" },
        answer: { status: 307, headers: { location: "http://{storage}/blob?X-Amz-Signature=s%2F" } }
      },
      {
        at: "storage",
        expect: "GET /blob?X-Amz-Signature=s%2F",
        with: { authorization: undefined, cookie: undefined },
        answer: { status: 200, body: blob.bytes }
      }
    ],
    outcome: { value: 1000 }
  },
  {
    name: "storage that refuses us says nothing of the login, which the registry has let in",
    call: refusedThere,
    options: { sourceCredentials: "always", credentials: () => login },
    steps: [
      { ...load(challenge("Basic realm=\"x\"")), with: { authorization: undefined } },
      load({ status: 307, headers: { location: "http://{storage}/blob?sig=1" } }),
      { at: "storage", expect: "GET /blob?sig=1", with: { authorization: undefined }, answer: expired },
      head(found, asMe)
    ],
    outcome: { value: ["Unavailable", true, true] }
  },
  {
    name: "another registry behind a redirect that denies it means it, and not our login",
    call: refusedThere,
    options: { sourceCredentials: "always", credentials: () => login },
    steps: [
      { ...load(challenge("Basic realm=\"x\"")), with: { authorization: undefined } },
      load({ status: 307, headers: { location: "http://{storage}/v2/theirs/blobs/1" } }),
      { at: "storage", expect: "GET /v2/theirs/blobs/1", answer: refused(403, "DENIED") },
      head(found, asMe)
    ],
    outcome: { value: ["Denied", false, true] }
  },
  {
    name:
      "another registry behind a redirect, whose token server gives us none, is closed, and our login none the worse",
    call: refusedThere,
    options: { sourceCredentials: "always", credentials: () => login },
    steps: [
      load({ status: 307, headers: { location: "http://{storage}/v2/theirs/blobs/1" } }),
      { at: "storage", expect: "GET /v2/theirs/blobs/1", answer: challenge() },
      get(pull, refused(403, "DENIED")),
      { ...head(challenge("Basic realm=\"x\"")), with: { authorization: undefined } },
      head(found, asMe)
    ],
    outcome: { value: ["Unauthorized", false, true] }
  },
  {
    name: "a redirect within the registry keeps the token",
    call: headOf,
    steps: [
      head(challenge()),
      get(pull, token("t")),
      head({ status: 307, headers: { location: "/v2/moved/manifests/1" } }, "Bearer t"),
      { expect: "HEAD /v2/moved/manifests/1", with: { authorization: "Bearer t" }, answer: found }
    ],
    outcome: yes
  },
  {
    name: "another registry behind a redirect, with a token server of its own, is read as anybody",
    call: headOf,
    options: { sourceCredentials: "always", credentials: (host) => host.startsWith("127") ? login : undefined },
    steps: [
      head({ status: 307, headers: { location: "http://{storage}/v2/theirs/manifests/1" } }),
      {
        at: "storage",
        expect: "HEAD /v2/theirs/manifests/1",
        with: { authorization: undefined },
        answer: challenge("Bearer realm=\"http://{realm}/token\",service=\"reg\",scope=\"repository:theirs:pull\"")
      },
      get("scope=repository%3Atheirs%3Apull", token("anybody")),
      {
        at: "storage",
        expect: "HEAD /v2/theirs/manifests/1",
        with: { authorization: "Bearer anybody" },
        answer: found
      }
    ],
    outcome: yes
  },
  {
    name: "redirects without end",
    call: headOf,
    steps: Array.from({ length: 6 }, () => head({ status: 302, headers: { location: "/v2/app/manifests/1" } })),
    outcome: { failure: { reason: "Protocol", retryable: false, says: "redirects" } }
  },
  {
    name: "a redirect to something else than HTTP",
    call: headOf,
    steps: [head({ status: 302, headers: { location: "ftp://{storage}/x" } })],
    outcome: { failure: { reason: "Refused", retryable: false } }
  },
  {
    name: "a redirect to no URL",
    call: headOf,
    steps: [head({ status: 302, headers: { location: "http://[" } })],
    outcome: { failure: { reason: "Protocol", retryable: false } }
  }
]

const mountPath = `POST /v2/mirror/app/blobs/uploads/?mount=${blob.digest.replace(":", "%3A")}&from=mirror%2Fother`
const mountStep = (answer: Answer, authorization?: string): Step => ({
  expect: mountPath,
  with: { authorization },
  answer
})
const both = `${push}&scope=repository%3Amirror%2Fother%3Apull`
const mounted: Told = { status: 201 }

const mounts: ReadonlyArray<Row> = [
  {
    name: "asks for the target first, then for where it comes from",
    call: mount,
    options: { credentials: () => login },
    steps: [mountStep(challenge()), get(both, token("t"), asMe), mountStep(mounted, "Bearer t")],
    outcome: { value: "mounted" }
  },
  ...[400, 401, 403].map((status): Row => ({
    name:
      `is tried with a token for the target alone where one for two is answered with ${status}, the next at once so`,
    call: (talk) => Effect.andThen(mount(talk), mount(talk)),
    options: { credentials: () => login },
    steps: [
      mountStep(challenge()),
      get(both, refused(status, "DENIED"), asMe),
      get(push, token("t"), asMe),
      mountStep(opened, "Bearer t"),
      mountStep(mounted, "Bearer t")
    ],
    outcome: { value: "mounted" }
  }))
]

const [first, second] = [basic("first", "1"), basic("second", "2")] satisfies [Login, Login]
const asFirst = "Basic Zmlyc3Q6MQ=="
const asSecond = "Basic c2Vjb25kOjI="

const logins: ReadonlyArray<Row> = [
  {
    name: "of a backup are tried in turn, and the one that was let in goes on",
    call: (talk) => Effect.andThen(begin(talk), begin(talk)),
    options: { credentials: () => [first, second] },
    steps: [
      post(challenge("Basic realm=\"x\"")),
      post(refused(403, "DENIED"), asFirst),
      post(opened, asSecond),
      post(opened, asSecond)
    ],
    outcome: begun
  },
  {
    name: "of a source are not shown before anybody may read it",
    call: ({ app, client }) => Effect.map(client.getManifest(app, "1"), (it) => it.digest),
    options: { backup: "backup.test", credentials: (host) => host === "backup.test" ? undefined : login },
    steps: [
      head(challenge()),
      get(pull, token("anybody")),
      head(found, "Bearer anybody"),
      get(pull, token("mine"), asMe),
      {
        expect: "GET /v2/app/manifests/1",
        with: { authorization: "Bearer mine" },
        answer: { status: 200, headers: { "content-type": root.mediaType }, body: root.bytes }
      }
    ],
    outcome: { value: root.digest }
  },
  {
    name: "of a source that nobody may read are not shown at all",
    call: ({ app, client }) => client.getManifest(app, "1"),
    options: { backup: "backup.test", credentials: (host) => host === "backup.test" ? undefined : login },
    steps: [head(challenge()), get(pull, refused(401, "UNAUTHORIZED"))],
    outcome: closed
  },
  {
    name: "of a source that have gone stale do not keep anybody from what is public",
    call: headOf,
    options: { backup: "backup.test", sourceCredentials: "always", credentials: () => login },
    steps: [
      head(challenge()),
      get(pull, refused(401, "UNAUTHORIZED"), asMe),
      get(pull, token("anybody")),
      head(found, "Bearer anybody")
    ],
    outcome: yes
  },
  {
    name: "are not shown where the backup's host has repositories of others",
    call: headOf,
    options: { credentials: () => login },
    steps: [head(challenge()), get(pull, token("anybody")), head(refused(403, "DENIED"), "Bearer anybody"), {
      expect: "GET /v2/app/manifests/1",
      with: { authorization: "Bearer anybody" },
      answer: refused(403, "DENIED")
    }],
    outcome: { failure: { reason: "Denied", retryable: false } }
  },
  {
    name: "of the backup are not blamed for a quota: no other would have more room",
    call: begin,
    options: { credentials: () => [login, basic("other", "secret")] },
    steps: [
      post(refused(401, "UNAUTHORIZED", "", { "www-authenticate": "Basic realm=x" })),
      post(refused(403, "DENIED", "Quota has been exceeded on namespace"), asMe)
    ],
    outcome: { failure: { reason: "Quota", retryable: false, says: "Quota has been exceeded", hides: "asked with" } }
  }
]

conversations("a challenge", challenges)
conversations("a token server with", tokens)
conversations("an identity token", identityTokens)
conversations("who is whom", strangers)
conversations("a mount", mounts)
conversations("logins", logins)
