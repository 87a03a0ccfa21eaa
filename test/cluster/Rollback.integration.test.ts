// People go back and forth, on the sandbox and on a real control plane: to the release before, from a copy to its original as
// `kubectl rollout undo` does, and to another tag of a copy. None of it is undone, and none of it is a fight.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { dirname } from "node:path"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { run } from "../support/Command.ts"
import { copyOf, daemon, namespace, Stage, stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import * as W from "../support/World.ts"

const path = "/spec/template/spec/containers/0/image"

const set = (namespaceName: string, name: string, image: string) =>
  W.jsonPatch("kubectl-set", "Deployment", namespaceName, name, [{ op: "replace", path, value: image }])

/** What `kubectl rollout undo` does: the template of a revision, in which no original was recorded. */
const rollBack = (namespaceName: string, name: string, image: string, manager: string) =>
  W.jsonPatch(manager, "Deployment", namespaceName, name, [
    { op: "replace", path, value: image },
    { op: "remove", path: "/spec/template/metadata/annotations" }
  ])

const kubectl = Effect.fnUntraced(function*({ controlPlane }: Stage["Service"], ...words: ReadonlyArray<string>) {
  const file = `${process.env["KUBEBUILDER_ASSETS"] ?? ""}/kubectl`
  const ended = yield* run(file, [`--kubeconfig=${controlPlane.kubeconfigFile}`, "--namespace=undone", ...words], {
    env: { HOME: dirname(controlPlane.kubeconfigFile) }
  })
  assert.strictEqual(ended.code, 0, `${ended.stdout}${ended.stderr}`)
})

const becomes = (namespaceName: string, name: string, image: string) =>
  eventually(`${name} is not ${image}`, W.imageNow("Deployment", namespaceName, name), (now) => now === image)

for (const place of W.controlPlanes) {
  describe.skipIf(place.skipped)(`rollbacks, on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect(
        "to the release before, and from a copy to its original, are left alone, and the way back is named",
        () =>
          Effect.gen(function*() {
            const now = yield* Stage
            const image = (tag: string) => `${now.upstream.host}/rolled/app:${tag}`
            for (const tag of ["1", "2"]) {
              yield* now.upstream.load("rolled/app", SampleImage.image(`rolled ${tag}`), tag)
            }
            yield* namespace("rolled")
            for (const name of ["back", "toggled"]) {
              yield* W.make("Deployment", { namespace: "rolled", name, image: image("1") })
              yield* W.settled("rolled", name)
            }
            const it = yield* daemon(["rolled"], { BACKUP_PULL_BY: "nodes" })
            for (const name of ["back", "toggled"]) {
              yield* becomes("rolled", name, copyOf(now, "rolled/app", "1"))
              yield* W.settled("rolled", name)
            }
            yield* set("rolled", "back", image("2"))
            yield* becomes("rolled", "back", copyOf(now, "rolled/app", "2"))
            yield* W.settled("rolled", "back")
            // release 1 stands in revisions 1 and 2, release 2 in 3 and 4
            assert.include(
              it.about("Deployment/rolled/back").join("\n"),
              "the release before is revision 2: kubectl -n rolled rollout undo deployment/back --to-revision=2"
            )

            yield* rollBack("rolled", "back", image("1"), "deployer")
            yield* rollBack("rolled", "toggled", image("1"), "kubectl")
            for (const name of ["back", "toggled"]) {
              yield* eventually(
                `nothing is said of ${name}`,
                () => it.about(`Deployment/rolled/${name}`),
                (lines) => lines.some((line) => line.includes("held, rollback"))
              )
            }
            yield* Effect.sleep("8 seconds")
            for (const name of ["back", "toggled"]) {
              assert.strictEqual(yield* W.imageNow("Deployment", "rolled", name), image("1"))
            }
            yield* it.kill
            const again = yield* daemon(["rolled"], { BACKUP_PULL_BY: "nodes" })
            yield* eventually(
              "a restart forgets the rollback",
              () => again.about("Deployment/rolled/toggled"),
              (lines) => lines.some((line) => line.includes("held, rollback"))
            )
            yield* Effect.sleep("5 seconds")
            assert.strictEqual(yield* W.imageNow("Deployment", "rolled", "toggled"), image("1"))
          }),
        180_000
      )

      it.effect.skipIf(place.name === "the sandbox")(
        "of StatefulSets and DaemonSets by kubectl rollout undo are left alone, to the originals or to the release before",
        () =>
          Effect.gen(function*() {
            const now = yield* Stage
            const image = (tag: string) => `${now.upstream.host}/undone/app:${tag}`
            const kinds = ["StatefulSet", "DaemonSet"] as const
            for (const tag of ["1", "2"]) {
              yield* now.upstream.load("undone/app", SampleImage.image(`undone ${tag}`), tag)
            }
            yield* namespace("undone")
            for (const kind of kinds) {
              yield* W.make(kind, { namespace: "undone", name: kind.toLowerCase(), image: image("1") })
            }
            for (const kind of kinds) yield* W.settled("undone", kind.toLowerCase())
            const it = yield* daemon(["undone"], { BACKUP_PULL_BY: "nodes" })
            const copied = Effect.fnUntraced(function*(kind: (typeof kinds)[number], tag: string) {
              yield* eventually(
                `${kind} has no copy`,
                W.imageNow(kind, "undone", kind.toLowerCase()),
                (it) => it === copyOf(now, "undone/app", tag)
              )
              yield* W.settled("undone", kind.toLowerCase())
            })
            for (const kind of kinds) yield* copied(kind, "1")
            for (const kind of kinds) {
              yield* W.jsonPatch("kubectl-set", kind, "undone", kind.toLowerCase(), [
                { op: "replace", path, value: image("2") }
              ])
            }
            for (const kind of kinds) yield* copied(kind, "2")

            // one to the originals of its own release, which is the revision before, the other to the release before
            yield* kubectl(now, "rollout", "undo", "statefulset/statefulset")
            yield* kubectl(now, "rollout", "undo", "daemonset/daemonset", "--to-revision=1")
            for (const kind of kinds) {
              const lines = yield* eventually(
                `nothing is said of ${kind}`,
                () =>
                  it.about(`${kind}/undone/${kind.toLowerCase()}`).filter((line) => line.includes("held, rollback")),
                (said) => said.length > 0
              )
              assert.include(lines[0] ?? "", `rollout history ${kind.toLowerCase()}/${kind.toLowerCase()}`)
            }
            yield* Effect.sleep("8 seconds")
            assert.strictEqual(yield* W.imageNow("StatefulSet", "undone", "statefulset"), image("2"))
            assert.strictEqual(yield* W.imageNow("DaemonSet", "undone", "daemonset"), image("1"))
          }),
        180_000
      )

      it.effect(
        "to another tag of the copy has that one copied, and what was recorded counts no longer",
        () =>
          Effect.gen(function*() {
            const now = yield* Stage
            const image = (tag: string) => `${now.upstream.host}/bumped/app:${tag}`
            for (const tag of ["1", "2"]) {
              yield* now.upstream.load("bumped/app", SampleImage.image(`bumped ${tag}`), tag)
            }
            yield* namespace("bumped")
            yield* W.make("Deployment", { namespace: "bumped", name: "web", image: image("1") })
            yield* W.settled("bumped", "web")
            const it = yield* daemon(["bumped"], { BACKUP_PULL_BY: "nodes" })
            yield* becomes("bumped", "web", copyOf(now, "bumped/app", "1"))
            yield* W.settled("bumped", "web")

            const bumped = copyOf(now, "bumped/app", "2")
            yield* set("bumped", "web", bumped)
            yield* becomes("bumped", "web", bumped)
            yield* W.settled("bumped", "web")
            const lines = yield* eventually(
              "it is not said that somebody set it",
              () => it.about("Deployment/bumped/web").filter((line) => line.includes("somebody set container")),
              (said) => said.length > 0
            )
            assert.strictEqual(lines.length, 1)
            assert.include(lines[0] ?? "", image("2"))
            assert.strictEqual(yield* W.imageNow("Deployment", "bumped", "web"), bumped)
          }),
        120_000
      )
    })
  })
}
