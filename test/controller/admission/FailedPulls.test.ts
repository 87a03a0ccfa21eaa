import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import * as FailedPulls from "../../../src/controller/admission/FailedPulls.ts"
import { ImageQueue } from "../../../src/controller/Queues.ts"
import { Pacing } from "../../../src/rewrite/Pacing.ts"
import { Inventory } from "../../../src/store/Inventory.ts"
import { backup, settingsOf } from "../../../src/settings/Settings.ts"
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

const failing = (owner: Workload | undefined, message: string) =>
  pod({
    ...(owner === undefined ? {} : { owner }),
    namespace: "shop",
    images: { app: copy },
    ready: false,
    metadata: { annotations: { [originalsAnnotation]: "{\"app\":\"nginx:1.27\"}" } },
    state: { waiting: { reason: "ImagePullBackOff", message } }
  })

/** What is logged while a pod fails for two minutes, and why the set rests then. */
const watched = Effect.fnUntraced(function*(owner: Workload | undefined, message: string, copied = true) {
  const said: Array<string> = []
  const logs = Logger.layer([Logger.make((it) => void said.push(String(it.message)))])
  return yield* Effect.gen(function*() {
    const store = yield* WorkloadStore
    store.putNamespace({ name: "shop", uid: "u", marks: { ignore: undefined, rewrite: undefined } })
    if (owner !== undefined) store.putWorkload(owner)
    store.putPod(failing(owner, message))
    const inventory = yield* Inventory
    inventory.want("x", [nginx])
    if (copied) inventory.set(nginx, backedUp())
    const { look } = yield* FailedPulls.make(target)
    for (let seconds = 0; seconds < 120; seconds += 5) {
      yield* look
      yield* TestClock.adjust("5 seconds")
    }
    const asked = inventory.takeSuspected(nginx) && (yield* (yield* ImageQueue).depth) === 1
    return { said, asked, rests: yield* (yield* Pacing).resting(withoutSecrets) }
  }).pipe(Effect.provide(Layer.mergeAll(Pacing.layer, Inventory.layer, ImageQueue.layer, WorkloadStore.layer, logs)))
})

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
