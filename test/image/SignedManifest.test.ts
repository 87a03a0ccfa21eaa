import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { digestOf } from "../../src/image/Digest.ts"
import { signedPayload } from "../../src/image/SignedManifest.ts"
import { schema1Image, signed, tarLayer } from "../support/Schema1Images.ts"

const image = schema1Image([{ layer: tarLayer("a") }])
const payload = image.payload.toString()

const problem = (text: string) => {
  const result = signedPayload(Buffer.from(text))
  return Result.isFailure(result) ? result.failure : assert.fail("was taken")
}

/** A manifest whose signatures have these protected headers. */
const headed = (...headers: ReadonlyArray<unknown>) =>
  JSON.stringify({
    fsLayers: [],
    signatures: headers.map((it) => ({
      protected: typeof it === "string" ? it : Buffer.from(JSON.stringify(it)).toString("base64url")
    }))
  })

describe("signedPayload", () => {
  // as Distribution 2.8 served it, pushed by skopeo 1.9; the digest is what Distribution called it
  it("is what the registry took the digest of", () => {
    const raw =
      "{\"name\":\"team/old\",\"tag\":\"1\",\"architecture\":\"amd64\",\"fsLayers\":[{\"blobSum\":\"sha256:50b64b2d1f3b17d422972d0f7a92a78f865ba8db536ab5d47d8af18086825e1b\"},{\"blobSum\":\"sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4\"},{\"blobSum\":\"sha256:127880497fdd25bf22318887ee33cb04c2027bfbeb5353103c041db6dd1512c3\"}],\"history\":[{\"v1Compatibility\":\"{\\\"architecture\\\":\\\"amd64\\\",\\\"config\\\":{\\\"Env\\\":[\\\"A=\\\\u003cb\\\\u003e\\\\u0026c\\\"],\\\"Cmd\\\":[\\\"sh\\\"]},\\\"created\\\":\\\"2020-01-01T00:00:00Z\\\",\\\"id\\\":\\\"bf72087e95e5c1c85467c290dfe125cc446d84fcb3b3f61dd4cbb11cf6310499\\\",\\\"os\\\":\\\"linux\\\",\\\"parent\\\":\\\"bd3fd13164d4d332de4114c02a9bead0885fd8c78b7315de5ccfc5e0625e561e\\\"}\"},{\"v1Compatibility\":\"{\\\"id\\\":\\\"bd3fd13164d4d332de4114c02a9bead0885fd8c78b7315de5ccfc5e0625e561e\\\",\\\"parent\\\":\\\"0ab5f1f57233a87fef0d517e81306d4d1827dd1dc874cf38a14184cac44ec4a0\\\",\\\"created\\\":\\\"2020-01-01T00:00:00Z\\\",\\\"container_config\\\":{\\\"Cmd\\\":[\\\"ENV\\\"]},\\\"throwaway\\\":true}\"},{\"v1Compatibility\":\"{\\\"id\\\":\\\"0ab5f1f57233a87fef0d517e81306d4d1827dd1dc874cf38a14184cac44ec4a0\\\",\\\"created\\\":\\\"2020-01-01T00:00:00Z\\\",\\\"container_config\\\":{\\\"Cmd\\\":[\\\"one\\\"]}}\"}],\"schemaVersion\":1,\"signatures\":[{\"header\":{\"jwk\":{\"crv\":\"P-256\",\"kid\":\"WBGQ:4DGO:OGFA:OGHP:HGLM:P5QN:TGPK:HZDW:ALUO:2NXP:4ENA:N35G\",\"kty\":\"EC\",\"x\":\"rcb0MkN3uNHQnzFzGRVzDLsS3i_Xg4gBZCLPO4YrFQg\",\"y\":\"PPjMGrU6djiEq2uDZ6UCATAnaKZcI-4vLJB8pNW3DCk\"},\"alg\":\"ES256\"},\"signature\":\"UUk_e08996V26hmynhMeVUXx_3ilUk-EsbDGWMpxKrACI7tsy8YtjLlAv1S6-90UJDHuhLl484FptcvkHH3EEQ\",\"protected\":\"eyJmb3JtYXRMZW5ndGgiOjExMzgsImZvcm1hdFRhaWwiOiJmUSIsInRpbWUiOiIyMDI2LTExLTIxVDA3OjI3OjMwWiJ9\"}]}"
    const found = Result.getOrThrow(signedPayload(Buffer.from(raw)))
    assert.strictEqual(
      found === undefined ? "unsigned" : digestOf(found),
      "sha256:2fcca5ee0bbdc258c3c9f381a850281524d97816299bb66ac771de01ea57da62"
    )
  })

  it("is what was signed, whatever follows it, however many signed it", () => {
    for (const signatures of [1, 3]) {
      const found = Result.getOrThrow(signedPayload(Buffer.from(signed(payload, signatures))))
      assert.strictEqual(Buffer.from(found ?? []).toString(), payload)
    }
  })

  it("is none where nothing is signed, or the document is another", () => {
    for (
      const text of [
        payload,
        "{}",
        "[]",
        "",
        "{\"fsLayers\":[],\"signatures\":[]}",
        "{\"signatures\":[{\"protected\":\"\"}]}"
      ]
    ) {
      assert.isUndefined(Result.getOrThrow(signedPayload(Buffer.from(text))), text)
    }
  })

  const right = { formatLength: 3, formatTail: "fQ" }
  it.each<[string, string, RegExp]>([
    ["headers that are no base64url", headed("%%%%"), /does not say what it signs/],
    ["headers of an impossible length", headed("aaaaa"), /does not say what it signs/],
    ["headers that are no JSON", headed("aaaa"), /does not say what it signs/],
    ["headers without a length", headed({ formatTail: "fQ" }), /does not say what it signs/],
    ["a negative length", headed({ ...right, formatLength: -1 }), /does not say what it signs/],
    ["a broken length", headed({ ...right, formatLength: 0.5 }), /does not say what it signs/],
    ["a length beyond the end", headed({ ...right, formatLength: 100_000 }), /not there/],
    ["a tail that is no base64url", headed({ ...right, formatTail: "f+" }), /not there/],
    ["two lengths", headed(right, { ...right, formatLength: 2 }), /do not sign the same/],
    ["two tails", headed(right, { ...right, formatTail: "fg" }), /do not sign the same/],
    ["one header of two that says nothing", headed(right, {}), /does not say what it signs/]
  ])("refuses %s", (_, text, expected) => {
    assert.match(problem(text), expected)
  })

  it.prop("gives a verdict on any bytes, and never more than was there", [
    Schema.Struct({ length: Schema.Int, tail: Schema.String, rest: Schema.String })
  ], ([{ length, rest, tail }]) => {
    const bytes = Buffer.from(`${headed({ formatLength: length, formatTail: tail })}${rest}`)
    const result = signedPayload(bytes)
    if (Result.isSuccess(result)) assert.isAtMost(result.success?.length ?? 0, bytes.length + tail.length)
  }, { arbitrary: { runs: 300 } })

  it("takes large nonsense in its stride", () => {
    assert.match(problem(headed("a".repeat(4_000_000))), /does not say/)
    assert.match(problem(headed({ formatLength: 1, formatTail: "a".repeat(2_000_001) })), /not there/)
  })
})
