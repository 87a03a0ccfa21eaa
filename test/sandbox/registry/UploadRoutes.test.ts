// How blobs get into the embedded registry, and which do not.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import { request } from "node:http"
import * as os from "node:os"
import * as path from "node:path"
import * as EmbeddedRegistry from "../../../sandbox/registry/EmbeddedRegistry.ts"
import { send } from "../Http.ts"
import { absolute, closing, content, digest, sha256, started } from "./Requests.ts"

describe("push", () => {
  it.live("takes a blob as POST and PUT", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make()
      const session = yield* started(registry.url, "app")
      assert.strictEqual(session.status, 202)
      const done = yield* send(closing(registry.url, session.headers.get("location"), digest), {
        method: "PUT",
        body: content
      })
      assert.strictEqual(done.status, 201)
      assert.strictEqual(done.headers.get("docker-content-digest"), digest)
      const got = yield* send(absolute(registry.url, done.headers.get("location")))
      assert.strictEqual(sha256(got.bytes), digest)
    }))

  it.live("takes a blob in chunks, tells how far it is, and refuses one out of order", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make({ absoluteLocations: true })
      const session = yield* started(registry.url, "app")
      let location = session.headers.get("location") ?? ""
      const patch = (from: number, to: number) =>
        send(location, {
          method: "PATCH",
          headers: { "content-range": `${from}-${to}`, "content-type": "application/octet-stream" },
          body: content.subarray(from, to + 1)
        })
      const first = yield* patch(0, 9)
      assert.strictEqual(first.status, 202)
      assert.strictEqual(first.headers.get("range"), "0-9")
      location = first.headers.get("location") ?? ""
      const wrong = yield* patch(20, 29)
      assert.strictEqual(wrong.status, 416)
      const status = yield* send(location)
      assert.strictEqual(status.status, 204)
      assert.strictEqual(status.headers.get("range"), "0-9")
      assert.strictEqual((yield* patch(10, 19)).status, 202)
      const done = yield* send(closing(registry.url, location, digest), {
        method: "PUT",
        headers: { "content-range": `20-${content.length - 1}` },
        body: content.subarray(20)
      })
      assert.strictEqual(done.status, 201)
      assert.deepStrictEqual(Buffer.from(registry.blob(digest) ?? []), content)
    }))

  it.live("takes a blob in one POST, or opens a session where that is not supported", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make()
      const post = send(`${registry.url}/v2/app/blobs/uploads/?digest=${digest}`, { method: "POST", body: content })
      assert.strictEqual((yield* post).status, 201)
      registry.behaviour.singlePost = false
      assert.strictEqual((yield* post).status, 202)
    }))

  it.live("refuses bytes that have not the digest, and keeps nothing of them", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make()
      const session = yield* started(registry.url, "app")
      const url = closing(registry.url, session.headers.get("location"), digest)
      const done = yield* send(url, { method: "PUT", body: "other bytes" })
      assert.strictEqual(done.status, 400)
      assert.strictEqual(done.json().errors[0].code, "DIGEST_INVALID")
      assert.strictEqual((yield* send(url, { method: "PUT", body: content })).status, 404)
      assert.strictEqual((yield* send(`${registry.url}/v2/app/blobs/${digest}`)).status, 404)
    }))

  it.live("takes a Location that a client has rebuilt, unless it is told to refuse it", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make({ exactLocations: true })
      const put = Effect.gen(function*() {
        const session = yield* started(registry.url, "app")
        const url = new URL(session.headers.get("location") ?? "", registry.url)
        url.searchParams.set("digest", digest)
        return yield* send(url.href, { method: "PUT", body: content })
      })
      assert.strictEqual((yield* put).json().errors[0].code, "BLOB_UPLOAD_INVALID")
      registry.behaviour.exactLocations = false
      assert.strictEqual((yield* put).status, 201)
      const session = yield* started(registry.url, "app")
      const other = `${session.headers.get("location")?.replace(/_state=./, "_state=x")}&digest=${digest}`
      assert.strictEqual((yield* send(registry.url + other, { method: "PUT", body: content })).status, 400)
    }))

  it.live("mounts a blob from another repository, and opens a session when it is not there", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make()
      yield* registry.loadBlob("one", content)
      const mounted = yield* started(registry.url, "two", `?mount=${digest}&from=one`)
      assert.strictEqual(mounted.status, 201)
      assert.isTrue(registry.hasBlob("two", digest))
      const other = yield* started(registry.url, "two", `?mount=${sha256("nothing")}&from=one`)
      assert.strictEqual(other.status, 202)
    }))

  it.live("forgets a cancelled upload", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make()
      const session = yield* started(registry.url, "app")
      const url = absolute(registry.url, session.headers.get("location"))
      assert.strictEqual((yield* send(url, { method: "DELETE" })).status, 204)
      assert.strictEqual((yield* send(url)).status, 404)
    }))

  it.live("wants every chunk but the last as large as it announced", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make({ chunkMinLength: 16 })
      const session = yield* started(registry.url, "app")
      assert.strictEqual(session.headers.get("oci-chunk-min-length"), "16")
      const url = absolute(registry.url, session.headers.get("location"))
      assert.strictEqual((yield* send(url, { method: "PATCH", body: content.subarray(0, 8) })).status, 202)
      assert.strictEqual((yield* send(url, { method: "PATCH", body: content.subarray(8) })).status, 400)
    }))

  it.live("keeps blobs in a folder when it is given one", () =>
    Effect.gen(function*() {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "registry-"))),
        (it) => Effect.sync(() => fs.rmSync(it, { recursive: true }))
      )
      const registry = yield* EmbeddedRegistry.make({ folder })
      for (const algorithm of ["sha256", "sha512"]) {
        const name = `${algorithm}:${createHash(algorithm).update(content).digest("hex")}`
        const session = yield* started(registry.url, "app")
        const put = yield* send(closing(registry.url, session.headers.get("location"), name), {
          method: "PUT",
          body: content
        })
        assert.strictEqual(put.status, 201)
        assert.strictEqual((yield* send(`${registry.url}/v2/app/blobs/${name}`)).text, content.toString())
      }
      const part = yield* send(`${registry.url}/v2/app/blobs/${digest}`, { headers: { range: "bytes=1-3" } })
      assert.strictEqual(part.text, content.subarray(1, 4).toString())
      assert.strictEqual(fs.readdirSync(path.join(folder, "blobs")).length, 2)
      const deleted = yield* send(`${registry.url}/v2/app/blobs/${digest}`, { method: "DELETE" })
      assert.strictEqual(deleted.status, 202)
      assert.strictEqual(fs.readdirSync(path.join(folder, "blobs")).length, 1)
    }))

  it.live("drops an upload whose client goes away", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make()
      const session = yield* started(registry.url, "app")
      yield* Effect.callback<void>((resume) => {
        const put = request(closing(registry.url, session.headers.get("location"), digest), {
          method: "PUT",
          headers: { "content-length": content.length }
        })
        put.on("error", () => resume(Effect.void))
        put.write(content.subarray(0, 10), () => put.destroy(new Error("gone")))
      })
      assert.isFalse(registry.hasBlob("app", digest))
    }))
})
