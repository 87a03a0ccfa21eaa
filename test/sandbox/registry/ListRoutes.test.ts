// What the embedded registry lists: tags, and what refers to a manifest.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as EmbeddedRegistry from "../../../sandbox/registry/EmbeddedRegistry.ts"
import * as MediaTypes from "../../../sandbox/registry/MediaTypes.ts"
import * as SampleImage from "../../../sandbox/registry/SampleImage.ts"
import { send } from "../Http.ts"
import { pushBlob, putManifest } from "./Requests.ts"

describe("lists", () => {
  it.live("lists tags in pages", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make()
      for (const tag of ["c", "a", "d", "b", "e"]) yield* registry.load("app", SampleImage.image("app"), tag)
      const seen: Array<string> = []
      let next: string | undefined = "/v2/app/tags/list?n=2"
      while (next !== undefined) {
        const answer: { headers: Headers; json: () => { tags: Array<string> } } = yield* send(registry.url + next)
        const page = answer.json().tags
        assert.isAtMost(page.length, 2)
        seen.push(...page)
        next = /<([^>]+)>; rel="next"/.exec(answer.headers.get("link") ?? "")?.[1]
      }
      assert.deepStrictEqual(seen, ["a", "b", "c", "d", "e"])
    }))

  it.live("answers who refers to a manifest, filtered by type", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make()
      const image = SampleImage.image("app")
      yield* registry.load("app", image, "1")
      const signature = SampleImage.artifact(image.manifest, "application/vnd.test.signature", "signed", { by: "me" })
      const sbom = SampleImage.artifact(image.manifest, "application/vnd.test.sbom", "packages")
      yield* registry.load("app", sbom)
      for (const blob of signature.blobs) yield* pushBlob(registry.url, "app", blob)
      const { bytes, digest: name, mediaType } = signature.manifest
      const pushed = yield* putManifest(registry.url, name, bytes, mediaType)
      assert.strictEqual(pushed.headers.get("oci-subject"), image.manifest.digest)
      const referrers = (query: string) => send(`${registry.url}/v2/app/referrers/${image.manifest.digest}${query}`)
      const all = yield* referrers("")
      assert.strictEqual(all.headers.get("content-type"), MediaTypes.ociIndex)
      assert.strictEqual(all.json().manifests.length, 2)
      const some = yield* referrers("?artifactType=application/vnd.test.signature")
      assert.strictEqual(some.headers.get("oci-filters-applied"), "artifactType")
      assert.deepStrictEqual(some.json().manifests, [{
        mediaType,
        digest: name,
        size: bytes.length,
        artifactType: "application/vnd.test.signature",
        annotations: { by: "me" }
      }])
      registry.behaviour.referrers = false
      assert.strictEqual((yield* referrers("")).status, 404)
    }))
})
