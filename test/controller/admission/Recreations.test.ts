import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Recreations } from "../../../src/controller/admission/Recreations.ts"
import { backup, settingsOf } from "../../../src/settings/Settings.ts"
import { originalsAnnotation } from "../../../src/workload/Originals.ts"
import type { Pod } from "../../../src/workload/Workload.ts"
import { copy } from "../../admission/Reviewed.ts"
import { pod, workload } from "../../support/Objects.ts"

const minute = 60_000
const hour = 60 * minute

const cluster = { apiVersion: "postgresql.cnpg.io/v1", kind: "Cluster", name: "db", uid: "uid-db" }

let uids = 0
/** A pod of an operator's own kind that was pointed to its copy, made and being deleted at these moments. */
const deleted = (given: Partial<Pod> & { readonly owner?: typeof cluster; readonly rewritten?: boolean } = {}): Pod => {
  const { owner = cluster, rewritten = true, ...more } = given
  const made = pod({
    name: "db-1",
    images: { app: rewritten ? copy : "nginx:1.27" },
    metadata: { annotations: rewritten ? { [originalsAnnotation]: "{\"app\":\"nginx:1.27\"}" } : {} }
  })
  return {
    ...made,
    createdAt: 0,
    ...more,
    workload: { ...made.workload, owner, uid: `uid-${uids++}`, deleting: true }
  }
}

const look = (recreations: Recreations, pods: ReadonlyArray<Pod>, at: number) =>
  recreations.look(pods.map((it) => ({ ...it, createdAt: (it.createdAt ?? 0) + at })), [], {
    now: at + minute,
    uptime: at + minute
  })

const fresh = () => new Recreations(backup(settingsOf("backup.example/copies")))

const problem = (recreations: Recreations, at: number, owner = cluster) => recreations.problem("shop", owner, at)

// cloudnative-pg#6344, operator-lifecycle-manager#2986: pods came and went for ever
describe("an operator that deletes pods for having been pointed to copies", () => {
  it("is left alone after the third within half an hour, and then after each, twice as long", () => {
    const recreations = fresh()
    assert.deepStrictEqual([0, 1, 2].map((it) => look(recreations, [deleted()], it * minute).length), [0, 0, 1])
    const at = 3 * minute
    assert.match(String(problem(recreations, at)), /Cluster shop\/db deletes pods/)
    assert.isDefined(problem(recreations, at + hour - 1))
    assert.isUndefined(problem(recreations, at + hour))
    const [again] = look(recreations, [deleted()], 2 * hour)
    assert.deepStrictEqual(again, { owner: "Cluster shop/db", deletions: 1, rest: 2 * hour })
    assert.isDefined(problem(recreations, 2 * hour + minute + 2 * hour - 1))
  })

  it("is told once: what was pointed there before it rests, and is deleted yet, counts for nothing", () => {
    const recreations = fresh()
    const pods = [deleted(), deleted(), deleted()]
    assert.deepStrictEqual(look(recreations, pods, 0), [{ owner: "Cluster shop/db", deletions: 3, rest: hour }])
    assert.deepStrictEqual(look(recreations, [...pods, deleted(), deleted()], minute), [])
    assert.isUndefined(problem(recreations, minute + hour))
    assert.deepStrictEqual(look(recreations, pods, 2 * hour), [])
  })

  it("is only who owns them, in its namespace", () => {
    const recreations = fresh()
    look(recreations, [deleted(), deleted(), deleted()], 0)
    assert.isUndefined(problem(recreations, minute, { ...cluster, uid: "uid-other" }))
    assert.isUndefined(recreations.problem("stranger", cluster, minute))
    assert.isUndefined(recreations.problem("shop", undefined, minute))
  })
})

describe("pods that end", () => {
  const others: Readonly<Record<string, () => Pod>> = {
    "that were not pointed to copies": () => deleted({ rewritten: false }),
    "that ran for long": () => deleted({ createdAt: -5 * minute }),
    "that have come to their end": () => deleted({ finished: true }),
    "of a kind whose template is known": () =>
      deleted({ owner: { ...workload(), apiVersion: "apps/v1", kind: "ReplicaSet" } }),
    "of one of EXTRA_KINDS": () =>
      deleted({ owner: { ...cluster, apiVersion: "apps.kruise.io/v1alpha1", kind: "CloneSet" } })
  }
  const kruise = { group: "apps.kruise.io", version: "v1alpha1", kind: "CloneSet", path: "spec.template.spec" }
  it.each(Object.keys(others))("%s tell nothing", (which) => {
    const recreations = fresh()
    const pods = [0, 1, 2, 3].flatMap(() => others[which]?.() ?? [])
    assert.strictEqual(pods.length, 4)
    assert.deepStrictEqual(recreations.look(pods, [kruise], { now: minute, uptime: minute }), [])
  })

  it("now and then are no fight", () => {
    const recreations = fresh()
    for (let at = 0; at < 10 * hour; at += 16 * minute) assert.deepStrictEqual(look(recreations, [deleted()], at), [])
  })

  it.prop(
    "are counted once each, however often they are seen",
    [Schema.Array(Schema.Literals([0, 1, 2, 3])).check(Schema.isMaxLength(40))],
    ([seen]) => {
      const recreations = fresh()
      const pods = [deleted(), deleted(), deleted(), deleted()]
      const distinct = new Set<number>()
      for (const index of seen) {
        const before = distinct.size
        distinct.add(index)
        const fights = look(recreations, pods.filter((_, it) => it === index), 0)
        assert.strictEqual(fights.length, before === 2 && distinct.size === 3 ? 1 : 0)
      }
    }
  )
})
