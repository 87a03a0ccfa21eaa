// Logins to Azure's registries: who is asked for what, in which order, and what comes of refusals and of silence.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import type http from "node:http"
import { identityToken } from "../../../src/registry/auth/DockerConfig.ts"
import { makeAzureIdentity } from "../../../src/registry/oauth/AzureIdentity.ts"
import type { Seen } from "../../support/FakeRegistry.ts"
import { formOf, inPod, jwt, questionOf, respond, startCloud } from "./CloudStub.ts"

const registry = "example.azurecr.io"
const end = 4_000_000_000
const refresh = jwt({ exp: end })
const file = "/var/run/secrets/azure/tokens/azure-identity-token"
const workload = (authority: string) => ({
  AZURE_TENANT_ID: "our-tenant",
  AZURE_CLIENT_ID: "our-client",
  AZURE_FEDERATED_TOKEN_FILE: file,
  AZURE_AUTHORITY_HOST: authority
})

type Answer = (seen: Seen, response: http.ServerResponse) => void

/** Gives what is asked for. */
const generous: Answer = (seen, response) =>
  seen.path === "/oauth2/exchange"
    ? respond(response, { refresh_token: refresh })
    : respond(response, { access_token: "entra's", expires_in: "86400" })

/** One question to a provider in a pod with workload identity, or on a node. */
const ask = Effect.fnUntraced(function*(answer: Answer, kind: "workload" | "node", more: Record<string, string> = {}) {
  const { requests, server } = yield* startCloud(answer)
  const variables = kind === "workload"
    ? workload(`${server.origin}/`)
    : { AZURE_POD_IDENTITY_AUTHORITY_HOST: server.origin }
  const provider = yield* inPod({ ...variables, ...more }, { [file]: "a-service-account's\n" })(
    makeAzureIdentity(requests)
  )
  return { asked: provider.token(questionOf(registry)), seen: server.seen, provider }
})

describe("a login to Azure's registry", () => {
  it.live("is what it gives for the token of the pod's workload identity, to its end", () =>
    Effect.gen(function*() {
      const { asked, seen } = yield* ask(generous, "workload")
      assert.deepStrictEqual(yield* asked, {
        credential: { ...identityToken(refresh), origin: "Azure's token of client our-client of tenant our-tenant" },
        expiresAt: end * 1000
      })
      assert.deepStrictEqual(seen.map((it) => `${it.method} ${it.path}`), [
        "POST /our-tenant/oauth2/v2.0/token",
        "POST /oauth2/exchange"
      ])
      assert.deepStrictEqual(seen.map(formOf), [
        {
          grant_type: "client_credentials",
          client_id: "our-client",
          scope: "https://containerregistry.azure.net/.default",
          client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
          client_assertion: "a-service-account's"
        },
        { grant_type: "access_token", service: registry, access_token: "entra's", tenant: "our-tenant" }
      ])
    }))

  it.live.each<[Record<string, string>, string]>([
    [{}, ""],
    [{ AZURE_CLIENT_ID: "assigned" }, "&client_id=assigned"],
    // not all of workload identity
    [{ AZURE_CLIENT_ID: "assigned", AZURE_FEDERATED_TOKEN_FILE: file }, "&client_id=assigned"]
  ])("is what it gives for the token of the node's identity, with %j", ([more, query]) =>
    Effect.gen(function*() {
      const { asked, seen } = yield* ask(generous, "node", more)
      yield* asked
      const path = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource="
      assert.deepStrictEqual(seen.map((it) => `${it.method} ${it.path}${it.query.size > 0 ? `?${it.query}` : ""}`), [
        `GET ${path}${encodeURIComponent("https://containerregistry.azure.net")}${query}`,
        "POST /oauth2/exchange"
      ])
      assert.strictEqual(seen[0]?.headers["metadata"], "true")
      assert.isUndefined(seen[1]?.headers["metadata"])
    }))

  it.live("is each registry's own", () =>
    Effect.gen(function*() {
      const { provider } = yield* ask(generous, "node")
      assert.notStrictEqual(provider.keyOf(questionOf(registry)), provider.keyOf(questionOf("other.azurecr.io")))
    }))

  it.live("behind a host of the owner's is exchanged where its cloud knows it, and shared with that", () =>
    Effect.gen(function*() {
      const { requests, server } = yield* startCloud(generous)
      const asked: Array<string> = []
      const provider = yield* inPod(workload(server.origin), { [file]: "a-service-account's" })(makeAzureIdentity({
        ...requests,
        endpointOf: (host) => {
          asked.push(host)
          return requests.endpointOf(host)
        }
      }))
      const own = questionOf("own.example", { CLOUD_DOMAINS: [`own.example=${registry}`] })
      yield* provider.token(own)
      assert.deepStrictEqual(asked, [registry])
      assert.deepInclude(server.seen.map(formOf)[1], { service: registry })
      assert.strictEqual(provider.keyOf(own), provider.keyOf(questionOf(registry)))
    }))

  it.live("that does not say when it ends lasts three hours", () =>
    Effect.gen(function*() {
      const { asked } = yield* ask(
        (seen, response) =>
          seen.path === "/oauth2/exchange" ? respond(response, { refresh_token: "opaque" }) : generous(seen, response),
        "node"
      )
      const { expiresAt } = yield* asked
      assert.closeTo(expiresAt - Date.now(), 3 * 3_600_000, 60_000)
    }))
})

describe("a login to Azure's registry that does not come", () => {
  it.live("because Entra does not know us names client, tenant and what to do, and tells no token", () =>
    Effect.gen(function*() {
      const said =
        "AADSTS700213: No matching federated identity record found for presented assertion a-service-account's"
      const { asked, seen } = yield* ask(
        (_, response) => respond(response, { error: "invalid_client", error_description: said }, 401),
        "workload"
      )
      const error = yield* Effect.flip(asked)
      assert.match(
        error.message,
        /^Azure as client our-client of tenant our-tenant: a token of Entra for example\.azurecr\.io:/
      )
      assert.match(error.message, /status 401: invalid_client: AADSTS700213: .*ServiceAccount/)
      assert.notMatch(error.message, /a-service-account's/)
      assert.isFalse(error.retryable)
      assert.lengthOf(seen, 1)
    }))

  it.live("because the registry takes no such token says so", () =>
    Effect.gen(function*() {
      const { asked } = yield* ask(
        (seen, response) =>
          seen.path === "/oauth2/exchange"
            ? respond(
              response,
              { errors: [{ code: "UNAUTHORIZED", message: "token validation failed for entra's" }] },
              401
            )
            : generous(seen, response),
        "node"
      )
      const error = yield* Effect.flip(asked)
      assert.match(
        error.message,
        /a login for a token of Entra for example\.azurecr\.io: .*UNAUTHORIZED: token validation failed/
      )
      assert.match(error.message, /ARM tokens/)
      assert.notMatch(error.message, /entra's/)
    }))

  it.live("because the node has no identity says how one gets it", () =>
    Effect.gen(function*() {
      const { asked } = yield* ask(
        (_, response) => respond(response, { error: "invalid_request", error_description: "Identity not found" }, 400),
        "node"
      )
      assert.match((yield* Effect.flip(asked)).message, /workload\.identity\/client-id/)
    }))

  it.live.each<[number, boolean]>([
    [404, false],
    [410, true],
    [429, true],
    [500, true],
    [503, true]
  ])("with status %i may come later: %s", ([status, retryable]) =>
    Effect.gen(function*() {
      const { asked } = yield* ask((_, response) => respond(response, "<html>no</html>", status), "node")
      assert.strictEqual((yield* Effect.flip(asked)).retryable, retryable)
    }))

  it.live.each<[string, Answer]>([
    ["no token", (_, response) => respond(response, {})],
    ["no JSON", (_, response) => respond(response, "<html>")],
    ["a token that is no word", (_, response) => respond(response, { access_token: "a\r\nhost: b" })],
    ["a list for a token", (_, response) => respond(response, { access_token: ["a"] })],
    ["a mebibyte", (_, response) => respond(response, { access_token: "a".repeat(1024 * 1024) })],
    [
      "half an answer",
      (_, response) => void response.writeHead(200, { "content-length": "9" }).end("{", () => response.destroy())
    ],
    ["no answer at all", (_, response) => response.destroy()]
  ])("from a service that gives %s may come later", ([, answer]) =>
    Effect.gen(function*() {
      for (const kind of ["workload", "node"] as const) {
        const { asked, seen } = yield* ask(answer, kind)
        assert.isTrue((yield* Effect.flip(asked)).retryable)
        assert.lengthOf(seen, 1)
      }
    }))

  it.effect("from a service that says nothing is a failure after some seconds", () =>
    Effect.gen(function*() {
      const { asked } = yield* ask(() => {}, "workload")
      const waiting = yield* Effect.forkChild(Effect.flip(asked), { startImmediately: true })
      yield* TestClock.adjust("30 seconds")
      assert.match((yield* Fiber.join(waiting)).message, /no answer in 30 seconds/)
    }))

  it.live.each(["http://login.example", "no url", "ftp://127.0.0.1"])(
    "since Entra is %s asks nobody",
    (authority) =>
      Effect.gen(function*() {
        const { asked, seen } = yield* ask(generous, "workload", { AZURE_AUTHORITY_HOST: authority })
        assert.match((yield* Effect.flip(asked)).message, /AZURE_AUTHORITY_HOST/)
        assert.lengthOf(seen, 0)
      })
  )
})
