// Three thousand objects on a real control plane: what the daemon takes until it is ready, against what it takes of an empty cluster.
// Ratios of one program on one machine, in processor time: they hold on a slow or a busy one. Larger ones: npm run bench:controller.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Console, Effect, Redacted } from "effect"
import { cpuOf, memoryOf, ofImage } from "../../bench/Measure.ts"
import { fill } from "../../sandbox/LargeCluster.ts"
import * as RealControlPlane from "../../sandbox/RealControlPlane.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import { startDaemon } from "../support/Daemon.ts"
import { eventually } from "../support/Eventually.ts"

const assets = process.env["KUBEBUILDER_ASSETS"] ?? ""
const workloads = 1000

/** Times of an empty cluster's processor time: measured are 1.7 to 1.9. */
const mostTimes = 2.6
/** MiB beyond an empty cluster's at the peak: measured are 9 to 15. */
const mostMemory = 30

/** What a start takes until the daemon is ready: processor time in milliseconds, and MiB at the peak. */
const costOfStart = Effect.fnUntraced(function*(kubeconfig: string) {
  const daemon = yield* startDaemon({
    kubeconfig,
    settings: { BACKUP_REGISTRY: "backup.example/copies", REWRITE_MODE: "off", DRY_RUN: "true" },
    // as the image has it
    flags: ofImage,
    env: { MALLOC_ARENA_MAX: "1" }
  })
  yield* eventually(
    "the daemon is not ready",
    daemon.http("/readyz"),
    (it) => it.includes("check passed"),
    "60 seconds"
  )
  return { cpu: cpuOf(daemon.pid), memory: memoryOf(daemon.pid).peak }
}, Effect.scoped)

describe.skipIf(assets === "")("three thousand objects", () => {
  it.live("take little more to be read than no objects do", () =>
    Effect.gen(function*() {
      const plane = yield* RealControlPlane.make({ assets, bare: true })
      const kubeconfig = plane.kubeconfig()
      yield* costOfStart(kubeconfig) // its code is in the cache of the machine after that
      const empty = yield* costOfStart(kubeconfig)
      yield* fill({ workloads, old: 0, pods: 1, images: 100 }).pipe(Effect.provide(KubeClient.layerFrom({
        server: plane.url,
        ca: plane.ca,
        headers: { authorization: `Bearer ${Redacted.value(plane.adminToken)}` }
      })))
      const full = yield* costOfStart(kubeconfig)
      yield* Console.log(`empty: ${empty.cpu} ms, ${empty.memory} MiB; full: ${full.cpu} ms, ${full.memory} MiB`)
      assert.isAtMost(full.cpu / empty.cpu, mostTimes)
      assert.isAtMost(full.memory - empty.memory, mostMemory)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)), 180_000)
})
