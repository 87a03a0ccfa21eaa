import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import * as FailedPulls from "../../../src/controller/admission/FailedPulls.ts"
import { NodePulls } from "../../../src/controller/admission/NodePulls.ts"
import { ImageQueue } from "../../../src/controller/Queues.ts"
import { Pacing } from "../../../src/rewrite/Pacing.ts"
import { Inventory } from "../../../src/store/Inventory.ts"
import { backup, settingsOf } from "../../../src/settings/Settings.ts"
import { SettingsRef } from "../../../src/settings/SettingsRef.ts"
import { WorkloadStore } from "../../../src/store/WorkloadStore.ts"
import { originalsAnnotation } from "../../../src/workload/Originals.ts"
import { withoutSecrets } from "../../../src/workload/PullSet.ts"
import type { Workload } from "../../../src/workload/Workload.ts"
import { backedUp, nginx } from "../../admission/Reviewed.ts"
import { pod, workload } from "../../support/Objects.ts"

const target = backup(settingsOf("backup.example/copies"))
const copy = "backup.example/copies/docker.io/library/nginx:1.27"
const original = workload()
const rewritten = workload({
  images: { app: copy },
  templateAnnotations: { [originalsAnnotation]: "{\"app\":\"nginx:1.27\"}" }
})

const failing = (owner: Workload | undefined, message: string, reason = "ImagePullBackOff") =>
  pod({
    ...(owner === undefined ? {} : { owner }),
    namespace: "shop",
    images: { app: copy },
    ready: false,
    metadata: { annotations: { [originalsAnnotation]: "{\"app\":\"nginx:1.27\"}" } },
    state: { waiting: { reason, message } }
  })

/** From which second on the kubelet says what of the pod. */
type Words = readonly [second: number, reason: "ErrImagePull" | "ImagePullBackOff", message: string]

interface Scene {
  readonly owner: Workload | undefined
  readonly words: ReadonlyArray<Words>
  readonly copied?: boolean
  readonly proven?: boolean
}

/** What is logged while a pod fails for two minutes, with the second, and why its set rests and whether it is proven then. */
const played = Effect.fnUntraced(function*({ copied = true, owner, proven = false, words }: Scene) {
  const said: Array<string> = []
  const at: Array<number> = []
  let second = 0
  const logs = Logger.layer([
    Logger.make((it) => {
      said.push(String(it.message))
      at.push(second)
    })
  ])
  return yield* Effect.gen(function*() {
    const store = yield* WorkloadStore
    const pacing = yield* Pacing
    store.putNamespace({ name: "shop", uid: "u", marks: { ignore: undefined, rewrite: undefined } })
    if (owner !== undefined) store.putWorkload(owner)
    if (proven) {
      const before = pod({ name: "before", images: { app: copy } })
      store.putPod(before)
      pacing.observePod(before, withoutSecrets, target)
    }
    const inventory = yield* Inventory
    inventory.want("x", [nginx])
    if (copied) inventory.set(nginx, backedUp())
    const { look } = yield* FailedPulls.make({
      backup: target,
      nodes: new NodePulls(),
      backupFails: () => undefined
    })
    for (; second < 120; second++) {
      for (const [from, reason, message] of words) {
        if (from === second) store.putPod(failing(owner, message, reason))
      }
      if (second % 2 === 0) yield* look
      yield* TestClock.adjust("1 second")
    }
    const asked = inventory.takeSuspected(nginx) && (yield* (yield* ImageQueue).depth) === 1
    const rests = yield* pacing.resting(withoutSecrets)
    return { said, asked, at, rests, proven: yield* pacing.isProven(withoutSecrets) }
  }).pipe(
    Effect.provide(
      Layer.mergeAll(
        Pacing.layer,
        Inventory.layer,
        ImageQueue.layer,
        WorkloadStore.layer,
        SettingsRef.layerOf(settingsOf("backup.example/copies")),
        logs
      )
    )
  )
})

/** The same where the kubelet says one thing all along. */
const watched = (owner: Workload | undefined, message: string, copied = true) =>
  Effect.map(
    played({ owner, words: [[0, "ImagePullBackOff", message]], copied }),
    ({ asked, rests, said }) => ({ asked, rests, said })
  )

describe("a pod that was pointed to a copy as it was made and cannot pull it", () => {
  it.effect("is named once, with the command that helps, and its set rests", () =>
    Effect.gen(function*() {
      const { asked, rests, said } = yield* watched(original, "403 Forbidden")
      assert.isTrue(asked, "whether all of the copy is there, is looked at")
      assert.deepStrictEqual(said, [
        `pod shop/web-1 cannot pull ${copy}: 403 Forbidden; it was pointed there as it was made. `
        + "kubectl delete pod -n shop web-1 makes a new one, which starts from the original"
      ])
      assert.match(String(rests), /cannot pull/)
    }))

  it.effect("is not told to be deleted where nothing makes it anew", () =>
    Effect.gen(function*() {
      const { said } = yield* watched(undefined, "no such host")
      assert.match(said.join(), /made anew, it starts from the original/)
      assert.notMatch(said.join(), /kubectl/)
    }))

  it.effect("says nothing of its set where the copy is not known to be there: anybody could name one", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* watched(original, "403 Forbidden", false), {
        said: [],
        asked: false,
        rests: undefined
      })
    }))

  it.effect("is another's where its template names the copy", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* watched(rewritten, "403 Forbidden"), { said: [], asked: false, rests: undefined })
    }))
})

/** All that kubelets before Kubernetes 1.32 say between two tries. */
const backOff = `Back-off pulling image "${copy}"`

describe("a kubelet that repeats the registry's words only just after a try", () => {
  it.effect("is heard when it says that the registry refuses: the proof is taken back, though it only backs off later", () =>
    Effect.gen(function*() {
      const { proven, rests, said } = yield* played({
        owner: original,
        proven: true,
        words: [[3, "ErrImagePull", "401 Unauthorized"], [5, "ImagePullBackOff", backOff]]
      })
      assert.lengthOf(said, 1)
      assert.match(said.join(), /cannot pull \S+: 401 Unauthorized; .* which starts from the original$/)
      assert.isFalse(proven)
      assert.match(String(rests), /401 Unauthorized/)
    }))

  it.effect("is heard even if all that it says comes and goes between two looks", () =>
    Effect.gen(function*() {
      const { proven, said } = yield* played({
        owner: original,
        proven: true,
        // both within one period of the look
        words: [[3, "ErrImagePull", "401 Unauthorized"], [3, "ImagePullBackOff", backOff]]
      })
      assert.match(said.join(), /401 Unauthorized/)
      assert.isFalse(proven)
    }))

  it.effect("is heard once more when a refusal shows first after the pod was named", () =>
    Effect.gen(function*() {
      const { at, proven, rests, said } = yield* played({
        owner: original,
        proven: true,
        words: [
          [0, "ImagePullBackOff", backOff],
          [60, "ErrImagePull", "401 Unauthorized"],
          [62, "ImagePullBackOff", backOff],
          [80, "ErrImagePull", "i/o timeout"],
          [82, "ImagePullBackOff", backOff],
          [100, "ErrImagePull", "401 Unauthorized"]
        ]
      })
      assert.deepStrictEqual(at, [30, 60])
      assert.match(String(said[0]), /Back-off pulling image .* which tries it again$/)
      assert.match(String(said[1]), /401 Unauthorized; .* which starts from the original$/)
      assert.isFalse(proven)
      assert.match(String(rests), /401 Unauthorized/)
    }))

  it.effect("takes no proof back by an outage, however long", () =>
    Effect.gen(function*() {
      const { proven, rests, said } = yield* played({
        owner: original,
        proven: true,
        words: [[3, "ErrImagePull", "i/o timeout"], [5, "ImagePullBackOff", backOff]]
      })
      assert.match(said.join(), /i\/o timeout; .* which tries it again$/)
      assert.isTrue(proven)
      assert.isUndefined(rests)
    }))
})
