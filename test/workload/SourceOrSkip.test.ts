// Where an image of the backup comes from, as its plan says it.
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { backupOf } from "../../src/image/BackupName.ts"
import { format, parse } from "../../src/image/ImageReference.ts"
import { plan } from "../../src/workload/Plan.ts"
import { workload } from "../support/Objects.ts"
import { a, b, copy, given, nginx } from "./Planned.ts"

describe("images under the prefix", () => {
  const annotated = (image: string, original: string) =>
    plan(
      workload({
        images: { app: image },
        templateAnnotations: { "image-cloner.io/original-images": JSON.stringify({ app: original }) }
      }),
      given()
    )

  it("keep using their source: by a verified annotation, or by the inverse of a nested name", () => {
    assert.deepStrictEqual(annotated(copy, "nginx:1.27").wants, [nginx])
    assert.deepStrictEqual(annotated(`${copy}@${b}`, "nginx:1.27").wants, [`${nginx}@${b}`])
    const bare = plan(workload({ images: { app: copy } }), given())
    assert.deepStrictEqual([bare.wants, bare.images[0]?.skip, bare.verdict._tag], [[nginx], "already-backup", "Done"])
  })

  it("whose tag somebody has set to another are copies of that one, and the entry does not count", () => {
    for (const layout of ["nested", "flat"] as const) {
      const backup = { registry: "backup.example", prefix: "copies", layout }
      const bump = (present: string, entry: string) =>
        plan(
          workload({
            images: { app: present },
            templateAnnotations: { "image-cloner.io/original-images": JSON.stringify({ app: entry }) }
          }),
          given({}, { backup })
        )
      const to = (image: string) => format(backupOf(backup, Result.getOrThrow(parse(image))))
      const bumped = bump(to("nginx:1.28"), "nginx:1.27")
      assert.deepStrictEqual(bumped.wants, ["docker.io/library/nginx:1.28"])
      assert.deepStrictEqual([bumped.images[0]?.skip, bumped.images[0]?.stray], ["already-backup", "Bumped"])
      assert.deepStrictEqual(bump(to(`nginx:1.27@${b}`), `nginx:1.27@${a}`).wants, [
        `docker.io/library/nginx:1.27@${b}`
      ])
      assert.strictEqual(bump(to("nginx:1.27"), "nginx:1.27").images[0]?.stray, undefined)
    }
  })

  it("whose annotation claims another source are not followed there", () => {
    const planned = annotated(copy, "registry.internal/secret:1")
    assert.deepStrictEqual(planned.wants, [nginx])
    assert.strictEqual(planned.images[0]?.stray, "Forged")
    const hashed = annotated("backup.example/copies/hash_sha256/abc:1", "registry.internal/secret:1")
    assert.deepStrictEqual([hashed.wants, hashed.images[0]?.skip], [[], "under-prefix-unknown"])
  })
})
