// Deployments that somebody rolled back: `kubectl rollout undo` goes from the copy to the original and back again, because the
// revision before a rewrite is the same release.
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { calm, calmAt, isRolledBack, isUndo, releaseBefore, wayBack, waysOn } from "../../src/workload/WentBack.ts"
import type { Workload } from "../../src/workload/Workload.ts"
import { type Given, pod, workload } from "../support/Objects.ts"

const backup = { registry: "backup.example", prefix: "copies", layout: "nested" } as const
const copy = (tag: string) => `backup.example/copies/docker.io/library/nginx:${tag}`

/** A template as it was written, or as we rewrote it. */
const template = (tag: string, rewritten = false): Given =>
  rewritten
    ? {
      images: { app: copy(tag) },
      templateAnnotations: { "image-cloner.io/original-images": JSON.stringify({ app: `nginx:${tag}` }) }
    }
    : { images: { app: `nginx:${tag}` } }

const revision = (number: number, history?: string) => ({
  annotations: {
    "deployment.kubernetes.io/revision": String(number),
    ...(history === undefined ? {} : { "deployment.kubernetes.io/revision-history": history })
  }
})

const deployment = (number: number, given: Given, more: Given = {}) =>
  workload({ ...given, ...more, metadata: { ...revision(number), ...more.metadata } })

const replicaSet = (number: number, given: Given, history?: string) =>
  workload({ kind: "ReplicaSet", name: `web-${number}`, ...given, metadata: revision(number, history) })

describe("a rollback", () => {
  it("is a Deployment whose newest ReplicaSet was the newest before", () => {
    const first = replicaSet(3, template("1"), "1")
    const second = replicaSet(2, template("2"))
    assert.isTrue(isRolledBack(deployment(3, template("1")), [second, first]))
    assert.isFalse(isRolledBack(deployment(2, template("2")), [second, replicaSet(1, template("1"))]))
  })

  it("is not told by an older ReplicaSet that was the newest again once, nor before the controller has looked", () => {
    const [first, next] = [replicaSet(3, template("1"), "1"), replicaSet(4, template("3"))]
    assert.isFalse(isRolledBack(deployment(4, template("3")), [first, next]))
    const unobserved = deployment(3, template("1"), { metadata: { ...revision(3), generation: 2 } })
    assert.isFalse(isRolledBack(unobserved, [first]))
    // the template is another already, its ReplicaSet is not there yet
    assert.isFalse(isRolledBack(deployment(3, template("9")), [first]))
  })
})

describe("kubectl rollout undo", () => {
  const image = { "f:containers": { "k:{\"name\":\"app\"}": { "f:image": {} } } }
  const by = (manager: string, operation = "Update", generation = 2): Given => ({
    metadata: {
      generation,
      managedFields: [{ manager, operation, fieldsV1: { "f:spec": { "f:template": { "f:spec": image } } } }]
    }
  })
  const first = workload({ kind: "ReplicaSet", name: "web-1" })

  it("is a Deployment's return to a ReplicaSet that was there", () => {
    assert.isTrue(isUndo(workload(by("kubectl")), [first]))
    assert.isFalse(isUndo(workload(by("kubectl")), []))
    assert.isFalse(isUndo(workload({ ...by("kubectl"), images: { app: "nginx:9" } }), [first]))
  })

  it("is told of StatefulSets and DaemonSets by its name, and rests them", () => {
    for (const kind of ["StatefulSet", "DaemonSet"] as const) {
      const undone = workload({ kind, ...by("kubectl") })
      assert.isTrue(isUndo(undone, []))
      assert.isTrue(isRolledBack(undone, []))
      assert.strictEqual(
        waysOn(undone, [], backup),
        `; kubectl -n shop rollout history ${kind.toLowerCase()}/web has its revisions, of which a rewrite is one`
      )
    }
  })

  it("is nothing that is new, applied, set by another command or by another tool", () => {
    for (const kind of ["Deployment", "StatefulSet", "DaemonSet"] as const) {
      for (
        const other of [
          by("kubectl", "Apply"),
          by("kubectl", "Update", 1),
          by("kubectl-set"),
          by("kubectl-client-side-apply"),
          by("helm"),
          {}
        ]
      ) {
        assert.isFalse(isUndo(workload({ kind, ...other }), [first]))
        assert.isFalse(isRolledBack(workload({ kind, ...other }), [first]))
      }
    }
  })
})

describe("the release before", () => {
  it("is told by images alone where one of the two was read of JSON and the other of Protocol Buffers", () => {
    const web = { ...deployment(3, template("1", true)), shape: "wire:abc" }
    // the same release with its originals, whose shape says nothing here
    assert.isUndefined(releaseBefore(web, [replicaSet(2, template("1"))], backup))
    assert.strictEqual(releaseBefore(web, [replicaSet(2, template("1")), replicaSet(1, template("0"))], backup), 1)
  })
})

describe("calm", () => {
  const web = deployment(3, template("1"))
  const ready = (at: number) => pod({ owner: web, readySince: at })

  it("comes fifteen minutes after the last pod became ready", () => {
    assert.strictEqual(calmAt(web, [ready(1000)]), 1000 + calm)
    assert.strictEqual(calmAt(web, [ready(1000), pod({ owner: web, name: "b", readySince: 9000 })]), 9000 + calm)
  })

  it("does not come while a pod is missing or not ready", () => {
    assert.isUndefined(calmAt(web, []))
    assert.isUndefined(calmAt(web, [ready(0), pod({ owner: web, name: "b", ready: false })]))
  })

  it("is not put off by pods that are made long after, as those of new nodes are", () => {
    const changed = { ...web, templateChangedAt: 1000 }
    const late = pod({
      owner: web,
      name: "late",
      metadata: { creationTimestamp: new Date(2000 + calm).toISOString() },
      readySince: 3000 + calm
    })
    assert.strictEqual(calmAt(changed, [ready(1000), late]), 1000 + calm)
  })

  it("comes no sooner after an undo that replaces no pod", () => {
    const kept = { ...workload({ kind: "StatefulSet" }), templateChangedAt: 50_000 }
    assert.strictEqual(calmAt(kept, [pod({ owner: kept, readySince: 1000 })]), 50_000 + calm)
  })

  it("is there at once where no pod is wanted", () => {
    const none = deployment(3, template("1"), { spec: { replicas: 0 } })
    assert.strictEqual(calmAt(none, []), 0)
  })
})

describe("the release before", () => {
  it("is not the revision before a rewrite, which is the same release", () => {
    const sets = [replicaSet(1, template("1")), replicaSet(2, template("1", true)), replicaSet(3, template("2"))]
    assert.strictEqual(releaseBefore(deployment(3, template("2")), sets, backup), 2)
    const rewritten = [...sets, replicaSet(4, template("2", true))]
    assert.strictEqual(releaseBefore(deployment(4, template("2", true)), rewritten, backup), 2)
    assert.include(
      wayBack(deployment(4, template("2", true)), rewritten, backup),
      "revision 2: kubectl -n shop rollout undo deployment/web --to-revision=2"
    )
  })

  it("is told from the same images with other variables", () => {
    const other = { ...template("1", true), podSpec: { dnsPolicy: "None" } }
    const sets = [replicaSet(1, template("1")), replicaSet(2, other), replicaSet(3, template("1", true))]
    assert.strictEqual(releaseBefore(deployment(3, template("1", true)), sets, backup), 2)
  })

  it("is none where there was one release only", () => {
    const sets = [replicaSet(1, template("1")), replicaSet(2, template("1", true))]
    assert.isUndefined(releaseBefore(deployment(2, template("1", true)), sets, backup))
    assert.strictEqual(wayBack(deployment(2, template("1", true)), sets, backup), "")
  })

  it.prop(
    "is always of another release, whatever was rewritten, and the newest such",
    [Schema.Array(Schema.Tuple([Schema.Literals(["1", "2", "3"]), Schema.Boolean]))],
    ([history]) => {
      const sets = history.map(([tag, rewritten], index): readonly [string, Workload] => [
        tag,
        replicaSet(index + 1, template(tag, rewritten))
      ])
      const [tag, rewritten] = history.at(-1) ?? ["1", false]
      const now = deployment(history.length, template(tag, rewritten))
      const expected = sets.findLastIndex(([of]) => of !== tag)
      assert.strictEqual(
        releaseBefore(now, sets.map(([, it]) => it), backup),
        expected === -1 ? undefined : expected + 1
      )
    }
  )
})
