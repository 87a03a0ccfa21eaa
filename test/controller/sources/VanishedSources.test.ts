import { assert, describe, it } from "@effect/vitest"
import { Duration, Schema } from "effect"
import { describeGone, describeSilent, vanishedOf } from "../../../src/controller/sources/VanishedSources.ts"
import type { InventoryEntry } from "../../../src/store/Inventory.ts"
import { backedUp } from "../../workload/Planned.ts"

const day = 24 * 3_600_000

const entry = (given: Partial<InventoryEntry> = {}): InventoryEntry => ({
  source: "docker.io/library/nginx:1.27",
  users: new Set(["Deployment/shop/web", "Pod/shop/web-1"]),
  state: backedUp(),
  ...given
})

const none: ReadonlyMap<string, Duration.Duration> = new Map()
const silent = (minutes: number) => new Map([["docker.io", Duration.minutes(minutes)]])

const causes = (...given: Parameters<typeof vanishedOf>) => vanishedOf(...given).map((it) => it.cause)

describe("a source has vanished", () => {
  it("when its registry says so twice, a day apart or more", () => {
    const gone = (last: number) => [entry({ gone: { since: 7, last: 7 + last } })]
    assert.deepStrictEqual(causes([entry()], none), [])
    for (const last of [0, day - 1]) assert.deepStrictEqual(causes(gone(last), none), [])
    assert.deepStrictEqual(causes(gone(day), none), ["not-found"])
  })

  it("when its registry gives no answer for an hour, and no other's has then", () => {
    const other = entry({ source: "quay.io/team/app:1" })
    assert.deepStrictEqual(causes([entry(), other], silent(59)), [])
    assert.deepStrictEqual(
      vanishedOf([entry(), other], silent(60)).map(({ cause, registry }) => [cause, registry]),
      [["unreachable", "docker.io"]]
    )
  })

  it("not where it is named by its digest and copied: nobody asks for it any more", () => {
    const pinned = `docker.io/library/nginx@sha256:${"0".repeat(64)}`
    assert.deepStrictEqual(causes([entry({ source: pinned })], silent(60)), [])
    assert.deepStrictEqual(causes([entry({ source: pinned, state: { _tag: "Pending" } })], silent(60)), ["unreachable"])
  })

  it.prop("for one cause at most, and never by less than its time", [
    Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 * day })),
    Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 180 })),
    Schema.Boolean
  ], ([last, minutes, known]) => {
    const found = causes([entry(known ? { gone: { since: 0, last } } : {})], silent(minutes))
    const expected = known && last >= day ? ["not-found"] : minutes >= 60 ? ["unreachable"] : []
    assert.deepStrictEqual(found, expected)
  })
})

describe("what is said of it", () => {
  it("names the image, its users and whether the backup keeps them going", () => {
    const text = describeGone(entry(), ["Deployment/shop/web"])
    for (
      const part of ["docker.io/library/nginx:1.27", "1 workload uses it, first Deployment/shop/web", "keeps them"]
    ) {
      assert.include(text, part)
    }
    assert.include(describeGone(entry({ state: { _tag: "Pending" } }), []), "there is no copy in the backup")
    assert.include(describeGone(entry(), []), "2 workloads use it, first Deployment/shop/web")
  })

  it("is one sentence for all images of a registry", () => {
    const lost = entry({ source: "docker.io/library/redis:7", state: { _tag: "Pending" } })
    const text = describeSilent("docker.io", [entry(), lost], ["Deployment/shop/web"])
    for (const part of ["2 images", "1 have a copy", "1 have none, first docker.io/library/redis:7"]) {
      assert.include(text, part)
    }
    assert.include(describeSilent("docker.io", [entry()], []), "keeps them going")
  })
})
