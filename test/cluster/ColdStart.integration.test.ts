// The whole cluster is powered on again, on the sandbox and on a real control plane: nothing runs, everything has to be pulled,
// and one of the two sides is not there.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as J from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import * as Ending from "../support/Ending.ts"
import { copyOf, daemon, namespace, Stage, stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import * as W from "../support/World.ts"

const kinds = ["Deployment", "StatefulSet", "DaemonSet"] as const
const each = 4

/** Twelve workloads of one image each. */
const names = (group: string, of: ReadonlyArray<(typeof kinds)[number]> = kinds) =>
  of.flatMap((kind) =>
    Array.from({ length: each }, (_, index) => [kind, `${group}-${kind.toLowerCase()}-${index}`] as const)
  )

const make = Effect.fnUntraced(function*(where: string, all: ReturnType<typeof names>) {
  const { upstream } = yield* Stage
  for (const [kind, name] of all) {
    yield* upstream.load(`${where}/${name}`, SampleImage.image(name), "1")
    yield* W.make(kind, { namespace: where, name, image: `${upstream.host}/${where}/${name}:1` })
  }
})

/** Every pod is gone and the node has nothing: as after a power cut. */
const powerCut = Effect.fnUntraced(function*(where: string) {
  const { kubelet } = yield* Stage
  const client = yield* KubeClient
  yield* kubelet.puller.prune
  for (const pod of yield* W.list("Pod", where)) {
    const name = J.text(pod, "metadata", "name") ?? ""
    yield* client.request({
      method: "DELETE",
      path: `/api/v1/namespaces/${where}/pods/${name}`,
      body: { gracePeriodSeconds: 0 }
    }).pipe(Effect.ignore)
  }
})

const generations = (where: string) =>
  Effect.map(
    Effect.forEach(kinds, (kind) => W.list(kind, where)),
    (all) =>
      Object.fromEntries(
        all.flat().map((it) => [J.text(it, "metadata", "name"), J.number(it, "metadata", "generation")])
      )
  )

for (const place of W.nearest) {
  describe(`a cold start, on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect(
        "with the sources gone: what has a copy runs it, rewritten before or not, and what has none says so",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const { upstream } = stageNow
            const client = yield* KubeClient
            yield* namespace("sourceless")
            yield* make("sourceless", names("before"))
            const endings = (group: string, copied: boolean): Ending.Endings =>
              Object.fromEntries(
                names(group).map(([kind, name]) => [`${kind}/sourceless/${name}`, {
                  image: copied ? copyOf(stageNow, `sourceless/${name}`, "1") : `${upstream.host}/sourceless/${name}:1`,
                  pods: copied ? 1 : -1,
                  reason: copied ? "already-backup" : "failed"
                }])
              )
            const first = yield* daemon(["sourceless"], { MAX_CONCURRENT_ROLLOUTS: "10" })
            const settings = { MAX_CONCURRENT_ROLLOUTS: "10" }
            yield* Ending.ends(endings("before", true), { namespaces: ["sourceless"], daemon: first, settings })
            // these are copied, and nothing more
            yield* first.configure({ REWRITE_MODE: "off" })
            yield* eventually(
              "REWRITE_MODE is not seen",
              Effect.sync(() =>
                first.log.some((line) => J.text(line, "message")?.includes("REWRITE_MODE=off") === true)
              ),
              (seen) => seen
            )
            yield* make("sourceless", names("copied"))
            for (const [, name] of names("copied")) yield* W.settled("sourceless", name)
            yield* eventually(
              "not all are copied",
              first.metric("image_cloner_clones_total{result=\"copied\"}"),
              (count) => count === 2 * kinds.length * each
            )
            yield* first.kill
            yield* make("sourceless", names("never"))
            for (const [, name] of names("never")) yield* W.settled("sourceless", name)

            const before = yield* generations("sourceless")
            yield* Effect.acquireRelease(upstream.switchOff, () => Effect.orDie(upstream.switchOn))
            yield* powerCut("sourceless")
            const again = yield* daemon(["sourceless"], settings)
            // a StatefulSet does not replace a pod that was never ready, and we delete nothing: the command is named
            for (const [kind, name] of names("copied")) {
              if (kind !== "StatefulSet") continue
              yield* eventually(
                `no command that frees ${name}`,
                () => again.about(`StatefulSet/sourceless/${name}`).join("\n"),
                (said) => said.includes(`kubectl -n sourceless delete pod ${name}-0`)
              )
              yield* client.request({ method: "DELETE", path: `/api/v1/namespaces/sourceless/pods/${name}-0` })
            }
            yield* Ending.ends({
              ...endings("before", true),
              ...endings("copied", true),
              ...endings("never", false)
            }, { namespaces: ["sourceless"], daemon: again, settings })
            const after = yield* generations("sourceless")
            for (const [, name] of [...names("before"), ...names("never")]) {
              assert.strictEqual(after[name], before[name], `${name} was changed`)
            }
            for (const [, name] of names("copied")) assert.strictEqual(after[name], (before[name] ?? 0) + 1, name)
          }),
        150_000
      )

      it.effect(
        "with the backup empty: everything is copied anew from where it came, and nothing is put back",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const { backup } = stageNow
            yield* namespace("bare")
            // the status of a DaemonSet does not tell that its revision was reached before: it may go back to a source that is there
            const all = names("before", ["Deployment", "StatefulSet"])
            yield* make("bare", all)
            const settings = { MAX_CONCURRENT_ROLLOUTS: "10" }
            const endings: Ending.Endings = Object.fromEntries(
              all.map(([kind, name]) => [`${kind}/bare/${name}`, {
                image: copyOf(stageNow, `bare/${name}`, "1"),
                pods: 1,
                reason: "already-backup"
              }])
            )
            const first = yield* daemon(["bare"], settings)
            yield* Ending.ends(endings, { namespaces: ["bare"], daemon: first, settings })
            yield* first.kill
            const before = yield* generations("bare")
            for (const repository of backup.repositories()) yield* backup.removeRepository(repository)
            yield* powerCut("bare")
            yield* eventually(
              "pods can pull",
              W.list("Pod", "bare"),
              (pods) => pods.length === all.length && pods.every((it) => JSON.stringify(it).includes("ImagePull"))
            )
            const again = yield* daemon(["bare"], settings)
            yield* Ending.ends(endings, { namespaces: ["bare"], daemon: again, settings })
            assert.deepStrictEqual(yield* generations("bare"), before)
            assert.strictEqual(yield* again.metric("image_cloner_rewrites_total{result=\"restored\"}"), 0)
          }),
        150_000
      )
    })
  })
}
