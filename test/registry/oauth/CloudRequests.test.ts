// What clouds are asked for by the program itself: which way it goes, and what comes of those that do not answer.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Option } from "effect"
import { makeCloudRequests } from "../../../src/registry/oauth/CloudRequests.ts"
import { makeAgents } from "../../../src/registry/transport/Agents.ts"
import { makeCertificates } from "../../../src/registry/transport/Certificates.ts"
import { startServer } from "../../support/FakeRegistry.ts"
import { startForwardProxy } from "../../support/ForwardProxy.ts"
import { registryOptions } from "../../support/Registries.ts"

/** Requests through a proxy, in a world where every name is loopback's. */
const start = Effect.gen(function*() {
  const proxy = yield* startForwardProxy()
  const http = Option.some({ origin: proxy.origin, authorization: Option.none() })
  const agents = yield* makeAgents({
    settings: () => registryOptions("registry.example"),
    certificates: yield* makeCertificates(Option.none()),
    proxies: { http, https: http, direct: [] },
    // a lookup of Node's answers by one of two forms
    lookup: (_, { all }, callback) =>
      all === true ? callback(null, [{ address: "127.0.0.1", family: 4 }]) : callback(null, "127.0.0.1", 4),
    connectTimeout: Duration.seconds(2),
    readBytes: 65_536
  })
  const requests = makeCloudRequests(agents, () => undefined)
  const server = yield* startServer((_, response) => void response.end("{}"))
  return { proxy, requests, server, url: new URL(server.origin.replace("127.0.0.1", "service.test")) }
}).pipe(Effect.provide(NodeServices.layer))

describe("a cloud's service", () => {
  it.live("is asked through the proxy, and a metadata service never", () =>
    Effect.gen(function*() {
      const { proxy, requests, server, url } = yield* start
      yield* requests.send({ url, headers: { metadata: "true" }, isMetadata: true })
      assert.deepStrictEqual(proxy.seen, [])
      assert.lengthOf(server.seen, 1)
      const answer = yield* requests.send({ url, form: { a: "b c" } })
      assert.strictEqual(answer.body.toString(), "{}")
      assert.deepStrictEqual(proxy.seen, [`POST ${url.href}`])
      assert.strictEqual(server.seen[1]?.body.toString(), "a=b+c")
    }))

  it.live("that is not there is a failure that says so", () =>
    Effect.gen(function*() {
      const { requests } = yield* start
      const error = yield* Effect.flip(requests.send({ url: new URL("http://service.test:1"), isMetadata: true }))
      assert.match(error.detail, /ECONNREFUSED/)
    }))
})
