// Contract: watches — where they start, what they show, how they end, and how a watch-list says that the list is over.
import { assert, type Vitest } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { KubeClient } from "../../../src/kube/KubeClient.ts"
import type { JsonObject } from "../../../sandbox/Json.ts"
import * as J from "../../../sandbox/Json.ts"
import * as ControlPlane from "./ControlPlane.ts"
import { TestCluster } from "./ControlPlane.ts"
import * as Objects from "./Objects.ts"
import { linesOf } from "../../kube/LinesOf.ts"

/** "ADDED name", or the type alone where there is no name. */
const said = (event: JsonObject): string =>
  [J.text(event, "type"), J.text(event, "object", "metadata", "name")].filter((it) => it !== undefined).join(" ")

const eventsOf = (path: string, query: Record<string, string>) =>
  Stream.unwrap(
    Effect.map(KubeClient, (client) => linesOf(client, { method: "GET", path, query: { watch: "true", ...query } }))
  )
    .pipe(
      Stream.filter((line) => line.trim() !== ""),
      Stream.map((line): JsonObject => {
        const parsed = J.parse(line)
        return J.isObject(parsed) ? parsed : {}
      })
    )

/** The first `count` events of a watch. */
const take = (count: number, path: string, query: Record<string, string>) =>
  eventsOf(path, query).pipe(Stream.take(count), Stream.runCollect, Effect.timeout("20 seconds"))

const ours = { labelSelector: "watched=yes" }
const watched = (name: string) => Objects.configMap(name, { watched: "yes" })

const start = Effect.fnUntraced(function*() {
  const paths = Objects.paths(yield* ControlPlane.namespace)
  const path = paths.configMaps
  const first = yield* ControlPlane.call("POST", path, watched("a"))
  return { path, version: J.text(first, "metadata", "resourceVersion") ?? "" }
})

export const watches = (it: Vitest.MethodsNonLive<ControlPlane.Needs>) => {
  it.effect("a watch from a version shows what happened after it, in order, then what happens", () =>
    Effect.gen(function*() {
      const { path, version } = yield* start()
      yield* ControlPlane.call("POST", path, watched("b"))
      yield* ControlPlane.call("PATCH", `${path}/a`, { data: { key: "other" } }, Objects.mergePatch)
      const seen = yield* Effect.forkChild(take(4, path, { ...ours, resourceVersion: version }))
      yield* Effect.sleep("200 millis")
      const deleted = yield* ControlPlane.call("DELETE", `${path}/b`)
      assert.strictEqual(deleted["status"], "Success")
      yield* ControlPlane.call("POST", path, watched("c"))
      const events = yield* Fiber.join(seen)
      assert.deepStrictEqual(events.map(said), ["ADDED b", "MODIFIED a", "DELETED b", "ADDED c"])
      const versions = events.map((event) => BigInt(J.text(event, "object", "metadata", "resourceVersion") ?? "0"))
      assert.deepStrictEqual(versions, versions.toSorted((one, other) => one < other ? -1 : 1))
      assert.strictEqual(J.text(events[0], "object", "kind"), "ConfigMap")
      assert.strictEqual(J.text(events[0], "object", "apiVersion"), "v1")
    }))

  it.effect("what comes into a selector's view is added, what leaves it is deleted", () =>
    Effect.gen(function*() {
      const { path, version } = yield* start()
      const label = (value: string) =>
        ControlPlane.call("PATCH", `${path}/a`, { metadata: { labels: { watched: value } } }, Objects.mergePatch)
      yield* label("no")
      yield* label("yes")
      const events = yield* take(2, path, { ...ours, resourceVersion: version })
      assert.deepStrictEqual(events.map(said), ["DELETED a", "ADDED a"])
      assert.strictEqual(J.text(events[0], "object", "metadata", "labels", "watched"), "yes")
    }))

  it.effect("without a version it begins with what there is", () =>
    Effect.gen(function*() {
      const { path } = yield* start()
      yield* ControlPlane.call("POST", path, watched("b"))
      const events = yield* take(2, path, ours)
      assert.deepStrictEqual(events.map(said).toSorted(), ["ADDED a", "ADDED b"])
    }))

  it.effect("a watch-list is the list, a bookmark that ends it, and the watch", () =>
    Effect.gen(function*() {
      const { path } = yield* start()
      yield* ControlPlane.call("POST", path, watched("b"))
      const query = {
        ...ours,
        sendInitialEvents: "true",
        resourceVersionMatch: "NotOlderThan",
        allowWatchBookmarks: "true"
      }
      const seen = yield* Effect.forkChild(take(4, path, query))
      yield* Effect.sleep("500 millis")
      const made = yield* ControlPlane.call("POST", path, watched("c"))
      const events = yield* Fiber.join(seen)
      assert.deepStrictEqual(events.slice(0, 2).map(said).toSorted(), ["ADDED a", "ADDED b"])
      const [, , bookmark, live] = events
      assert.strictEqual(J.text(bookmark, "type"), "BOOKMARK")
      assert.strictEqual(J.text(bookmark, "object", "kind"), "ConfigMap")
      assert.deepStrictEqual(J.texts(bookmark, "object", "metadata", "annotations"), {
        "k8s.io/initial-events-end": "true"
      })
      const until = BigInt(J.text(bookmark, "object", "metadata", "resourceVersion") ?? "0")
      assert.isTrue(until < BigInt(J.text(made, "metadata", "resourceVersion") ?? "0"))
      assert.strictEqual(live === undefined ? "" : said(live), "ADDED c")
    }))

  it.effect("a watch-list of nothing ends at once all the same", () =>
    Effect.gen(function*() {
      const { path } = yield* start()
      const [event] = yield* take(1, path, {
        labelSelector: "watched=never",
        sendInitialEvents: "true",
        resourceVersionMatch: "NotOlderThan",
        allowWatchBookmarks: "true"
      })
      assert.strictEqual(J.text(event, "type"), "BOOKMARK")
    }))

  it.effect("one object is watched by its name", () =>
    Effect.gen(function*() {
      const { path, version } = yield* start()
      const seen = yield* Effect.forkChild(
        take(1, path, { fieldSelector: "metadata.name=a", resourceVersion: version })
      )
      yield* Effect.sleep("100 millis")
      yield* ControlPlane.call("POST", path, watched("b"))
      yield* ControlPlane.call("DELETE", `${path}/a`)
      assert.deepStrictEqual((yield* Fiber.join(seen)).map(said), ["DELETED a"])
    }))

  it.effect("a watch ends when its time is up", () =>
    Effect.gen(function*() {
      const { path, version } = yield* start()
      const events = yield* eventsOf(path, { ...ours, resourceVersion: version, timeoutSeconds: "1" }).pipe(
        Stream.runCollect,
        Effect.timeout("10 seconds")
      )
      assert.deepStrictEqual(events.filter((event) => J.text(event, "type") !== "BOOKMARK"), [])
    }))

  it.effect("a change of nothing is no event", () =>
    Effect.gen(function*() {
      const { path, version } = yield* start()
      yield* ControlPlane.call("PATCH", `${path}/a`, { data: { key: "value" } }, Objects.mergePatch)
      yield* ControlPlane.call("PATCH", `${path}/a`, { data: { key: "changed" } }, Objects.mergePatch)
      const [event] = yield* take(1, path, { ...ours, resourceVersion: version })
      assert.strictEqual(J.text(event, "object", "data", "key"), "changed")
    }))

  for (
    const [query, status, field] of [
      ["sendInitialEvents=true", 422, "resourceVersionMatch"],
      ["resourceVersionMatch=NotOlderThan", 422, "resourceVersionMatch"],
      ["resourceVersion=x", 500, undefined]
    ] as const
  ) {
    it.effect(`a watch with ${query} is refused with ${status}`, () =>
      Effect.gen(function*() {
        const { raw } = yield* TestCluster
        const answer = yield* raw({ method: "GET", path: `/api/v1/configmaps?watch=true&${query}` })
        assert.strictEqual(answer.status, status)
        assert.strictEqual(J.text(answer.body, "details", "causes", 0, "field"), field)
      }))
  }

  it.effect("rows of a table are watched", () =>
    Effect.gen(function*() {
      const { path, version } = yield* start()
      yield* ControlPlane.call("POST", path, watched("b"))
      const client = yield* KubeClient
      const lines = yield* linesOf(client, {
        method: "GET",
        path,
        query: { watch: "true", ...ours, resourceVersion: version },
        accept: "application/json;as=Table;v=v1;g=meta.k8s.io"
      }).pipe(Stream.take(1), Stream.runCollect)
      const event = J.parse(lines[0] ?? "")
      assert.strictEqual(J.text(event, "object", "kind"), "Table")
      assert.strictEqual(J.text(event, "object", "rows", 0, "cells", 0), "b")
      assert.strictEqual(J.list(event, "object", "columnDefinitions").length, 3)
    }))
}
