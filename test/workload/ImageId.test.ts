import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { parseImageId } from "../../src/workload/ImageId.ts"

const Hex = Schema.String.check(Schema.isPattern(/^[a-f0-9]{64}$/))
const Name = Schema.String.check(Schema.isPattern(/^[a-z0-9]{1,8}$/))

/** What each runtime says of an image, by the digest's hex and a repository. */
const manifestForms = [
  { runtime: "containerd and CRI-O before 1.28", of: (hex: string, name: string) => `docker.io/${name}@sha256:${hex}` },
  { runtime: "a mirror", of: (hex: string, name: string) => `mirror.${name}:5000/a/b@sha256:${hex}` },
  { runtime: "dockershim", of: (hex: string, name: string) => `docker-pullable://${name}@sha256:${hex}` },
  { runtime: "a runtime that keeps the tag", of: (hex: string, name: string) => `${name}:1.27@sha256:${hex}` }
] as const
const configForms = [
  { runtime: "CRI-O since 1.28", of: (hex: string) => hex },
  { runtime: "containerd, an image without a repository", of: (hex: string) => `sha256:${hex}` },
  { runtime: "dockershim, an image that was built there", of: (hex: string) => `docker://sha256:${hex}` }
] as const

describe("the imageID of", () => {
  for (const { of, runtime } of manifestForms) {
    it.prop(`${runtime} names a manifest`, [Hex, Name], ([hex, name]) => {
      assert.deepStrictEqual(parseImageId(of(hex, name)), { digest: `sha256:${hex}`, of: "manifest" })
    })
  }

  for (const { of, runtime } of configForms) {
    it.prop(`${runtime} names a config`, [Hex], ([hex]) => {
      assert.deepStrictEqual(parseImageId(of(hex)), { digest: `sha256:${hex}`, of: "config" })
    })
  }

  it.each([
    "",
    "nginx:1.27",
    "docker://",
    "docker.io/library/nginx@",
    `${"a".repeat(63)}`,
    `${"A".repeat(64)}`,
    "@sha256:12"
  ])(
    "%j tells nothing",
    (text) => assert.isUndefined(parseImageId(text))
  )

  it.prop("anything else is read without a failure", [Schema.String], ([text]) => {
    const id = parseImageId(text)
    assert.isTrue(id === undefined || text.includes(id.digest.slice(7)))
  })
})
