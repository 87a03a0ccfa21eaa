import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { DecisionMap, outcomeOf, reasonsOf } from "../../src/controller/Decisions.ts"
import { settingsOf } from "../../src/settings/Settings.ts"
import { plan } from "../../src/workload/Plan.ts"
import { reasons } from "../../src/telemetry/Metrics.ts"
import { rolloutOf } from "../support/ExtraObjects.ts"
import { facts, workload } from "../support/Objects.ts"

const settings = settingsOf("backup.example/copies")
const Steps = Schema.Array(Schema.Struct({
  kind: Schema.Literals(["Deployment", "CronJob", "StatefulSet"]),
  name: Schema.Literals(["a", "b"]),
  namespace: Schema.Literals(["one", "kube-system"]),
  image: Schema.Literals([
    "nginx:1",
    "localhost/x",
    "backup.example/copies/docker.io/library/nginx:1",
    "not a reference"
  ]),
  away: Schema.Boolean
}))

describe("what is counted of decisions", () => {
  it.effect.prop("is what a recount gives, after whatever came and went", [Steps], ([steps]) =>
    Effect.gen(function*() {
      const decisions = new DecisionMap()
      for (const { away, image, ...given } of steps) {
        const one = workload({ ...given, images: { app: image } })
        if (away) decisions.forget(one.key)
        else {
          const planned = plan(one, facts(settings))
          yield* decisions.set({ plan: planned, verdict: planned.verdict })
        }
      }
      const all = [...decisions.all]
      for (const outcome of ["rewritten", "wanted", "held", "skipped"] as const) {
        assert.strictEqual(decisions.outcomes.of(outcome), all.filter((it) => outcomeOf(it) === outcome).length)
      }
      for (const reason of reasons) {
        assert.strictEqual(decisions.reasons.of(reason), all.filter((it) => reasonsOf(it).has(reason)).length)
      }
    }))

  it.effect("counts what an object of EXTRA_KINDS has made with it, and not beside it", () =>
    Effect.gen(function*() {
      const web = rolloutOf()
      const owner = {
        apiVersion: "argoproj.io/v1alpha1",
        kind: "Rollout",
        name: web.name,
        uid: web.uid,
        controller: true
      }
      const made = workload({ kind: "ReplicaSet", spec: { replicas: 1 }, metadata: { ownerReferences: [owner] } })
      const decisions = new DecisionMap()
      for (const [one, owners] of [[web, []], [made, [web]]] as const) {
        const planned = plan(one, facts(settings, { owners }))
        yield* decisions.set({ plan: planned, verdict: planned.verdict })
      }
      assert.deepStrictEqual([decisions.outcomes.of("held"), decisions.outcomes.of("skipped")], [1, 0])
      // of a kind that nobody watches it is all that is seen
      const alone = plan(made, facts(settings))
      yield* decisions.set({ plan: alone, verdict: alone.verdict })
      assert.strictEqual(decisions.outcomes.of("skipped"), 1)
    }))
})
