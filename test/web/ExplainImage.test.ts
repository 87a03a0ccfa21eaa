import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { parse } from "../../src/image/ImageReference.ts"
import type { ImageState } from "../../src/image/ImageState.ts"
import { explainImage } from "../../src/web/ExplainImage.ts"
import type { KnownImage } from "../../src/web/Known.ts"
import { a, b, backedUp, copy, failed, nginx, now } from "../workload/Planned.ts"
import { noon } from "./Explained.ts"

const backup = { registry: "backup.example", prefix: "copies", layout: "nested" } as const
const clocks = { now: noon, uptime: now }
const reference = Result.getOrThrow(parse(nginx))

const told = (state: ImageState, more: Partial<KnownImage> = {}) =>
  explainImage(
    { source: nginx, state, outlook: { busy: false, nextAt: now + 60_000 }, users: ["Deployment/shop/web"], ...more },
    { by: "controller", clocks, backup, reference }
  )

describe("the explanation of an image", () => {
  it("tells where its bytes are, when they were seen whole, who uses it, and when it is looked at", () => {
    const { next, ...rest } = told(backedUp(a, { verifiedAt: now - 60_000 }))
    assert.deepInclude(rest, {
      state: "backed-up",
      copy,
      digest: a,
      wholeAt: "2026-11-28T11:59:00.000Z",
      users: { count: 1, some: ["Deployment/shop/web"] }
    })
    assert.deepStrictEqual(next, [
      { what: "its copy is looked at, and its tag compared", at: "2026-11-28T12:01:00.000Z" }
    ])
  })

  it("tells of one that failed why, when it was tried, and when it is tried again", () => {
    const it = told({ ...failed("not-found"), triedAt: now - 10_000 } as ImageState) // a failure, as its tag says
    assert.deepInclude(it, { state: "not-found", detail: "said the registry", triedAt: "2026-11-28T11:59:50.000Z" })
    assert.deepStrictEqual(it.next, [{ what: `${nginx} is tried again`, at: "2026-11-28T12:01:00.000Z" }])
  })

  it("tells that it waits for a registry that gives nobody an answer", () => {
    const state: ImageState = {
      _tag: "Failed",
      reason: "failed",
      message: "no route",
      retryAt: now,
      silent: "docker.io"
    }
    assert.match(told(state).next[0]?.what ?? "", /is tried when docker\.io answers/)
  })

  it("tells what is being copied now, and of what is not copied at all nothing", () => {
    const pending: ImageState = { _tag: "Pending" }
    assert.match(told(pending, { waiting: 17 }).next[0]?.what ?? "", /when its turn comes: one of 17 that wait/)
    assert.match(
      told(pending, { outlook: { busy: true, nextAt: undefined } }).next[0]?.what ?? "",
      /is looked at or copied now/
    )
    assert.deepStrictEqual(told(pending, { outlook: { busy: false, nextAt: undefined } }).next, [])
  })

  it("tells that the tag has moved on, and what became of that", () => {
    assert.include(told(backedUp(a, { moving: b })).detail, `moved to ${b}`)
    assert.include(told(backedUp(a, { behind: b })).detail, "could not be copied")
  })

  it("lists ten of its users, and says how many there are", () => {
    const users = Array.from({ length: 200 }, (_, index) => `Deployment/shop/web-${index}`)
    const { count, some } = told(backedUp(), { users }).users
    assert.deepStrictEqual([count, some.length], [200, 10])
  })
})
