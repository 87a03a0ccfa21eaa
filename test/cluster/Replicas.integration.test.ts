// Two replicas end to end, on a real control plane, else on the sandbox: whatever becomes of the one that leads, the other takes over,
// and every workload is rewritten once.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as J from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { behindProxy } from "../support/ApiProxy.ts"
import type { Daemon } from "../support/Daemon.ts"
import { copyOf, daemon, namespace, Stage, stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import * as W from "../support/World.ts"

/** A replica, what it has patched and when, and its line to the API server, which can be cut. */
interface Replica {
  readonly daemon: Daemon
  readonly patches: ReadonlyArray<{ readonly at: number; readonly path: string }>
  readonly cut: () => void
}

const replica = Effect.fnUntraced(function*(namespaces: ReadonlyArray<string>, name: string) {
  const { controlPlane } = yield* Stage
  const patches: Array<Replica["patches"][number]> = []
  let isCut = false
  const api = yield* behindProxy(controlPlane.kubeconfig, (request, response, forward) => {
    if (isCut) return response.destroy()
    // the second patch of a rewrite, which gives up what the first made ours, changes nothing that runs
    if (request.method === "PATCH") {
      patches.push({ at: Date.now(), path: `${request.url} ${request.headers["content-length"]}` })
    }
    return forward()
  })
  const running = yield* daemon(
    namespaces,
    { MAX_CONCURRENT_ROLLOUTS: "2", BACKUP_PULL_BY: "nodes" },
    api.kubeconfig,
    { POD_NAMESPACE: "cloner", POD_NAME: name, LEADER_ELECTION: "true" }
  )
  return { daemon: running, patches, cut: () => void (isCut = true) } satisfies Replica
})

const leads = (it: Replica) => it.daemon.metric("image_cloner_leader")

const count = 12

/** Makes a batch of Deployments in a namespace of its own, and waits until they run. */
const batch = Effect.fnUntraced(function*(name: string) {
  const { upstream } = yield* Stage
  yield* namespace(name)
  for (let at = 0; at < count; at++) {
    yield* W.make("Deployment", { namespace: name, name: `w-${at}`, image: `${upstream.host}/replicas/web:1` })
  }
  yield* eventually("not all run", W.list("Pod", name), (pods) => pods.length === count && pods.every(W.isReady))
})

const rewritten = Effect.fnUntraced(function*(name: string) {
  const copy = copyOf(yield* Stage, "replicas/web", "1")
  const all = yield* W.list("Deployment", name)
  return all.filter((it) => W.imageOf(it) === copy).length
})

/** Waits until all of a batch are rewritten, each in one rollout. */
const ends = Effect.fnUntraced(function*(name: string) {
  yield* eventually("not all are rewritten", rewritten(name), (it) => it === count, "90 seconds")
  yield* eventually("not all run", W.list("Pod", name), (pods) => pods.length === count && pods.every(W.isReady))
  // what was rewritten before its first pod came is still in its first revision; a third would be one too many
  const revisions = (yield* W.list("Deployment", name)).map((it) =>
    J.text(it, "metadata", "annotations", "deployment.kubernetes.io/revision")
  )
  assert.deepStrictEqual(revisions.filter((it) => it !== "1" && it !== "2"), [])
})

/** The one of two that leads, first; the other does not. */
const ordered = Effect.fnUntraced(function*(one: Replica, other: Replica) {
  const found = yield* eventually(
    "nobody leads",
    Effect.all([leads(one), leads(other)]),
    ([a, b]) => a + b === 1,
    "40 seconds"
  )
  return found[0] === 1 ? [one, other] as const : [other, one] as const
})

const takesOver = (it: Replica) =>
  eventually("the other does not take over", leads(it), (now) => now === 1, "40 seconds")

for (const place of W.nearest) {
  describe(`two replicas on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect("rewrite every workload once, whatever becomes of the one that leads", () =>
        Effect.gen(function*() {
          const { upstream } = yield* Stage
          yield* upstream.load("replicas/web", SampleImage.image("replicas"), "1")
          yield* W.create("Namespace", "", { metadata: { name: "cloner" } })
          const namespaces = ["paused", "killed", "cut", "rolled"]
          yield* batch("paused")
          const first = yield* replica(namespaces, "first")
          const second = yield* replica(namespaces, "second")
          const [leader, follower] = yield* ordered(first, second)
          yield* eventually("nothing is rewritten", rewritten("paused"), (it) => it >= 2)
          assert.deepStrictEqual(follower.patches, [])
          yield* eventually("the other is not ready", follower.daemon.http("/readyz"), (it) =>
            it.includes("check passed"))

          // the leader sleeps, and wakes when another leads
          yield* leader.daemon.signal("SIGSTOP")
          yield* takesOver(follower)
          yield* eventually("the other rewrites nothing", () =>
            follower.patches.length, (it) =>
            it > 0)
          const taken = Date.now()
          yield* leader.daemon.signal("SIGCONT")
          yield* ends("paused")
          const late = leader.patches.filter((it) => it.at > taken)
          assert.isAtMost(late.length, 1, JSON.stringify({ taken, late }))
          assert.strictEqual(yield* leads(leader), 0)

          // killed: what it has begun ends, the rest is the other's
          yield* batch("killed")
          yield* eventually("nothing is rewritten", rewritten("killed"), (it) => it >= 2)
          yield* follower.daemon.kill
          yield* takesOver(leader)
          yield* ends("killed")

          // cut off from the API server: it gives up by itself, before the other begins
          const third = yield* replica(namespaces, "third")
          yield* eventually("it is not ready", third.daemon.http("/readyz"), (it) => it.includes("check passed"))
          yield* batch("cut")
          yield* eventually("nothing is rewritten", rewritten("cut"), (it) => it >= 2)
          leader.cut()
          yield* takesOver(third)
          assert.strictEqual(yield* leads(leader), 0)
          yield* ends("cut")
          yield* leader.daemon.kill

          // a new version of the controller in the middle: one more comes, and another goes
          const ready = (it: Replica) =>
            eventually("it is not ready", it.daemon.http("/readyz"), (said) => said.includes("check passed"))
          const fourth = yield* replica(namespaces, "fourth")
          yield* ready(fourth)
          yield* batch("rolled")
          yield* eventually("nothing is rewritten", rewritten("rolled"), (it) => it >= 2)
          for (const [name, old] of [["fifth", third], ["sixth", fourth]] as const) {
            const fresh = yield* replica(namespaces, name)
            yield* ready(fresh)
            yield* old.daemon.signal("SIGTERM")
            assert.strictEqual(yield* old.daemon.exitCode, 0)
          }
          yield* ends("rolled")
        }), 300_000)
    })
  })
}
