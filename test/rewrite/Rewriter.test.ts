import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric, Result, Stream } from "effect"
import { KubeClient, type KubeRequest } from "../../src/kube/KubeClient.ts"
import { KubeError } from "../../src/kube/KubeError.ts"
import { Leadership } from "../../src/kube/lease/Leadership.ts"
import { Rewriter } from "../../src/rewrite/Rewriter.ts"
import { rewrites } from "../../src/telemetry/Metrics.ts"
import { originalsAnnotation } from "../../src/workload/Originals.ts"
import { templated, workload } from "../support/Objects.ts"

const kubeError = (reason: KubeError["reason"], given: Partial<KubeError> = {}) =>
  new KubeError({
    operation: "PATCH /x",
    reason,
    status: 422,
    detail: "no",
    causes: [],
    retryAfter: undefined,
    retryable: false,
    outcomeUnknown: false,
    ...given
  })

const deployment = (held: "images" | "mark", resourceVersion = "1") => {
  const mark = { "f:template": { "f:metadata": { "f:annotations": { [`f:${originalsAnnotation}`]: {} } } } }
  return templated({
    templateAnnotations: { [originalsAnnotation]: "{\"app\":\"nginx:1.27\"}" },
    metadata: {
      resourceVersion,
      managedFields: [{
        manager: "image-cloner",
        operation: "Update",
        fieldsV1: {
          "f:spec": held === "mark" ? mark : { ...mark, "f:containers": { "k:{\"name\":\"app\"}": { "f:image": {} } } }
        }
      }]
    }
  })
}

/** A rewriter whose requests are answered in order; the last answer is the answer to all that follow. */
const scripted = (...answers: ReadonlyArray<unknown>) => {
  const requests: Array<KubeRequest> = []
  const client = Layer.mock(KubeClient, {
    server: "http://scripted",
    request: (request) =>
      Effect.suspend(() => {
        const answer = answers[Math.min(requests.length, answers.length - 1)]
        requests.push(request)
        return answer instanceof KubeError ? Effect.fail(answer) : Effect.succeed(answer)
      })
  })
  const layer = Layer.merge(
    Layer.provide(Rewriter.layer, client),
    Layer.sync(Metric.MetricRegistry, () => new Map())
  )
  return { requests, layer, methods: () => requests.map((it) => it.method).join(" ") }
}

const disown = Rewriter.use((it) => it.disown(workload()))

describe("giving up the images of an object", () => {
  it.effect("reads it, and patches it under our own name", () => {
    const api = scripted(deployment("images"), deployment("mark"))
    return Effect.gen(function*() {
      assert.strictEqual(yield* disown, "done")
      assert.strictEqual(api.methods(), "GET PATCH")
      const [, patch] = api.requests
      assert.strictEqual(patch?.path, "/apis/apps/v1/namespaces/shop/deployments/web")
      assert.deepStrictEqual(patch?.query, { fieldManager: "image-cloner", fieldValidation: "Strict" })
      assert.strictEqual(patch?.contentType, "application/json-patch+json")
      assert.strictEqual((yield* Metric.value(rewrites({ result: "disowned" }))).count, 1)
    }).pipe(Effect.provide(api.layer))
  })

  it.effect("writes nothing where nothing is ours, or the object is gone", () =>
    Effect.gen(function*() {
      for (const answer of [deployment("mark"), templated(), kubeError("NotFound")]) {
        const api = scripted(answer)
        assert.strictEqual(yield* Effect.provide(disown, api.layer), "done")
        assert.strictEqual(api.methods(), "GET")
      }
    }))

  it.effect("reads it anew when somebody was faster, three times in all", () =>
    Effect.gen(function*() {
      for (const lost of [kubeError("Invalid"), kubeError("Conflict")]) {
        const slow = scripted(
          deployment("images"),
          lost,
          deployment("images", "2"),
          lost,
          deployment("images", "3"),
          deployment("mark")
        )
        assert.strictEqual(yield* Effect.provide(disown, slow.layer), "done")
        assert.strictEqual(slow.methods(), "GET PATCH GET PATCH GET PATCH")
        const versions = slow.requests.flatMap((it) => JSON.stringify(it.body ?? "").match(/"value":"(\d)"/)?.[1] ?? [])
        assert.deepStrictEqual(versions, ["1", "2", "3"])

        const never = scripted(...Array.from({ length: 9 }, () => [deployment("images"), lost]).flat())
        assert.strictEqual(yield* Effect.provide(disown, never.layer), "changed")
        assert.strictEqual(never.methods(), "GET PATCH GET PATCH GET PATCH")
      }
    }))

  it.effect("says so when the server takes the patch and nothing comes of it", () => {
    const api = scripted(deployment("images"))
    return Effect.gen(function*() {
      assert.strictEqual(yield* disown, "kept")
      assert.strictEqual(api.methods(), "GET PATCH")
      assert.strictEqual((yield* Metric.value(rewrites({ result: "disown-failed" }))).count, 1)
    }).pipe(Effect.provide(api.layer))
  })

  it.effect("leaves nothing to its client to be sent later, when settings may have stopped it", () => {
    const api = scripted(deployment("images"), deployment("mark"), deployment("mark"))
    return Effect.gen(function*() {
      yield* disown
      yield* Rewriter.use((it) => it.apply(workload(), [], "rewritten"))
      assert.deepStrictEqual(api.requests.map((it) => [it.method, it.once]), [
        ["GET", true],
        ["PATCH", true],
        ["PATCH", true]
      ])
    }).pipe(Effect.provide(api.layer))
  })

  it.effect("fails with what refuses it", () =>
    Effect.gen(function*() {
      const cause = { reason: "FieldValueInvalid", message: "no", field: "metadata.managedFields" }
      for (const refusal of [kubeError("Denied"), kubeError("Forbidden"), kubeError("Invalid", { causes: [cause] })]) {
        const api = scripted(deployment("images"), refusal)
        assert.deepStrictEqual(yield* Effect.provide(Effect.result(disown), api.layer), Result.fail(refusal))
        assert.strictEqual(api.methods(), "GET PATCH")
      }
    }))
})

describe("a replica that leads no longer", () => {
  const following = Layer.succeed(Leadership, {
    mayWrite: Effect.succeed(false),
    changes: Stream.never,
    leave: Effect.void
  })

  // seen: two patches of a replica that had slept, after the first of the one that leads since
  it.effect("writes nothing, however shortly before it has decided to", () => {
    const api = scripted(deployment("images"))
    return Effect.gen(function*() {
      const rewriter = yield* Rewriter
      assert.deepStrictEqual(yield* rewriter.apply(workload(), [], "rewritten"), { _tag: "Changed" })
      assert.strictEqual(yield* rewriter.disown(workload()), "done")
      assert.strictEqual(api.methods(), "GET")
    }).pipe(Effect.provide(api.layer.pipe(Layer.provide(following))))
  })
})
