// What pods that cannot pull tell of their nodes: of a new pool that lacks the backup's authority or route, say.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import * as FailedPulls from "../../../src/controller/admission/FailedPulls.ts"
import { NodePulls } from "../../../src/controller/admission/NodePulls.ts"
import { ImageQueue } from "../../../src/controller/Queues.ts"
import { Pacing } from "../../../src/rewrite/Pacing.ts"
import { backup, type Settings, settingsOf } from "../../../src/settings/Settings.ts"
import { SettingsRef } from "../../../src/settings/SettingsRef.ts"
import { Inventory } from "../../../src/store/Inventory.ts"
import { type Workloads, WorkloadStore } from "../../../src/store/WorkloadStore.ts"
import { uptime } from "../../../src/telemetry/Uptime.ts"
import { originalsAnnotation } from "../../../src/workload/Originals.ts"
import { withoutSecrets } from "../../../src/workload/PullSet.ts"
import { backedUp, nginx } from "../../admission/Reviewed.ts"
import { pod, workload } from "../../support/Objects.ts"

const target = backup(settingsOf("backup.example/copies"))
const copy = "backup.example/copies/docker.io/library/nginx:1.27"
const originals = { [originalsAnnotation]: "{\"app\":\"nginx:1.27\"}" }
const untrusted = "failed to do request: Head \"https://backup.example/v2/\": tls: failed to verify certificate: x509: "
  + "certificate signed by unknown authority"

const waiting = (message: string, given: { readonly name?: string; readonly node?: string } = {}) =>
  pod({
    owner: workload(),
    images: { app: copy },
    node: "new-1",
    ready: false,
    metadata: { annotations: originals },
    state: { waiting: { reason: "ImagePullBackOff", message } },
    ...given
  })

const running = (node: string) => pod({ name: `runs-on-${node}`, owner: workload(), images: { app: copy }, node })

interface Scene {
  /** At its beginning, beside a node that runs a copy. */
  readonly begin: (store: Workloads) => void
  readonly seconds?: number
  /** What is changed at the end. */
  readonly end?: (store: Workloads) => void
  readonly backupFails?: string
  readonly settings?: Partial<Settings>
  /** From which second on it answers again. */
  readonly answersFrom?: number
}

/** What pods are kept from copies by after a while, and after the end, and what was logged of it. */
const played = Effect.fnUntraced(
  function*({ answersFrom = Infinity, backupFails, begin, end, seconds = 120, settings }: Scene) {
    const settingsLayer = SettingsRef.layerOf(
      settingsOf("backup.example/copies", { MUTATING_WEBHOOK: "on", ...settings })
    )
    const said: Array<string> = []
    const logs = Logger.layer([Logger.make((it) => void said.push(String(it.message)))])
    return yield* Effect.gen(function*() {
      const store = yield* WorkloadStore
      const pacing = yield* Pacing
      const inventory = yield* Inventory
      const nodes = new NodePulls()
      store.putNamespace({ name: "shop", uid: "u", marks: { ignore: undefined, rewrite: undefined } })
      for (const name of ["old-1", "new-1"]) store.putNode({ name, ready: true })
      store.markSynced("nodes")
      store.putWorkload(workload())
      store.putPod(running("old-1"))
      pacing.observePod(running("old-1"), withoutSecrets, target)
      inventory.want("x", [nginx])
      inventory.set(nginx, backedUp())
      let second = 0
      const { look } = yield* FailedPulls.make({
        backup: target,
        nodes,
        backupFails: () => second < answersFrom ? backupFails : undefined
      })
      begin(store)
      const problem = Effect.map(uptime, (now) => nodes.problem(now))
      for (; second < seconds; second += 2) {
        yield* look
        yield* TestClock.adjust("2 seconds")
      }
      const kept = yield* problem
      end?.(store)
      yield* look
      return { kept, after: yield* problem, said: said.filter((it) => it.startsWith("node ")) }
    }).pipe(
      Effect.provide(
        Layer.mergeAll(Pacing.layer, Inventory.layer, ImageQueue.layer, WorkloadStore.layer, settingsLayer, logs)
      )
    )
  }
)

const ways = [
  untrusted,
  "dial tcp 10.0.0.7:443: connect: connection refused",
  "dial tcp: lookup backup.example on 10.96.0.10:53: no such host",
  "Head \"https://backup.example/v2/\": net/http: TLS handshake timeout",
  "http: server gave HTTP response to HTTPS client",
  "pinging container registry backup.example: Get \"https://backup.example/v2/\": dial tcp 10.0.0.7:443: i/o timeout",
  "pinging container registry backup.example: Get \"https://backup.example/v2/\": context deadline exceeded"
]

describe("a node on which pods cannot reach the backup while others pull from it", () => {
  for (const message of ways) {
    it.effect(`is found by its words, once: ${message}`, () =>
      Effect.gen(function*() {
        const { kept, said } = yield* played({ begin: (store) => store.putPod(waiting(message)) })
        assert.strictEqual(
          kept,
          "node new-1 cannot reach the backup, and a pod may come to run there"
        )
        assert.lengthOf(said, 1)
        assert.match(said.join(), /^node new-1 cannot reach the backup, and runs no copy: .* for 30m, wherever/)
      }))
  }

  it.effect("is found by pods whose template names the copy as well", () =>
    Effect.gen(function*() {
      const { kept } = yield* played({
        begin: (store) => {
          store.putWorkload(workload({ images: { app: copy }, templateAnnotations: originals }))
          store.putPod(waiting(untrusted))
        }
      })
      assert.match(String(kept), /^node new-1 cannot reach/)
    }))

  it.effect("is forgotten the moment it runs a copy, and when it is gone", () =>
    Effect.gen(function*() {
      for (
        const end of [
          (store: Workloads) => store.putPod(running("new-1")),
          (store: Workloads) => store.remove("node", "new-1")
        ]
      ) {
        const { after, kept } = yield* played({ begin: (store) => store.putPod(waiting(untrusted)), end })
        assert.isDefined(kept)
        assert.isUndefined(after)
      }
    }))

  const innocent: ReadonlyArray<readonly [why: string, scene: Scene]> = [
    ["has run a copy before: that is an outage", {
      begin: (store) => {
        store.putPod(running("new-1"))
        store.putPod(waiting(untrusted))
      }
    }],
    ["fails for less than a minute", { begin: (store) => store.putPod(waiting(untrusted)), seconds: 58 }],
    ["is not ready itself", {
      begin: (store) => {
        store.putNode({ name: "new-1", ready: false })
        store.putPod(waiting(untrusted))
      }
    }],
    ["lacks something else", { begin: (store) => store.putPod(waiting("no space left on device")) }],
    ["is refused by the backup, and so has reached it", {
      begin: (store) => store.putPod(waiting("dial tcp 10.0.0.7:443: 403 Forbidden"))
    }],
    ...([{ BACKUP_DOWN: "rewrite" }, { DRY_RUN: true }, { REWRITE_MODE: "off" }, { MUTATING_WEBHOOK: "off" }] as const)
      .map((
        settings
      ) =>
        [`is nobody's matter with ${JSON.stringify(settings)}`, {
          begin: (store: Workloads) => store.putPod(waiting(untrusted)),
          settings
        }] as const
      ),
    ["kept the words of an outage that is over", {
      begin: (store) => store.putPod(waiting(untrusted)),
      backupFails: "the backup has failed for 60 s",
      answersFrom: 80
    }],
    ["fails while the backup does not answer us", {
      begin: (store) => store.putPod(waiting(untrusted)),
      backupFails: "the backup has failed for 60 s"
    }]
  ]
  for (const [why, scene] of innocent) {
    it.effect(`is none that ${why}`, () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* played(scene), { kept: undefined, after: undefined, said: [] })
      }))
  }
})
