// What Helm 3 and Helm 4 do to releases that the daemon has rewritten, on a real control plane: each command succeeds, the pods run
// the right bytes, a fight ends, and each costs the rollouts that docs/operations.md says.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as J from "../../sandbox/Json.ts"
import { costOf, gone, type Subject } from "../support/Costs.ts"
import { missing, tool } from "./RealTools.ts"
import { daemon, namespace, Stage, stage } from "../support/Stage.ts"
import type { Daemon } from "../support/Daemon.ts"
import * as W from "../support/World.ts"
import { bytesOf, mark, markByHand, prepared } from "./Release.ts"

const left = Effect.fnUntraced(function*(binary: string, subject: Subject, it: Daemon) {
  const { costs, helm, original } = yield* prepared(binary, subject, false)
  yield* costs(1, "install", helm.install({ image: original("1") }), original("1"), "1")
  yield* costs(1, "another image", helm.upgrade({ image: original("2") }), original("2"), "2")
  yield* costs(0, "a note", helm.upgrade({ image: original("2"), note: "2" }), original("2"), "2")
  yield* costs(1, "a setting", helm.upgrade({ image: original("2"), setting: "2" }), original("2"), "2")
  yield* costs(1, "rollback", helm.rollback("1"), original("1"), "1")
  assert.include(it.about(`Deployment/${subject.namespace}/${subject.name}`).join("\n"), "held, managed-by")
  yield* helm.uninstall
  yield* gone(subject)
})

const optedIn = Effect.fnUntraced(function*(binary: string, subject: Subject, it: Daemon) {
  const { copy, costs, helm, original } = yield* prepared(binary, subject, true)
  const about = Effect.sync(() => it.about(`Deployment/${subject.namespace}/${subject.name}`).join("\n"))
  // nothing runs yet: it may be rewritten before a pod starts, and nobody is interrupted
  const digest = bytesOf("1").manifest.digest
  yield* costOf(subject, helm.install({ image: original("1") }), { image: copy("1"), digest })
  yield* costs(2, "another image", helm.upgrade({ image: original("2") }), copy("2"), "2")
  yield* costs(2, "a note", helm.upgrade({ image: original("2"), note: "2" }), copy("2"), "2")
  yield* costs(2, "rollback", helm.rollback("1"), copy("1"), "1")
  yield* costs(2, "a setting", helm.upgrade({ image: original("1"), setting: "2" }), copy("1"), "1")
  assert.notInclude(yield* about, "contested")
  // the second upgrade with the same image in a day
  const noted = { image: original("1"), setting: "2", note: "2" }
  yield* costs(1, "a second upgrade", helm.upgrade(noted), original("1"), "1")
  assert.match(
    yield* about,
    binary === tool("helm3") ? /held, contested.* helm \(Update\)/ : /held, contested.* helm \(Apply\)/
  )
  yield* costs(0, "a note, when contested", helm.upgrade({ ...noted, note: "3" }), original("1"), "1")
  yield* costs(0, "a rollback of that", helm.rollback(), original("1"), "1")
  yield* costs(1, "the copy's name", helm.upgrade({ ...noted, image: copy("1") }), copy("1"), "1")
  yield* costs(0, "a note, with it", helm.upgrade({ ...noted, image: copy("1"), note: "4" }), copy("1"), "1")
  yield* helm.uninstall
  yield* gone(subject)
})

/** A chart that says nothing, and somebody who marks its Deployment. */
const markedByHand = Effect.fnUntraced(function*(binary: string, subject: Subject) {
  const { copy, costs, helm, original } = yield* prepared(binary, subject, false)
  yield* costs(1, "install", helm.install({ image: original("1") }), original("1"), "1")
  yield* costs(1, "a mark", markByHand(subject), copy("1"), "1")
  yield* costs(2, "a note", helm.upgrade({ image: original("1"), note: "2" }), copy("1"), "1")
  const object = yield* W.get("Deployment", subject.namespace, subject.name)
  assert.strictEqual(J.text(object, "metadata", "annotations", mark), "patch")
  yield* helm.uninstall
  yield* gone(subject)
})

const real = W.controlPlanes.filter((it) => it.name !== "the sandbox")

for (const place of real) {
  for (const name of ["helm3", "helm4"] as const) {
    describe.skipIf(missing !== "")(`${name} on ${place.name}${missing}`, () => {
      it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
        it.effect(
          "installs, upgrades, rolls back and uninstalls as without the daemon, and costs what is documented",
          () =>
            Effect.gen(function*() {
              const { upstream } = yield* Stage
              for (const tag of ["1", "2"] as const) yield* upstream.load(`${name}/app`, bytesOf(tag), tag)
              yield* namespace(name)
              const it = yield* daemon([name], { BACKUP_PULL_BY: "nodes", MAX_CONCURRENT_ROLLOUTS: "4" })
              const subject = (release: string) => ({ namespace: name, name: release })
              yield* Effect.all([
                left(tool(name), subject("left"), it),
                optedIn(tool(name), subject("marked"), it),
                markedByHand(tool(name), subject("by-hand"))
              ], { concurrency: "unbounded" })
              // five times the release that is marked, and twice the other
              assert.strictEqual(yield* it.metric("image_cloner_rewrites_total{result=\"rewritten\"}"), 7)
              assert.strictEqual(yield* it.metric("image_cloner_rewrites_total{result=\"disown-failed\"}"), 0)
            }),
          300_000
        )
      })
    })
  }
}
