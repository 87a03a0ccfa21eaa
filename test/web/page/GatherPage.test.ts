import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { Decisions } from "../../../src/controller/Decisions.ts"
import { Pacing } from "../../../src/rewrite/Pacing.ts"
import { Inventory } from "../../../src/store/Inventory.ts"
import { WorkloadStore } from "../../../src/store/WorkloadStore.ts"
import { layer as recentChanges, RecentChanges } from "../../../src/telemetry/RecentChanges.ts"
import { Coverage } from "../../../src/upkeep/Coverage.ts"
import { CoverageCourse } from "../../../src/web/page/CoverageCourse.ts"
import { make } from "../../../src/web/page/GatherPage.ts"
import { firstOf } from "../../../src/web/page/PageView.ts"
import { plan } from "../../../src/workload/Plan.ts"
import { held } from "../../../src/workload/Verdict.ts"
import { workload } from "../../support/Objects.ts"
import { failed, given, nginx } from "../../workload/Planned.ts"

const stores = Layer.mergeAll(
  Pacing.layer,
  Decisions.layer,
  Inventory.layer,
  WorkloadStore.layer,
  Coverage.layer,
  CoverageCourse.layer
).pipe(Layer.provideMerge(recentChanges))

const outside = {
  copies: Effect.succeed([]),
  waiting: Effect.succeed(7),
  budgetOf: () => undefined,
  restOf: () => Effect.succeed(Duration.minutes(3)),
  controllerNamespace: "tools"
}

describe("what the page shows", () => {
  it.effect("is what the stores, the decisions and the changes tell, with the command that ends a trouble", () =>
    Effect.gen(function*() {
      const look = yield* make(outside)
      const web = workload()
      yield* (yield* Decisions).set({ plan: plan(web, given()), verdict: held("contested", "argocd undid it") })
      const inventory = yield* Inventory
      inventory.want(web.key, [nginx])
      inventory.set(nginx, failed("not-found"))
      inventory.setVanished(new Map([[nginx, "not-found"]]))
      ;(yield* Coverage).begin()
      yield* (yield* RecentChanges).note("put back", web.key)
      yield* TestClock.adjust("1 minute")
      const view = yield* look
      assert.isTrue(view.complete)
      assert.deepStrictEqual(view.held.map((it) => [it.reason, it.workloads.first]), [["contested", [web.key]]])
      const [trouble] = view.trouble.first
      assert.deepInclude(trouble, { workload: web.key, reason: "contested", detail: "argocd undid it", since: 0 })
      assert.include(trouble?.commands[0]?.command, "image-cloner.io/held-")
      assert.deepInclude(view.failed.first[0], { source: nginx, state: "not-found", users: 1 })
      assert.deepStrictEqual(view.vanished, {
        first: [{ source: nginx, cause: "not-found", kept: false, pods: 0 }],
        more: 0
      })
      assert.deepInclude(view.registries.first[0], { images: 1, restFor: 180_000 })
      assert.deepStrictEqual([view.waiting, view.changes.map((it) => it.kind)], [7, ["put back"]])
    }).pipe(Effect.provide(stores)))

  it.effect("is bounded, whatever tenants make", () =>
    Effect.gen(function*() {
      const look = yield* make(outside)
      const decisions = yield* Decisions
      const coverage = yield* Coverage
      const inventory = yield* Inventory
      for (let number = 0; number < 300; number++) {
        const namespace = `n${number}`
        const it = workload({ namespace })
        yield* decisions.set({ plan: plan(it, given()), verdict: held("contested", "d".repeat(100_000)) })
        inventory.want(it.key, [`host-${number}.example/a:1`])
        inventory.set(`host-${number}.example/a:1`, failed("not-found"))
        coverage.note(`Pod/${namespace}/a`, { namespace, state: "at-risk", reason: undefined, running: [] })
      }
      const { failed: images, held: [reason], namespaces, registries, trouble } = yield* look
      assert.deepStrictEqual(
        [images, namespaces, registries, trouble, reason?.workloads].map((it) => [it?.first.length, it?.more]),
        [[20, 280], [100, 200], [20, 280], [20, 280], [5, 295]]
      )
      assert.isBelow(trouble.first[0]?.detail.length ?? Infinity, 700)
    }).pipe(Effect.provide(stores)))
})

describe("the first of many", () => {
  it("are those that sorting would have first", () => {
    const all = Array.from({ length: 500 }, (_, index) => (index * 7919) % 501)
    assert.deepStrictEqual(firstOf(all, 20, (a, b) => a - b), {
      first: all.toSorted((a, b) => a - b).slice(0, 20),
      more: 480
    })
  })
})
