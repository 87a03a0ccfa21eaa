// Logins to Google's registries: by the metadata service, and by the files that Google's own library reads.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import { TestClock } from "effect/testing"
import type http from "node:http"
import { basic } from "../../../src/registry/auth/DockerConfig.ts"
import { type GoogleLibrary, makeGoogleIdentity } from "../../../src/registry/oauth/GoogleIdentity.ts"
import type { SdkRequests } from "../../../src/registry/identity/SdkRequests.ts"
import type { Seen } from "../../support/FakeRegistry.ts"
import { inPod, questionOf, respond, startCloud } from "./CloudStub.ts"

const registry = "europe-docker.pkg.dev"
const email = "copies@project.iam.gserviceaccount.com"
const base = "/computeMetadata/v1/instance/service-accounts/default"

type Answer = (seen: Seen, response: http.ServerResponse) => void

const generous: Answer = (seen, response) =>
  seen.path.endsWith("/email") ? respond(response, email) : respond(response, { access_token: "t", expires_in: 1800 })

/** No library may send anything here. */
const noSdk: SdkRequests = {
  metadata: { handlerProtocol: "" },
  handle: () => Promise.reject(new Error("no request was to be sent"))
}

const library: GoogleLibrary = {
  tokenOfFile: () => Promise.resolve({ token: Redacted.make("of the file"), expiresAt: 5, email: undefined })
}

const noLibrary = () => Promise.reject(new Error("no library was to be loaded"))

const ask = Effect.fnUntraced(function*(
  answer: Answer,
  more: Readonly<Record<string, string>> = {},
  files: Readonly<Record<string, string>> = {},
  load: () => Promise<GoogleLibrary> = noLibrary
) {
  const { requests, server } = yield* startCloud(answer)
  const host = server.origin.replace("http://", "")
  const provider = yield* inPod({ GCE_METADATA_HOST: host, ...more }, files)(makeGoogleIdentity(noSdk, requests, load))
  return { asked: provider.token(questionOf(registry)), seen: server.seen, provider }
})

describe("a login to Google's registry", () => {
  it.live("is the token of the pod's or node's service account, to its end", () =>
    Effect.gen(function*() {
      const { asked, seen } = yield* ask(generous)
      const { credential, expiresAt } = yield* asked
      assert.deepStrictEqual(credential, { ...basic("oauth2accesstoken", "t"), origin: `Google's token of ${email}` })
      assert.closeTo(expiresAt - Date.now(), 1_800_000, 60_000)
      assert.deepStrictEqual(seen.map((it) => `${it.method} ${it.path}`), [`GET ${base}/token`, `GET ${base}/email`])
      assert.deepStrictEqual(seen.map((it) => it.headers["metadata-flavor"]), ["Google", "Google"])
    }))

  it.live("opens all of them", () =>
    Effect.gen(function*() {
      const { provider } = yield* ask(generous)
      const keys = [registry, "us-docker.pkg.dev", "gcr.io", "eu.gcr.io"].map((it) => provider.keyOf(questionOf(it)))
      assert.lengthOf(new Set(keys), 1)
    }))

  it.live("is good without the name of whose it is", () =>
    Effect.gen(function*() {
      const { asked } = yield* ask((seen, response) =>
        seen.path.endsWith("/email") ? response.destroy() : generous(seen, response)
      )
      assert.strictEqual((yield* asked).credential.origin, "Google's token of this pod or node")
    }))

  it.live.each<[Record<string, string>, Record<string, string>, string]>([
    [{ GOOGLE_APPLICATION_CREDENTIALS: "/key.json" }, {}, "/key.json"],
    [
      { HOME: "/h" },
      { "/h/.config/gcloud/application_default_credentials.json": "" },
      "/h/.config/gcloud/application_default_credentials.json"
    ],
    [
      { HOME: "/h", CLOUDSDK_CONFIG: "/g" },
      { "/g/application_default_credentials.json": "" },
      "/g/application_default_credentials.json"
    ]
  ])("is that of a file where there is one: %j", ([variables, files, file]) =>
    Effect.gen(function*() {
      const { asked, seen } = yield* ask(generous, variables, files, () => Promise.resolve(library))
      const { credential, expiresAt } = yield* asked
      assert.deepStrictEqual(credential, {
        ...basic("oauth2accesstoken", "of the file"),
        origin: `Google's token of ${file}`
      })
      assert.strictEqual(expiresAt, 5)
      assert.lengthOf(seen, 0)
    }))
})

describe("a login to Google's registry that does not come", () => {
  it.live("because workload identity is not given says what is missing", () =>
    Effect.gen(function*() {
      const said = "Unable to generate access token; IAM returned 403 Forbidden: Permission "
        + "'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist)."
      const { asked } = yield* ask((_, response) => {
        response.setHeader("metadata-flavor", "Google")
        respond(response, said, 403)
      })
      const error = yield* Effect.flip(asked)
      assert.match(
        error.message,
        /^Google as the service account of this pod or node, by 127.*: an access token for europe-/
      )
      assert.match(error.message, /status 403: Unable to generate .*workloadIdentityUser/)
      assert.isFalse(error.retryable)
    }))

  it.live("because nothing is there says how a pod gets an identity", () =>
    Effect.gen(function*() {
      const { asked } = yield* ask(generous, { GCE_METADATA_HOST: "127.0.0.1:1" })
      const error = yield* Effect.flip(asked)
      assert.match(error.message, /metadata service does not answer: .*There is no identity here/)
      assert.isTrue(error.retryable)
    }))

  it.live.each<[string, Answer]>([
    ["no token", (_, response) => respond(response, {})],
    ["a page", (_, response) => respond(response, "<html>")],
    ["an outage", (_, response) => respond(response, "later", 503)],
    ["nothing but an end", (_, response) => response.destroy()]
  ])("from a metadata service that gives %s may come later", ([, answer]) =>
    Effect.gen(function*() {
      const { asked, seen } = yield* ask(answer)
      assert.isTrue((yield* Effect.flip(asked)).retryable)
      assert.lengthOf(seen, 1)
    }))

  it.effect("from one that says nothing is a failure after half a minute", () =>
    Effect.gen(function*() {
      const { asked } = yield* ask(() => {})
      const waiting = yield* Effect.forkChild(Effect.flip(asked), { startImmediately: true })
      yield* TestClock.adjust("30 seconds")
      assert.match((yield* Fiber.join(waiting)).message, /no answer in 30 seconds/)
    }))

  it.live.each<[string, Error, boolean]>([
    ["a file that is not mounted yet", new Error("ENOENT: /key.json"), true],
    ["a key that was taken back", Object.assign(new Error("invalid_grant"), { status: 400 }), false],
    ["a service that is ill", Object.assign(new Error("later"), { status: 503 }), true],
    ["a connection that is cut", new Error("other side closed", { cause: new Error("x") }), true]
  ])("because of %s", ([, reason, retryable]) =>
    Effect.gen(function*() {
      const { asked } = yield* ask(generous, { GOOGLE_APPLICATION_CREDENTIALS: "/key.json" }, {}, () =>
        Promise.resolve({
          tokenOfFile: () => Promise.reject(reason)
        }))
      const error = yield* Effect.flip(asked)
      assert.strictEqual(error.retryable, retryable)
      assert.include(error.message, "Google as what /key.json names")
    }))
})
