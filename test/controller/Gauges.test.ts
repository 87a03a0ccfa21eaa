import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric } from "effect"
import { Progress } from "../../src/clone/Progress.ts"
import { DecisionMap } from "../../src/controller/Decisions.ts"
import { updateGauges } from "../../src/controller/Gauges.ts"
import { Images } from "../../src/store/Inventory.ts"
import { settingsOf } from "../../src/settings/Settings.ts"
import * as Metrics from "../../src/telemetry/Metrics.ts"
import { CoverageTally } from "../../src/upkeep/Coverage.ts"
import { plan } from "../../src/workload/Plan.ts"
import { backedUp } from "../workload/Planned.ts"
import { facts, workload } from "../support/Objects.ts"

const value = (metric: Metric.Metric<number, Metric.GaugeState<number>>) =>
  Effect.map(Metric.value(metric), (it) => it.value)

describe("gauges", () => {
  it.effect("say how many images are copied and wait now, also when that has ended", () =>
    Effect.gen(function*() {
      const image = { registry: "docker.io", repository: "library/nginx", tag: "1" }
      for (const [copied, waiting] of [[2, 5], [1, 0], [0, 0]] as const) {
        yield* updateGauges(new DecisionMap(), new Images(), {
          inFlight: Effect.succeed(Array.from({ length: copied }, () => new Progress(image, image).now)),
          waiting: Effect.succeed(waiting)
        }, new CoverageTally())
        assert.strictEqual(yield* value(Metrics.clonesInFlight), copied)
        assert.strictEqual(yield* value(Metrics.clonesWaiting), waiting)
      }
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))

  it.effect("count what people call workloads, and not what those made", () =>
    Effect.gen(function*() {
      const decisions = new DecisionMap()
      const owned = (kind: string) => ({ ownerReferences: [{ kind, name: "of", uid: "of", controller: true }] })
      const others = (["Pod", "ReplicaSet", "Job"] as const).map((kind) =>
        workload({ kind, name: `made-${kind.toLowerCase()}`, metadata: owned("Deployment") })
      )
      const bare = [workload(), workload({ kind: "CronJob" }), workload({ kind: "Pod", name: "bare" })]
      const rolled = [3, 0].map((replicas) =>
        workload({ kind: "ReplicaSet", name: `rollout-${replicas}`, metadata: owned("Rollout"), spec: { replicas } })
      )
      const mirror = { annotations: { "kubernetes.io/config.mirror": "x" }, ...owned("Node") }
      const all = [...others, ...bare, ...rolled, workload({ kind: "Pod", name: "static", metadata: mirror })]
      const settings = settingsOf("backup.example/copies")
      for (const one of all) {
        const planned = plan(one, facts(settings))
        yield* decisions.set({ plan: planned, verdict: planned.verdict })
      }
      const cloner = { inFlight: Effect.succeed([]), waiting: Effect.succeed(0) }
      yield* updateGauges(decisions, new Images(), cloner, new CoverageTally())
      const counts = yield* Effect.forEach(
        ["rewritten", "wanted", "held", "skipped"] as const,
        (state) => value(Metrics.workloads({ state }))
      )
      assert.strictEqual(counts.reduce((sum, it) => sum + it), bare.length + 1)
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))

  it.effect("have a share of coverage once the cluster is known, and none before", () =>
    Effect.gen(function*() {
      const coverage = new CoverageTally()
      const images = new Images()
      images.want("Pod/shop/web-1", ["a", "b"])
      images.set("a", backedUp())
      coverage.note("Pod/shop/web-1", { namespace: "shop", state: "at-risk", reason: undefined, running: [] })
      const cloner = { inFlight: Effect.succeed([]), waiting: Effect.succeed(0) }
      const registry = yield* Metric.MetricRegistry
      const has = () => [...registry.keys()].some((it) => it.includes("coverage_ratio"))
      yield* updateGauges(new DecisionMap(), images, cloner, coverage)
      assert.isFalse(has())
      coverage.begin()
      yield* updateGauges(new DecisionMap(), images, cloner, coverage)
      assert.strictEqual(yield* value(Metrics.coverageRatio({ by: "pods" })), 0)
      assert.strictEqual(yield* value(Metrics.coverageRatio({ by: "images" })), 0.5)
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))
})
