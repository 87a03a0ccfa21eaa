import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import { askController, askStatus, type Way } from "../../src/cli/AskController.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import type { Asked } from "../../src/web/Asked.ts"
import { type Answer, failure, fakeApi, json, refuse } from "../kube/FakeApi.ts"

const asked: Asked = { about: "workload", name: "Deployment/shop/web" }
const proxy: Way = { _tag: "Proxy", namespace: "image-cloner" }
const unknown = { _tag: "Unknown", message: "there is none", candidates: [] }

const quiet = Logger.layer([])

/** What is answered, or why nothing is, by an API server that follows a script. */
const ask = Effect.fnUntraced(function*(answers: ReadonlyArray<Answer>, way: Way = proxy) {
  const { calls, server } = yield* fakeApi(answers)
  const said = yield* askController(asked, way).pipe(
    Effect.map((it) => it._tag === "Unknown" ? it.message : it._tag === "Workload" ? it.detail : it.source),
    Effect.catchTag("Unasked", (it) => Effect.succeed(it.message)),
    Effect.provide(Layer.merge(KubeClient.layerFrom({ server }), quiet))
  )
  return { said, calls: calls.map(({ path, query }) => ({ path, query })), server }
})

const workload = (reason: string, detail: string) => ({
  _tag: "Workload",
  by: "controller",
  workload: "Deployment/shop/web",
  decision: "held",
  reason,
  meaning: "",
  detail,
  since: null,
  containers: [],
  next: [],
  heldUpBy: [],
  advice: null,
  commands: []
})

describe("asking the controller", () => {
  it.live("goes through the API server's service proxy, or straight to an address", () =>
    Effect.gen(function*() {
      const query = { workload: "Deployment/shop/web" }
      const through = yield* ask([json(200, unknown)])
      const path = "/api/v1/namespaces/image-cloner/services/image-cloner-controller:http/proxy/api/explain"
      assert.deepStrictEqual([through.said, through.calls], ["there is none", [{ path, query }]])
      const straight = yield* ask([json(200, unknown)], { _tag: "Direct", url: "http://127.0.0.1:8080" })
      assert.deepStrictEqual(straight.calls, [{ path: "/api/explain", query }])
    }))

  it.live("says which right is missing, and that the Service is not there", () =>
    Effect.gen(function*() {
      const forbidden = yield* ask([refuse(403, "Forbidden", "services is forbidden")])
      assert.match(
        forbidden.said,
        /could not be asked: the right to get services\/proxy of image-cloner-controller:http in namespace image-cloner is missing/
      )
      const gone = yield* ask([refuse(404, "NotFound", "services \"image-cloner-controller\" not found")])
      assert.match(gone.said, /"image-cloner-controller" not found; --controller-namespace/)
    }))

  it.live("says that nothing runs behind the Service, and does not ask again and again", () =>
    Effect.gen(function*() {
      const down = yield* ask([refuse(503, "ServiceUnavailable", "no endpoints available for service")])
      assert.match(down.said, /it does not answer at Service image-cloner\/image-cloner-controller:http: no endpoints/)
      assert.strictEqual(down.calls.length, 1)
    }))

  it.live("says that a controller is older, of another version, or none", () =>
    Effect.gen(function*() {
      const older = yield* ask([(_, response) => void response.writeHead(404).end()])
      assert.match(older.said, /no controller, or an older one/)
      const other = yield* ask([json(200, { _tag: "Something" })])
      assert.match(other.said, /is not understood: it is another version/)
      const page = yield* ask([(_, response) => void response.writeHead(200).end("<html>")])
      assert.match(page.said, /is no controller/)
    }))

  it.live("says so where the answer is cut off, or nobody listens", () =>
    Effect.gen(function*() {
      const cut = yield* ask([(_, response) => {
        response.writeHead(200, { "content-length": "1000", "content-type": "application/json" })
        response.write("{\"_tag\":")
        setTimeout(() => response.destroy(), 20)
      }])
      assert.match(cut.said, /could not be asked: nothing answers at the API server/)
      const said = yield* askController(asked, { _tag: "Direct", url: "http://127.0.0.1:9" }).pipe(
        Effect.flip,
        Effect.provide(Layer.merge(KubeClient.layerFrom({ server: "http://127.0.0.1:9" }), quiet))
      )
      assert.match(said.message, /nothing answers at http:\/\/127\.0\.0\.1:9/)
    }))

  it.effect("waits for ten seconds, and no longer", () =>
    Effect.gen(function*() {
      const client = Layer.mock(KubeClient, { server: "http://none", request: () => Effect.never })
      const fiber = yield* askController(asked, proxy).pipe(
        Effect.flip,
        Effect.provide(client),
        Effect.forkChild
      )
      yield* TestClock.adjust("11 seconds")
      assert.match((yield* Fiber.join(fiber)).message, /no answer .* within ten seconds/)
    }))

  it.live("asks another replica where one only follows", () =>
    Effect.gen(function*() {
      const { calls, said } = yield* ask([
        json(200, workload("following", "another replica leads")),
        json(200, workload("paced", "it is its turn soon"))
      ])
      assert.deepStrictEqual([said, calls.length], ["it is its turn soon", 2])
      const alone = yield* ask(
        Array.from({ length: 9 }, () => json(200, workload("following", "another replica leads")))
      )
      assert.strictEqual(alone.calls.length, 4)
    }))

  it.live("tells a controller's own words", () =>
    Effect.gen(function*() {
      const early = yield* ask([json(503, failure(503, "", "the controller has not begun yet"))])
      assert.match(early.said, /the controller has not begun yet/)
    }))

  it.live("asks for the status at the same place, and takes no other answer for one", () =>
    Effect.gen(function*() {
      const counts = { running: 1, whole: 0, left: 0, "at-risk": 0 }
      const answer = { _tag: "Status", by: "controller", pods: counts, images: counts, ratio: 1 }
      const { calls, server } = yield* fakeApi([
        json(200, { ...answer, namespaces: [], more: 0, left: [], vanished: { count: 0, images: [] }, atRisk: [] }),
        json(200, { ...answer, ratio: "all" }),
        refuse(403, "Forbidden", "services is forbidden")
      ])
      const client = Layer.merge(KubeClient.layerFrom({ server }), quiet)
      assert.strictEqual((yield* Effect.provide(askStatus(proxy), client)).ratio, 1)
      assert.deepInclude(calls[0], {
        path: "/api/v1/namespaces/image-cloner/services/image-cloner-controller:http/proxy/api/status"
      })
      const lying = yield* Effect.flip(Effect.provide(askStatus(proxy), client))
      assert.match(lying.message, /is not understood/)
      const refused = yield* Effect.flip(Effect.provide(askStatus(proxy), client))
      assert.match(refused.message, /the right to get services\/proxy/)
    }))
})
