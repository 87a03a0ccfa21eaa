// How `kubectl get` shows ages and pods.
import { assert, describe, it } from "@effect/vitest"
import type { JsonObject } from "../../../sandbox/Json.ts"
import { columnsOf, humanDuration } from "../../../sandbox/cluster/Columns.ts"

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

describe("durations", () => {
  for (
    const [milliseconds, shown] of [
      [-5, "0s"],
      [119 * second, "119s"],
      [2 * minute, "2m"],
      [9 * minute + 5 * second, "9m5s"],
      [10 * minute + 5 * second, "10m"],
      [179 * minute, "179m"],
      [3 * hour + 20 * minute, "3h20m"],
      [8 * hour + 20 * minute, "8h"],
      [47 * hour, "47h"],
      [2 * day + 3 * hour, "2d3h"],
      [9 * day, "9d"],
      [800 * day, "2y"]
    ] as const
  ) {
    it(`${milliseconds} ms is ${shown}`, () => assert.strictEqual(humanDuration(milliseconds), shown))
  }
})

describe("a pod's status", () => {
  const shown = (status: JsonObject, more: JsonObject = {}) =>
    columnsOf("Pod").find((it) => it.name === "Status")?.cell({ metadata: {}, spec: {}, status, ...more }, 0)
  const waiting = (reason: string): JsonObject => ({ state: { waiting: { reason } } })

  it("is its phase, or what its containers wait for", () => {
    assert.strictEqual(shown({ phase: "Running" }), "Running")
    assert.strictEqual(shown({ phase: "Pending", containerStatuses: [waiting("ErrImagePull")] }), "ErrImagePull")
    assert.strictEqual(
      shown({ phase: "Succeeded", containerStatuses: [{ state: { terminated: { reason: "Completed" } } }] }),
      "Completed"
    )
  })

  it("tells how far its init containers are", () => {
    const done: JsonObject = { state: { terminated: { reason: "Completed" } } }
    assert.strictEqual(
      shown({ phase: "Pending", initContainerStatuses: [done, waiting("PodInitializing")] }),
      "Init:1/2"
    )
    assert.strictEqual(
      shown({ phase: "Pending", initContainerStatuses: [waiting("ImagePullBackOff")] }),
      "Init:ImagePullBackOff"
    )
  })

  it("is Terminating when it goes", () => {
    const metadata = { deletionTimestamp: "2026-01-01T00:00:00Z" }
    assert.strictEqual(shown({ phase: "Running" }, { metadata }), "Terminating")
  })
})
