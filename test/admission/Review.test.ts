// AdmissionReview: what the API server sends is understood, what it is answered is what it takes, and nothing makes it throw.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { limitWarnings } from "../../src/admission/AnswerWarnings.ts"
import { type AdmissionRequest, decodeReview, encodeReview } from "../../src/admission/Review.ts"
import type { Operation } from "../../src/workload/Patch.ts"
import { reviewOf } from "./Reviews.ts"

const decoded = (body: unknown): AdmissionRequest => Result.getOrThrow(decodeReview(body))
const reasonOf = (body: unknown): string | undefined => {
  const result = decodeReview(body)
  return Result.isFailure(result) ? result.failure.reason : undefined
}
const responseOf = (body: string): Record<string, unknown> => JSON.parse(body).response

describe("decodeReview", () => {
  it("understands the request for a pod that a controller makes", () => {
    const object = { kind: "Pod", metadata: { generateName: "web-" } }
    assert.deepStrictEqual(decoded(reviewOf({ object })), {
      uid: "705ab4f5-6393-11e8-b7cc-42010a800002",
      operation: "CREATE",
      resource: { group: "", version: "v1", resource: "pods" },
      subResource: undefined,
      namespace: "shop",
      name: "",
      dryRun: false,
      userName: "system:serviceaccount:kube-system:replicaset-controller",
      object,
      oldObject: null
    })
  })

  it("takes null, empty and absent for the same", () => {
    for (const empty of [null, undefined, ""]) {
      const request = decoded(reviewOf({
        subResource: empty,
        namespace: empty,
        name: empty,
        dryRun: empty === "" ? false : empty,
        userInfo: { username: empty }
      }))
      assert.deepStrictEqual(
        [request.subResource, request.namespace, request.name, request.dryRun, request.userName],
        [undefined, "", "", false, ""]
      )
    }
    assert.strictEqual(decoded(reviewOf({ userInfo: undefined })).userName, "")
    assert.strictEqual(decoded(reviewOf({ resource: { version: "v1", resource: "pods" } })).resource.group, "")
  })

  it("tells a subresource and a dry run", () => {
    const request = decoded(reviewOf({ subResource: "ephemeralcontainers", operation: "UPDATE", dryRun: true }))
    assert.deepStrictEqual([request.subResource, request.operation, request.dryRun], [
      "ephemeralcontainers",
      "UPDATE",
      true
    ])
  })

  it("says what is wrong with what is none", () => {
    for (const body of [null, undefined, 1, "text", [], {}, { kind: "Pod" }, { ...reviewOf(), kind: 1 }]) {
      assert.strictEqual(reasonOf(body), "NoReview", JSON.stringify(body))
    }
    assert.strictEqual(reasonOf({ ...reviewOf(), apiVersion: "admission.k8s.io/v1beta1" }), "WrongVersion")
    assert.strictEqual(reasonOf({ ...reviewOf(), apiVersion: undefined }), "WrongVersion")
    assert.strictEqual(reasonOf({ ...reviewOf(), request: null }), "NoRequest")
    assert.strictEqual(reasonOf({ ...reviewOf(), request: undefined }), "NoRequest")
    for (const uid of [undefined, null, "", 7]) assert.strictEqual(reasonOf(reviewOf({ uid })), "NoUid")
    assert.strictEqual(reasonOf({ ...reviewOf(), request: "text" }), "NoUid")
    assert.strictEqual(reasonOf(reviewOf({ uid: "x".repeat(129) })), "UidTooLong")
    assert.strictEqual(reasonOf(reviewOf({ operation: "PATCH" })), "Malformed")
    assert.strictEqual(reasonOf(reviewOf({ resource: "pods" })), "Malformed")
    assert.strictEqual(reasonOf(reviewOf({ name: 5 })), "Malformed")
  })

  it("repeats nothing of the request in an error", () => {
    const secret = "hunter2"
    for (
      const body of [
        { kind: secret },
        { ...reviewOf(), apiVersion: secret },
        reviewOf({ operation: secret }),
        reviewOf({ uid: secret.repeat(100) }),
        { ...reviewOf(), request: secret }
      ]
    ) {
      const result = decodeReview(body)
      assert.isTrue(Result.isFailure(result))
      if (Result.isFailure(result)) assert.notInclude(result.failure.message, secret)
    }
  })

  it.effect.prop("never throws, whatever the body is", { body: Schema.Json }, ({ body }) =>
    Effect.sync(() => {
      for (const it of [body, { ...reviewOf(), request: body }]) assert.isTrue(Result.isFailure(decodeReview(it)))
      assert.isTrue(Result.isResult(decodeReview(reviewOf({ name: body, userInfo: body, dryRun: body }))))
      const request = decoded(reviewOf({ object: body, oldObject: body, options: body, unknown: body }))
      assert.strictEqual(request.object, body)
      assert.strictEqual(request.oldObject, body)
    }))
})

describe("encodeReview", () => {
  const patch: ReadonlyArray<Operation> = [{ op: "replace", path: "/spec/containers/0/image", value: "b.example/é" }]

  it("says the exact kind and version, and echoes the uid", () => {
    assert.deepStrictEqual(JSON.parse(encodeReview("u", {})), {
      apiVersion: "admission.k8s.io/v1",
      kind: "AdmissionReview",
      response: { uid: "u", allowed: true }
    })
  })

  it("sends a patch in base64 with its type, and neither of them without operations", () => {
    const response = responseOf(encodeReview("u", { patch }))
    assert.strictEqual(response["patchType"], "JSONPatch")
    assert.deepStrictEqual(JSON.parse(Buffer.from(String(response["patch"]), "base64").toString()), patch)
    assert.deepStrictEqual(responseOf(encodeReview("u", { patch: [], warnings: [" "] })), { uid: "u", allowed: true })
  })

  it("denies with a status and without a patch", () => {
    const denied = { code: 403, reason: "Forbidden", message: "no" }
    assert.deepStrictEqual(
      responseOf(encodeReview("u", { patch, denied, warnings: ["w"], auditAnnotations: { a: "b" } })),
      { uid: "u", allowed: false, status: denied, warnings: ["w"], auditAnnotations: { a: "b" } }
    )
  })

  it.effect.prop("brings any patch and annotation through", {
    uid: Schema.String,
    value: Schema.Json,
    auditAnnotations: Schema.Record(Schema.String, Schema.String)
  }, ({ auditAnnotations, uid, value }) =>
    Effect.sync(() => {
      const operations: ReadonlyArray<Operation> = [{ op: "add", path: "/a", value }]
      const response = responseOf(encodeReview(uid, { patch: operations, auditAnnotations }))
      assert.strictEqual(response["uid"], uid)
      const sent: unknown = JSON.parse(Buffer.from(String(response["patch"]), "base64").toString())
      assert.deepStrictEqual(sent, JSON.parse(JSON.stringify(operations)))
      assert.strictEqual(JSON.stringify(response["auditAnnotations"]), JSON.stringify(auditAnnotations))
    }))
})

describe("limitWarnings", () => {
  const lengthOf = (text: string): number => [...text].length

  it("leaves short ones as they are", () => {
    assert.deepStrictEqual(limitWarnings(["a", "x".repeat(256)]), ["a", "x".repeat(256)])
  })

  it("cuts a long one between characters", () => {
    assert.deepStrictEqual(limitWarnings(["😀".repeat(257)]), [`${"😀".repeat(255)}…`])
    assert.deepStrictEqual(limitWarnings(["😀".repeat(256)]), ["😀".repeat(256)])
  })

  it("replaces what a terminal would act on", () => {
    assert.deepStrictEqual(limitWarnings(["a\r\nb\u001B[31mc\u2028d\u202Ee", "\n"]), ["a b [31mc d e"])
  })

  it("says how many there was no room for", () => {
    const shown = limitWarnings(Array.from({ length: 40 }, () => "x".repeat(200)))
    assert.deepStrictEqual([shown.length, shown.at(-1)], [21, "and 20 more"])
    const exact = Array.from({ length: 16 }, () => "x".repeat(256))
    assert.deepStrictEqual(limitWarnings(exact), exact)
    assert.deepStrictEqual(limitWarnings([...exact, "y"]), [...exact.slice(1), "and 2 more"])
  })

  it.effect.prop("stays within the limits of the API server, whatever the texts are", {
    texts: Schema.Array(Schema.String),
    repeat: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 600 }))
  }, ({ repeat, texts }) =>
    Effect.sync(() => {
      const all = [...texts, ...texts.map((it) => it.repeat(repeat))]
      const shown = limitWarnings(all)
      assert.isAtMost(shown.reduce((sum, it) => sum + lengthOf(it), 0), 4096)
      for (const it of shown) {
        assert.isAtMost(lengthOf(it), 256)
        assert.isFalse(it === "" || /\p{Cc}/u.test(it) || !it.isWellFormed())
      }
      const dropped = /^and (\d+) more$/.exec(shown.at(-1) ?? "")
      if (dropped !== null && shown.length < all.length) {
        assert.isAtMost(shown.length - 1 + Number(dropped[1]), all.length)
      }
    }))
})
