import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Metric } from "effect"
import { TestClock } from "effect/testing"
import { extrasSettled, followExtra } from "../../../src/controller/extra/ExtraWatches.ts"
import { WorkloadQueue } from "../../../src/controller/Queues.ts"
import { KubeClient } from "../../../src/kube/KubeClient.ts"
import { WatchStates } from "../../../src/kube/watch/WatchStates.ts"
import { WorkloadStore } from "../../../src/store/WorkloadStore.ts"
import { type Answer, fakeApi, json, refuse, stream, testing } from "../../kube/FakeApi.ts"
import { rollout, rolloutObject } from "../../support/ExtraObjects.ts"
import { eventually as eventuallyIn } from "../../support/Eventually.ts"

/** Time goes fifty times as fast: this is ten seconds of the wall. */
const eventually = <A>(wrong: string, look: () => A, wanted?: (it: A) => boolean) =>
  eventuallyIn(wrong, look, wanted, "500 seconds")

const name = "Rollout.argoproj.io"
const key = `${name}/shop/web`

const resource = (kind: string, plural: string, namespaced = true) => ({
  name: plural,
  kind,
  namespaced,
  verbs: ["get"]
})
const served = (...resources: ReadonlyArray<object>) => json(200, { kind: "APIResourceList", resources })
const found = served(
  resource("Scale", "rollouts/scale"),
  resource("Rollout", "rollouts/status"),
  resource("Rollout", "rollouts")
)
const objectOf = (version: number) => ({
  ...rolloutObject({ metadata: { resourceVersion: String(version) } })
})
const initialEnd = {
  type: "BOOKMARK",
  object: { metadata: { resourceVersion: "2", annotations: { "k8s.io/initial-events-end": "true" } } }
}
const listed = stream([{ type: "ADDED", object: objectOf(1) }, initialEnd], "open")

/** Follows the kind of a server that answers so; what it logs, and what is asked of it. */
const following = Effect.fnUntraced(function*(answers: ReadonlyArray<Answer>) {
  const api = yield* fakeApi(answers)
  const said: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void said.push(`${logLevel}: ${String(message)}`))
  yield* followExtra(rollout).pipe(
    Effect.provide(Layer.merge(KubeClient.layerFrom({ server: api.server }), Logger.layer([logger]))),
    Effect.forkScoped
  )
  const store = yield* WorkloadStore
  const states = yield* WatchStates
  return { said, store, states, paths: () => api.calls.map((it) => it.path) }
})

const context = Layer.provideMerge(
  Layer.mergeAll(WorkloadStore.layer, WorkloadQueue.layer),
  testing
)

describe("the watch of a kind of EXTRA_KINDS", () => {
  it.live("asks for its plural, once, and follows it", () =>
    Effect.gen(function*() {
      const { paths, said, states, store } = yield* following([found, listed])
      yield* eventually("it is not seen", () => store.get(key)?.images[0]?.image, (it) => it === "nginx:1.27")
      assert.isTrue(store.isSynced(name))
      assert.strictEqual(states.get(name)?.state, "synced")
      assert.deepStrictEqual(paths(), ["/apis/argoproj.io/v1alpha1", "/apis/argoproj.io/v1alpha1/rollouts"])
      assert.deepStrictEqual(said.filter((it) => it.startsWith("Warn")), [])
    }).pipe(Effect.provide(context), Effect.scoped))

  it.live("tells once that it is not installed, and begins when it is", () =>
    Effect.gen(function*() {
      const none = refuse(404, "NotFound", "the server could not find the requested resource")
      const { said, states, store } = yield* following([
        none,
        none,
        served(resource("Experiment", "experiments")),
        found,
        listed
      ])
      yield* eventually("it is not refused", () => states.get(name)?.state, (it) => it === "refused")
      yield* eventually("it is not seen", () => store.get(key) !== undefined)
      assert.deepStrictEqual(said.filter((it) => !it.startsWith("Debug")), [
        `Warn: ${name} of EXTRA_KINDS: the API server has no argoproj.io/v1alpha1: its CustomResourceDefinition is not `
        + "installed; it is watched as soon as it is",
        `Warn: ${name} of EXTRA_KINDS: the API server has no Rollout in argoproj.io/v1alpha1: its CustomResourceDefinition `
        + "is not installed; it is watched as soon as it is",
        `Info: ${name} is there now`
      ])
    }).pipe(Effect.provide(context), Effect.scoped), 60_000)

  it.live("waits out a server that is broken, lies or cuts off", () =>
    Effect.gen(function*() {
      const odd = {
        metadata: { name: "odd", namespace: "shop", resourceVersion: "2" },
        spec: { template: { spec: { containers: "none" } } }
      }
      const cut: Answer = (_, response) => void response.socket?.destroy()
      const { said, states, store } = yield* following([
        refuse(500, "InternalError"),
        json(200, { kind: "Status" }),
        json(200, "<html>"),
        cut,
        found,
        stream(
          [{ type: "ADDED", object: objectOf(1) }, { type: "ADDED", object: odd }, initialEnd],
          "open"
        )
      ])
      yield* eventually("it is not seen", () => store.get(key) !== undefined)
      yield* eventually("it is not synced", () => states.get(name)?.state, (it) => it === "synced")
      assert.isAbove(said.filter((it) => it.includes("the answer is no list of resources")).length, 0)
    }).pipe(Effect.provide(context), Effect.scoped), 60_000)

  it.live("says that it may not be seen, and is seen when it may", () =>
    Effect.gen(function*() {
      const { said, states, store } = yield* following([found, refuse(403, "Forbidden"), listed])
      yield* eventually("it is not refused", () => states.get(name)?.state, (it) => it === "refused")
      assert.isFalse(store.isSynced(name))
      assert.include(states.unheard(name, 0), name)
      assert.lengthOf(said.filter((it) => it.startsWith("Warn") && it.includes(name)), 1)
      yield* eventually("it is not seen", () => store.get(key) !== undefined)
    }).pipe(Effect.provide(context), Effect.scoped), 60_000)

  it.live("is refused for a kind that is in no namespace", () =>
    Effect.gen(function*() {
      const { said } = yield* following([served(resource("Rollout", "rollouts", false))])
      yield* eventually("nothing is said", () => said.join(), (it) => it.includes("rollouts are in no namespace"))
    }).pipe(Effect.provide(context), Effect.scoped))
})

describe("whoever begins", () => {
  const states = WatchStates.layer

  it.effect("waits for the kinds of EXTRA_KINDS until they are seen or refused, and no longer than ten seconds", () =>
    Effect.gen(function*() {
      const of = yield* WatchStates
      yield* extrasSettled([])
      const late = yield* Effect.forkChild(extrasSettled([rollout]))
      yield* TestClock.adjust("9 seconds")
      assert.isUndefined(late.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.isDefined(late.pollUnsafe())
      of.update(name, { state: "refused" })
      yield* extrasSettled([rollout])
    }).pipe(Effect.provide(Layer.mergeAll(states, Layer.sync(Metric.MetricRegistry, () => new Map())))))
})
