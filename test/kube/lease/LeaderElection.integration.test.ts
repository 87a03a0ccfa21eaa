// Elections on the embedded API server, and on a real one where KUBEBUILDER_ASSETS names its folder: what it takes for a Lease,
// that it guards it, and that a release is one.
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Logger, Schedule, Scope } from "effect"
import { KubeClient } from "../../../src/kube/KubeClient.ts"
import { LeaderElection } from "../../../src/kube/lease/LeaderElection.ts"
import * as J from "../../../sandbox/Json.ts"
import * as ControlPlane from "../../cluster/contract/ControlPlane.ts"

const assets = await Effect.runPromise(ControlPlane.assets)
const servers = [
  ["the embedded cluster", ControlPlane.embedded()] as const,
  ...(assets === undefined ? [] : [["the real control plane", ControlPlane.real(assets)] as const])
]

const contender = Effect.fnUntraced(function*(namespace: string, identity: string) {
  const scope = yield* Scope.make()
  const fibers = yield* Scope.make()
  const client = yield* KubeClient
  const context = yield* Layer.buildWithScope(
    LeaderElection.layer({
      namespace,
      name: "image-cloner",
      identity,
      run: (_, effect) => Effect.asVoid(Effect.forkIn(Effect.orDie(effect), fibers))
    }).pipe(Layer.provide([Layer.succeed(KubeClient, client), Logger.layer([])])),
    scope
  )
  const stop = Effect.andThen(Scope.close(scope, Exit.void), Scope.close(fibers, Exit.void))
  yield* Effect.addFinalizer(() => stop)
  return { election: Context.get(context, LeaderElection), stop }
})

const until = <E, R>(holds: Effect.Effect<boolean, E, R>) =>
  holds.pipe(
    Effect.repeat({ schedule: Schedule.spaced("50 millis"), until: (it) => it }),
    Effect.timeout("30 seconds")
  )

for (const [name, cluster] of servers) {
  layer(cluster, { timeout: "120 seconds", excludeTestServices: true })(name, (it) => {
    it.effect("has one leader, takes its renewals, and lets the next one in", () =>
      Effect.gen(function*() {
        const namespace = yield* ControlPlane.namespace
        const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/image-cloner`
        const lease = ControlPlane.call("GET", path)
        const a = yield* contender(namespace, "a_1")
        yield* until(a.election.mayWrite)
        const made = yield* lease
        assert.match(J.text(made, "spec", "acquireTime") ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
        // what others wrote into the object stays
        yield* ControlPlane.call(
          "PATCH",
          path,
          { metadata: { annotations: { note: "ours" } } },
          "application/merge-patch+json"
        )
        const b = yield* contender(namespace, "b_2")
        yield* until(Effect.map(b.election.leader, (leader) => leader === "a_1"))
        yield* until(Effect.map(lease, (now) => J.text(now, "spec", "renewTime") !== J.text(made, "spec", "renewTime")))
        const renewed = yield* lease
        assert.match(J.text(renewed, "spec", "renewTime") ?? "", /\.\d{6}Z$/)
        assert.strictEqual(J.text(renewed, "spec", "acquireTime"), J.text(made, "spec", "acquireTime"))
        assert.strictEqual(J.text(renewed, "metadata", "annotations", "note"), "ours")
        assert.deepStrictEqual([yield* a.election.mayWrite, yield* b.election.mayWrite], [true, false])

        yield* a.stop
        assert.isFalse(yield* a.election.mayWrite)
        yield* until(b.election.mayWrite)
        const taken = yield* lease
        assert.strictEqual(J.text(taken, "spec", "holderIdentity"), "b_2")
        assert.strictEqual(J.number(taken, "spec", "leaseTransitions"), 1)
        assert.strictEqual(J.text(taken, "metadata", "annotations", "note"), "ours")

        yield* b.stop
        const released = yield* lease
        assert.strictEqual(J.text(released, "spec", "holderIdentity") ?? "", "")
        assert.strictEqual(J.number(released, "spec", "leaseDurationSeconds"), 1)
      }), 60_000)
  })
}
