// An operator that makes pods itself and deletes those whose image is not what it wrote, on a real control plane with the bundled daemon
// beside it: without an end to that, no pod of it would ever stay (cloudnative-pg#6344).
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { JsonObject } from "../../sandbox/Json.ts"
import * as J from "../../sandbox/Json.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import { eventually } from "../support/Eventually.ts"
import { stage } from "../support/Stage.ts"
import * as W from "../support/World.ts"
import { admitting, imagesOf, makePod, mutates, objectOf, podSpec, withWeb } from "./Webhooks.ts"

const pods = "/api/v1/namespaces/team/pods"
const finalizer = "example.com/kept"

/** The operator's own object: of a kind whose pods are nobody's template. */
const owner = Effect.gen(function*() {
  const client = yield* KubeClient
  const made = yield* client.request({
    method: "POST",
    path: "/api/v1/namespaces/team/configmaps",
    body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "db" } }
  })
  const uid = J.text(objectOf(made), "metadata", "uid") ?? ""
  return { apiVersion: "v1", kind: "ConfigMap", name: "db", uid, controller: true }
})

/** Makes a pod, and deletes it for not having the image that was asked for; answers which it had. */
const makeAndJudge = Effect.fnUntraced(function*(of: JsonObject, name: string, image: string) {
  const client = yield* KubeClient
  const made = objectOf(
    yield* client.request({
      method: "POST",
      path: pods,
      body: {
        apiVersion: "v1",
        kind: "Pod",
        // what ends in its own time is seen on its way out
        metadata: { name, ownerReferences: [of], finalizers: [finalizer] },
        spec: { ...podSpec(image), restartPolicy: "Always" }
      }
    })
  )
  const [had = ""] = imagesOf(made)
  if (had === image) return had
  yield* client.request({ method: "DELETE", path: `${pods}/${name}` })
  yield* Effect.sleep("1 second")
  yield* W.jsonPatch("operator", "Pod", "team", name, [{ op: "remove", path: "/metadata/finalizers" }])
  return had
})

for (const place of W.controlPlanes.filter((it) => it.name !== "the sandbox")) {
  describe.skipIf(place.skipped)(`an operator that compares images, on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect(
        "has its pods start from the originals from the fourth on, and others go on from their copies",
        () =>
          Effect.gen(function*() {
            const { copy, image } = yield* withWeb
            const cloner = yield* admitting(["team"], { BACKUP_PULL_BY: "nodes" })
            yield* mutates(1)
            yield* eventually(
              "new pods are not pointed to the copy",
              makePod("team", "try", image, { dryRun: "All" }),
              (it) => imagesOf(it)[0] === copy
            )
            const of = yield* owner
            const had = yield* Effect.forEach([1, 2, 3, 4], (turn) => makeAndJudge(of, `db-${turn}`, image))
            assert.deepStrictEqual(had, [copy, copy, copy, image])
            assert.deepStrictEqual(imagesOf(yield* makePod("team", "other", image)), [copy, copy])
            assert.match(
              JSON.stringify(cloner.log),
              /3 pods of ConfigMap team\/db were deleted within minutes of being pointed to copies/
            )
          }),
        { timeout: 120_000 }
      )
    })
  })
}
