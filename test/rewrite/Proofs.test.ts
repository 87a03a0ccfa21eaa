import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import { Proofs } from "../../src/rewrite/Proofs.ts"
import { withoutSecrets } from "../../src/workload/PullSet.ts"
import { pod } from "../support/Objects.ts"

const backup = { registry: "backup.example", prefix: "copies", layout: "nested" } as const
const copy = "backup.example/copies/docker.io/library/nginx:1.27"
const a = { key: "uid-a/backup", words: "pods of a" }
const b = { key: "uid-b/other", words: "pods of b" }

const proofs = () => new Proofs({ first: Duration.minutes(2), most: Duration.minutes(5) })
const startedAt = (text: string) => ({ state: { running: { startedAt: text } } })
const runs = (given: Parameters<typeof pod>[0] = {}) => pod({ images: { app: copy }, ...given })
const always = { containers: [{ name: "app", image: copy, imagePullPolicy: "Always" }] }
const minute = 60_000

describe("that pods of a set of pull secrets can pull", () => {
  it("is shown by one that runs a copy, for this set alone", () => {
    const it = proofs()
    it.observe(runs(), a, backup)
    assert.deepStrictEqual([it.isProven(a), it.isProven(b), it.isProven(withoutSecrets)], [true, false, false])
  })

  it("is not shown by a pod that waits, has ended, or runs anything else", () => {
    const it = proofs()
    it.observe(pod(), a, backup)
    it.observe(runs({ state: { waiting: { reason: "ImagePullBackOff" } } }), a, backup)
    it.observe(runs({ phase: "Succeeded" }), a, backup)
    it.observe(pod({ images: { app: "backup.example/copies-of-others/a:1" } }), a, backup)
    assert.isFalse(it.isProven(a))
  })

  it("is not shown by a copy that a pod of another set left on the node, unless it is pulled at every start", () => {
    const it = proofs()
    it.note(runs({ name: "of-b" }), b, backup)
    it.observe(runs(), a, backup)
    assert.isFalse(it.isProven(a))
    it.observe(runs({ podSpec: always }), a, backup)
    assert.isTrue(it.isProven(a))
    const other = proofs()
    other.note(runs({ name: "of-b", node: "node-2" }), b, backup)
    other.observe(runs(), a, backup)
    assert.isTrue(other.isProven(a))
  })

  it("is taken back by a refusal, and shown again by any later start, not by what ran before", () => {
    const it = proofs()
    const before = runs(startedAt("2026-01-01T00:00:00Z"))
    it.observe(before, a, backup)
    it.refuse(a, Date.UTC(2026, 0, 2))
    it.observe(before, a, backup)
    assert.isFalse(it.isProven(a))
    it.observe(runs(startedAt("2026-01-03T00:00:00Z")), a, backup)
    assert.isTrue(it.isProven(a))
  })
})

describe("a set whose pods could not pull", () => {
  it("rests, twice as long each time, and one failure that is seen twice counts once", () => {
    const it = proofs()
    it.rest(a, "no secret", 0)
    it.rest(a, "no secret", 1)
    assert.deepStrictEqual([it.resting(a, 2 * minute - 1), it.resting(b, 0)], ["no secret", undefined])
    assert.isUndefined(it.resting(a, 2 * minute))
    it.rest(a, "no secret", 2 * minute)
    assert.isDefined(it.resting(a, 6 * minute - 1))
    it.rest(a, "no secret", 6 * minute)
    assert.isUndefined(it.resting(a, 11 * minute))
  })

  it("wakes those who wait when it is proven, and once when its rest is over", () => {
    const it = proofs()
    it.rest(a, "no secret", 0)
    assert.isFalse(it.takeOpened(minute))
    assert.deepStrictEqual([it.takeOpened(2 * minute), it.takeOpened(2 * minute)], [true, false])
    it.observe(runs(), a, backup)
    assert.isTrue(it.takeOpened(2 * minute))
  })
})
