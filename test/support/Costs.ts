// What it costs a Deployment of one replica when somebody's tool works on it and the daemon as well: how many revisions its
// template went through until nothing moves any more, and whether it then runs the bytes that are meant.
// Edge: two changes that the Deployment's controller sees as one count as one; so they do for the pods.
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import type { JsonObject } from "../../sandbox/Json.ts"
import * as J from "../../sandbox/Json.ts"
import { eventually } from "./Eventually.ts"
import * as W from "./World.ts"

export interface Subject {
  readonly namespace: string
  readonly name: string
}

export interface Wanted {
  /** What the template names in the end. */
  readonly image: string
  /** What its pod then runs. */
  readonly digest: string
}

const revision = (object: JsonObject): number =>
  Number(J.text(object, "metadata", "annotations", "deployment.kubernetes.io/revision") ?? 0)

/** Whether the controller has seen the template, and has given up the images that it changed. */
const isSettled = (object: JsonObject): boolean =>
  J.number(object, "metadata", "generation") === J.number(object, "status", "observedGeneration") &&
  J.list(object, "metadata", "managedFields").every((it) =>
    J.text(it, "manager") !== "image-cloner" || !JSON.stringify(it).includes("f:image\"")
  )

const look = Effect.fnUntraced(function*({ name, namespace }: Subject) {
  const object = yield* W.get("Deployment", namespace, name)
  const pods = yield* W.running(namespace, name)
  return { image: W.imageOf(object), settled: isSettled(object), revision: revision(object), pods }
})

/** The Deployment's revision once it is as wanted and has been for three seconds: whoever fights does not wait so long. */
const atRest = Effect.fnUntraced(function*(of: Subject, wanted: Wanted) {
  const asWanted = eventually(
    `${of.name} does not come to rest as ${wanted.image}`,
    look(of),
    ({ image, pods, settled }) =>
      image === wanted.image && settled && pods.length === 1 &&
      pods.every((it) => it.ready && it.image === wanted.image && it.digest === wanted.digest)
  )
  let before = yield* asWanted
  for (;;) {
    yield* Effect.sleep("3 seconds")
    const now = yield* asWanted
    if (now.revision === before.revision) return now.revision
    before = now
  }
})

const revisionNow = ({ name, namespace }: Subject) =>
  Effect.map(W.list("Deployment", namespace), (all) => {
    const found = all.find((it) => J.text(it, "metadata", "name") === name)
    return found === undefined ? 0 : revision(found)
  })

/** How many revisions a step took until the Deployment was as wanted; one that did not exist before has had none. */
export const costOf = Effect.fnUntraced(
  function*<E, R>(of: Subject, step: Effect.Effect<unknown, E, R>, wanted: Wanted) {
    const before = yield* revisionNow(of)
    yield* step
    return (yield* atRest(of, wanted)) - before
  }
)

/**
 * Waits until the object is gone, and its ReplicaSets and pods with it. A pod that was made while its ReplicaSet went is the garbage
 * collector's, which the sandbox has for what is there at that moment only.
 */
export const gone = Effect.fnUntraced(function*({ name, namespace }: Subject) {
  yield* eventually(
    `${name} is still there`,
    Effect.all([W.list("Deployment", namespace), W.list("ReplicaSet", namespace), W.list("Pod", namespace)]),
    ([objects, sets, pods]) =>
      objects.every((it) => J.text(it, "metadata", "name") !== name) &&
      sets.every((it) => J.text(it, "metadata", "labels", "app") !== name) &&
      pods.every((it) =>
        J.text(it, "metadata", "labels", "app") !== name ||
        sets.every((set) => J.text(set, "metadata", "uid") !== J.text(it, "metadata", "ownerReferences", 0, "uid"))
      )
  )
})

/** Fails unless a command ended well; what it said is in the message. */
export const succeeded = (
  what: string,
  ended: { readonly code: number; readonly stdout: string; readonly stderr: string }
) => assert.strictEqual(ended.code, 0, `${what}: ${ended.stdout}${ended.stderr}`)
