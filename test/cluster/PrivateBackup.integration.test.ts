// A cluster of databases and a backup that wants a login, on the sandbox and on a real control plane: nothing there can show
// that its pods pull without missing one, so nobody is tried without a word of its owner.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as J from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import * as Ending from "../support/Ending.ts"
import { copyOf, daemon, login, namespace, Stage, stage } from "../support/Stage.ts"
import * as W from "../support/World.ts"

const withSecret = ["with-1", "with-2"]
const withoutSecret = ["without-1", "without-2"]
const namespaces = [...withSecret, ...withoutSecret]
const each = 6

const names = Array.from({ length: each }, (_, index) => `db-${index}`)
const replicasOf = (name: string) => name.endsWith("0") ? 3 : 1

const podsOf = Effect.map(
  Effect.forEach(namespaces, (it) => W.list("Pod", it)),
  (all) => all.flat().map((it) => J.text(it, "metadata", "uid") ?? "").toSorted()
)

for (const place of W.nearest) {
  describe(`nothing but StatefulSets and a private backup, on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect(
        "nobody is the probe: each waits until its owner lets one of its set try, or says that nodes can pull",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const { backup, upstream } = stageNow
            yield* upstream.load("private/db", SampleImage.image("private"), "1")
            const image = `${upstream.host}/private/db:1`
            const copy = copyOf(stageNow, "private/db", "1")
            for (const name of withSecret) yield* namespace(name)
            for (const name of withoutSecret) yield* W.namespace(name)
            for (const where of namespaces) {
              for (const name of names) {
                yield* W.make("StatefulSet", { namespace: where, name, image, replicas: replicasOf(name) })
              }
            }
            const endings = (rewritten: ReadonlyArray<string>) =>
              Object.fromEntries(
                namespaces.flatMap((where) =>
                  names.map((name): readonly [string, Ending.Ending] => {
                    const done = rewritten.includes(where)
                    return [`StatefulSet/${where}/${name}`, {
                      image: done ? copy : image,
                      pods: replicasOf(name),
                      reason: done ? "already-backup" : "pull-unproven",
                      ...(done ? {} : { said: "pull-unproven" })
                    }]
                  })
                )
              )
            for (const where of namespaces) {
              for (const name of names) yield* W.settled(where, name, replicasOf(name))
            }
            const before = yield* podsOf
            const it = yield* daemon(namespaces)
            const given: Ending.Given = { namespaces, daemon: it, patience: "120 seconds" }
            yield* Ending.ends(endings([]), given)
            yield* Ending.stays(endings([]), given, 8)
            assert.deepStrictEqual(yield* podsOf, before, "a pod was used to try")

            // one owner's word is enough for all who pull as it does, and for nobody else
            yield* W.annotate("StatefulSet", "with-1", "db-5", { "image-cloner.io/rewrite": "patch" })
            yield* Ending.ends(endings(["with-1"]), given)
            yield* Ending.stays(endings(["with-1"]), given)

            // the others get a login, which alone shows nothing
            for (const where of withoutSecret) yield* W.pullSecret(where, { host: backup.host, ...login })
            yield* Ending.stays(endings(["with-1"]), given)
            yield* it.configure({ BACKUP_PULL_BY: "nodes" })
            yield* Ending.ends(endings(namespaces), { ...given, settings: { BACKUP_PULL_BY: "nodes" } })
            const patched = yield* it.metric("image_cloner_rewrites_total{result=\"rewritten\"}")
            assert.strictEqual(patched, namespaces.length * each)
            assert.strictEqual(yield* it.metric("image_cloner_rewrites_total{result=\"restored\"}"), 0)
          }),
        240_000
      )
    })
  })
}
