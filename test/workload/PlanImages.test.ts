// Which copy an image is pointed to, by the bytes that its pods run.
import { assert, describe, it } from "@effect/vitest"
import type { ImageState } from "../../src/image/ImageState.ts"
import { plan } from "../../src/workload/Plan.ts"
import { pod, workload } from "../support/Objects.ts"
import { a, b, backedUp, copy, failed, given, nginx, settled, states } from "./Planned.ts"

describe("the bytes that run", () => {
  const of = (pods: ReadonlyArray<ReturnType<typeof pod>>, state: Record<string, ImageState>) => {
    const it = workload({ status: { replicas: pods.length, updatedReplicas: pods.length } })
    return plan({ ...it, rollout: { ...it.rollout!, desired: pods.length } }, given({}, { pods, state: states(state) }))
  }
  const pinned = `${nginx}@${b}`

  it("are the copy's digest, or one of its platforms' manifests or configs: rewritten to the tag", () => {
    const state = { [nginx]: backedUp(a, { contents: new Set([a, b]) }) }
    assert.strictEqual(of([pod({ digest: b })], state).images[0]?.to, copy)
  })

  it("count by digest, never by repository", () => {
    const state = { [nginx]: backedUp() }
    for (const imageID of [`docker-pullable://x/y@${a}`, `docker://${a}`, a, `mirror.example/n@${a}`]) {
      assert.strictEqual(of([pod({ imageID })], state).images[0]?.to, copy, imageID)
    }
  })

  it("that the tag no longer names, are wanted by digest", () => {
    const planned = of([pod({ digest: b })], { [nginx]: backedUp() })
    assert.deepStrictEqual(planned.wants, [nginx, pinned])
    assert.strictEqual("reason" in planned.verdict && planned.verdict.reason, "pending")
  })

  it("are what the workload is pinned to once they are backed up", () => {
    const planned = of([pod({ digest: b })], { [nginx]: backedUp(), [pinned]: backedUp(b) })
    assert.strictEqual(planned.verdict._tag, "Rewrite")
    assert.strictEqual(planned.images[0]?.to, `${copy}@${b}`)
  })

  it("stay wanted while their tag is looked at anew or fails", () => {
    const pods = [pod({ digest: b })]
    const wantsWith = (state: ImageState) => of(pods, { [nginx]: state, [pinned]: backedUp(b) }).wants
    assert.deepStrictEqual(wantsWith({ _tag: "Pending" }), [nginx, pinned])
    assert.deepStrictEqual(wantsWith(failed("failed")), [nginx, pinned])
    assert.deepStrictEqual(of(pods, { [nginx]: { _tag: "Pending" } }).wants, [nginx])
  })

  it("are not patched to a tag that is about to move, and stay wanted", () => {
    const planned = of([pod({ digest: a })], { [nginx]: backedUp(a, { moving: b }) })
    assert.deepStrictEqual(planned.wants, [nginx])
    assert.include("detail" in planned.verdict ? planned.verdict.detail : "", "has moved, and its copy follows")
    // an older digest that all pods run does not move
    const pins = of([pod({ digest: b })], { [nginx]: backedUp(a, { moving: b }), [pinned]: backedUp(b) })
    assert.strictEqual(pins.images[0]?.to, `${copy}@${b}`)
  })

  it("are not patched to a tag whose copy stays behind, and stay wanted", () => {
    const planned = of([pod({ digest: a })], { [nginx]: backedUp(a, { behind: b }) })
    assert.deepStrictEqual(planned.wants, [nginx])
    assert.include("detail" in planned.verdict ? planned.verdict.detail : "", `names ${b} at its source`)
  })

  it("that are gone from the source hold the workload", () => {
    const planned = of([pod({ digest: b })], { [nginx]: backedUp(), [pinned]: failed("not-found") })
    assert.strictEqual("reason" in planned.verdict && planned.verdict.reason, "tag-moved")
  })

  it("that differ between pods hold the workload", () => {
    const planned = of([pod({ digest: a, name: "w-1" }), pod({ digest: b, name: "w-2" })], { [nginx]: backedUp() })
    assert.strictEqual("reason" in planned.verdict && planned.verdict.reason, "tag-moved")
  })

  it("that a runtime does not tell hold the workload", () => {
    const planned = of([pod({ digest: undefined })], { [nginx]: backedUp() })
    assert.strictEqual("reason" in planned.verdict && planned.verdict.reason, "digest-unknown")
  })

  it("of finished and leaving pods do not count", () => {
    const pods = [
      pod({ digest: a }),
      pod({ digest: b, name: "w-2", phase: "Succeeded" }),
      pod({ digest: b, name: "w-3", metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } })
    ]
    const it = workload()
    assert.strictEqual(plan(it, given({}, { pods })).images[0]?.to, copy)
  })

  it("are what a digest names, whatever the tag beside it", () => {
    const image = `nginx:1.27@${b}`
    const it = workload({ images: { app: image } })
    const planned = plan(it, given({}, { pods: settled(it, b), state: states({ [pinned]: backedUp(b) }) }))
    assert.strictEqual(planned.images[0]?.to, `${copy}@${b}`)
  })
})
