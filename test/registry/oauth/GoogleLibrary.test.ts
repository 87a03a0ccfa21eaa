// Google's own library over scripted requests: what it sends for a key, and what its errors look like to us.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Redacted } from "effect"
import { generateKeyPairSync } from "node:crypto"
import { vi } from "vitest"
import { tokenOfFile } from "../../../src/registry/oauth/GoogleLibrary.ts"
import type { SdkRequest } from "../../../src/registry/identity/SdkRequests.ts"
import { DispatchError } from "../../../src/registry/transport/DispatchError.ts"

const email = "copies@project.iam.gserviceaccount.com"

/** With a key of a service account at hand, and a service that gives these answers. */
const ask = Effect.fnUntraced(function*(answer: () => Promise<{ readonly status: number; readonly body: unknown }>) {
  const fs = yield* FileSystem.FileSystem
  const file = `${yield* fs.makeTempDirectoryScoped()}/key.json`
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
  yield* fs.writeFileString(
    file,
    JSON.stringify({
      type: "service_account",
      client_email: email,
      private_key: privateKey.export({ type: "pkcs8", format: "pem" })
    })
  )
  yield* Effect.acquireRelease(
    Effect.sync(() => vi.stubEnv("GOOGLE_APPLICATION_CREDENTIALS", file)),
    () => Effect.sync(() => vi.unstubAllEnvs())
  )
  const seen = Array.of<SdkRequest>()
  const handle = async (request: SdkRequest) => {
    seen.push(request)
    const { body, status } = await answer()
    const headers = { "content-type": "application/json" }
    return { response: { statusCode: status, headers, body: new TextEncoder().encode(JSON.stringify(body)) } }
  }
  const asked = Effect.promise(() => tokenOfFile({ metadata: { handlerProtocol: "" }, handle }))
  /** The library's own error. */
  const refused = Effect.promise(() =>
    tokenOfFile({ metadata: { handlerProtocol: "" }, handle }).then(() => "no error", (error: unknown) => error)
  )
  return { asked, refused, seen }
})

const given = (status: number, body: unknown) => () => Promise.resolve({ status, body })

describe("Google's library", () => {
  it.live("asks for a token of a key by one request, to one host", () =>
    Effect.gen(function*() {
      const { asked, seen } = yield* ask(given(200, { access_token: "t", expires_in: 3600 }))
      const { email: whose, expiresAt, token } = yield* asked
      assert.strictEqual(Redacted.value(token ?? Redacted.make("")), "t")
      assert.strictEqual(whose, email)
      assert.closeTo(expiresAt ?? 0, Date.now() + 3_600_000, 60_000)
      assert.deepStrictEqual(seen.map((it) => `${it.method} ${it.hostname}${it.path}`), [
        "POST oauth2.googleapis.com/token"
      ])
      assert.match(String(seen[0]?.body), /assertion=ey/)
    }).pipe(Effect.provide(NodeServices.layer)))

  it.live("tells a refusal by its status, and does not repeat what was sent", () =>
    Effect.gen(function*() {
      const { refused } = yield* ask(
        given(400, { error: "invalid_grant", error_description: "Invalid JWT Signature." })
      )
      const error = yield* refused
      assert.propertyVal(error, "status", 400)
      assert.match(String(error), /invalid_grant/)
      assert.notMatch(String(error), /assertion/)
    }).pipe(Effect.provide(NodeServices.layer)))

  it.live("tells whom it asked where nothing came", () =>
    Effect.gen(function*() {
      const { refused } = yield* ask(() => Promise.reject(new DispatchError({ reason: "Timeout", detail: "too slow" })))
      const error = yield* refused
      assert.match(String(error), /oauth2\.googleapis\.com: too slow/)
      assert.isFalse(error instanceof Object && "status" in error && Number(error.status) < 500)
    }).pipe(Effect.provide(NodeServices.layer)))
})
