import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { gzipSync } from "node:zlib"
import { KubeClient } from "../../../src/kube/KubeClient.ts"
import { listPages } from "../../../src/kube/watch/ListPages.ts"
import { WireObject } from "../../../src/kube/watch/WireEvent.ts"
import { isReason } from "../../../src/kube/KubeError.ts"
import * as P from "../../../src/protobuf/Message.ts"
import { encode } from "../../protobuf/Encode.ts"
import { type Answer, fakeApi, json, refuse, testing } from "../FakeApi.ts"
import { wrap } from "./WireFrames.ts"

const item = P.message({ metadata: [1, P.one(P.message({ name: [1, P.text], resourceVersion: [6, P.text] }))] })
const list = P.message({
  metadata: [1, P.one(P.message({ resourceVersion: [2, P.text], continue: [3, P.text] }))],
  items: [2, P.many(item)]
})

const objectOf = (name: string) => ({ metadata: { name, resourceVersion: "7" } })

const page = (names: ReadonlyArray<string>, next?: string) => ({
  metadata: { resourceVersion: "9", ...(next === undefined ? {} : { continue: next }) },
  items: names.map(objectOf)
})

const wire = (body: Buffer, headers: Record<string, string> = {}): Answer => (_, response) => {
  response.writeHead(200, { "content-type": "application/vnd.kubernetes.protobuf", ...headers }).end(body)
}

const bytes = (of: ReturnType<typeof page>): Buffer => wrap(encode(list, of))

/** Names that are seen, whether they were read by the table, and what the listing has come to. */
const listed = Effect.fnUntraced(function*(answers: ReadonlyArray<Answer>, message: P.Message | null = item) {
  const api = yield* fakeApi(answers)
  let seen: Array<string> = []
  const version = yield* listPages({
    resource: { path: "/api/v1/things", query: { a: "b" }, wire: message === null ? undefined : { message } },
    from: "",
    each: (object, meta) => seen.push(`${meta?.name} ${object instanceof WireObject ? "wire" : "json"}`),
    restart: () => {
      seen = []
    }
  }).pipe(Effect.provide(KubeClient.layerFrom({ server: api.server })))
  return { version, seen, calls: api.calls }
})

describe("pages of a kind", () => {
  it.live("are asked for in Protocol Buffers and packed, and read as they come", () =>
    Effect.gen(function*() {
      const { calls, seen, version } = yield* listed([
        wire(gzipSync(bytes(page(["a", "b"], "more"))), { "content-encoding": "gzip" }),
        wire(bytes(page(["c"], "yet"))),
        json(200, page(["d"]))
      ])
      assert.deepStrictEqual([version, seen], ["9", ["a wire", "b wire", "c wire", "d json"]])
      assert.deepStrictEqual(calls.map((it) => it.query), [
        { a: "b", limit: "500" },
        { a: "b", limit: "500", continue: "more" },
        { a: "b", limit: "500", continue: "yet" }
      ])
      for (const { headers } of calls) {
        assert.strictEqual(headers.accept, "application/vnd.kubernetes.protobuf, application/json")
        assert.strictEqual(headers["accept-encoding"], "gzip")
      }
    }).pipe(Effect.provide(testing)))

  it.live("are JSON for what has no table, packed as well", () =>
    Effect.gen(function*() {
      const { calls, seen } = yield* listed([(_, response) => {
        response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" })
        response.end(gzipSync(JSON.stringify(page(["a"]))))
      }], null)
      assert.deepStrictEqual(seen, ["a json"])
      assert.strictEqual(calls[0]?.headers.accept, "application/json")
    }).pipe(Effect.provide(testing)))

  it.live("are none where nothing is there", () =>
    Effect.gen(function*() {
      const { seen, version } = yield* listed([wire(bytes(page([])))])
      assert.deepStrictEqual([version, seen], ["9", []])
    }).pipe(Effect.provide(testing)))

  it.live("begin anew when their token has expired", () =>
    Effect.gen(function*() {
      const { seen } = yield* listed([
        wire(bytes(page(["a"], "more"))),
        refuse(410, "Expired"),
        wire(bytes(page(["b"])))
      ])
      assert.deepStrictEqual(seen, ["b wire"])
    }).pipe(Effect.provide(testing)))

  for (
    const [what, answer, said] of [
      ["are no object", wire(Buffer.from("nonsense")), /not an object/],
      ["are broken off", wire(bytes(page(["a", "b"])).subarray(0, -3)), /not an object|no list/],
      ["are another thing", wire(wrap(Buffer.from([0x12, 0x02, 0x0a, 0x05]))), /no list/],
      [
        "are packed and cut",
        wire(gzipSync(bytes(page(["a"]))).subarray(0, 20), { "content-encoding": "gzip" }),
        /unpacked/
      ],
      ["are packed in another way", wire(Buffer.from("x"), { "content-encoding": "br" }), /packed by br/]
    ] as const
  ) {
    it.live(`that ${what} are an error, and nothing of them is taken`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(listed([answer, answer, answer, answer, answer, answer]))
        assert.match(error.message, said)
        assert.isFalse(isReason("Expired")(error))
      }).pipe(Effect.provide(testing)))
  }
})
