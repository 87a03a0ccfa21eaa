// What Helm 3 and Helm 4 do to releases whose rewrites were undone, by `restore` or because the copy could not be pulled, and what Helm
// 4 does to a release of Helm 3 that the daemon has rewritten: nothing of ours may stand in their way.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as J from "../../sandbox/Json.ts"
import { cli, folder } from "../cli/Cli.ts"
import { costOf, gone, type Subject } from "../support/Costs.ts"
import { missing, tool } from "./RealTools.ts"
import { daemon, login, namespace, Stage, stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import type { Daemon } from "../support/Daemon.ts"
import * as W from "../support/World.ts"
import { bytesOf, mark, markByHand, prepared } from "./Release.ts"

const digest = bytesOf("1").manifest.digest

const markOf = ({ name, namespace: at }: Subject) =>
  Effect.map(W.get("Deployment", at, name), (it) => J.text(it, "metadata", "annotations", mark))

/** `image-cloner restore` of one workload, as its user types it. */
const restore = Effect.fnUntraced(function*({ name, namespace: at }: Subject) {
  const { backup, controlPlane, upstream } = yield* Stage
  const auth = Buffer.from(`${login.username}:${login.password}`).toString("base64")
  const DOCKER_CONFIG = yield* folder({ "config.json": JSON.stringify({ auths: { [backup.host]: { auth } } }) })
  const env = {
    KUBECONFIG: controlPlane.kubeconfigFile,
    DOCKER_CONFIG,
    BACKUP_REGISTRY: `${backup.host}/copies`,
    PLAIN_HTTP_REGISTRIES: `${upstream.host},${backup.host}`
  }
  const ended = yield* cli(["restore", `Deployment/${at}/${name}`], { env })
  assert.strictEqual(ended.code, 0, ended.stdout + ended.stderr)
})

/**
 * Restored by hand: the word `never` is in nobody's way. A chart's own word is back with the next upgrade; what went back to a
 * revision of before is then left alone for a while, and the next image is rewritten.
 */
const restored = Effect.fnUntraced(function*(binary: string, subject: Subject, marked: boolean, it: Daemon) {
  const { copy, costs, helm, original } = yield* prepared(binary, subject, marked)
  const image = original("1")
  yield* costOf(subject, helm.install({ image }), { image: marked ? copy("1") : image, digest })
  if (!marked) yield* costs(1, "a mark", markByHand(subject), copy("1"), "1")
  yield* costs(1, "restore", restore(subject), image, "1")
  assert.strictEqual(yield* markOf(subject), "never")
  yield* costs(0, "a note", helm.upgrade({ image, note: "2" }), image, "1")
  assert.strictEqual(yield* markOf(subject), marked ? "patch" : "never")
  const last = it.about(`Deployment/${subject.namespace}/${subject.name}`).at(-1)
  assert.include(last, marked ? "held, rollback" : "held, mode-off")
  const [becomes, cost] = marked ? [copy("2"), 2] : [original("2"), 1]
  yield* costs(cost, "another image", helm.upgrade({ image: original("2") }), becomes, "2")
  yield* helm.uninstall
  yield* gone(subject)
})

/** Its namespace has no pull secret: the daemon puts the original back by itself. */
const putBack = Effect.fnUntraced(function*(binary: string, subject: Subject, it: Daemon) {
  const { costs, helm, original } = yield* prepared(binary, subject, true)
  const about = Effect.sync(() => it.about(`Deployment/${subject.namespace}/${subject.name}`).join("\n"))
  const image = original("1")
  yield* costOf(
    subject,
    Effect.andThen(helm.install({ image }), eventually("not put back", about, (said) => said.includes("put back"))),
    { image, digest }
  )
  yield* costs(0, "a note", helm.upgrade({ image, note: "2" }), image, "1")
  yield* costs(1, "another image", helm.upgrade({ image: original("2") }), original("2"), "2")
  yield* helm.uninstall
  yield* gone(subject)
})

/** A release of Helm 3 from now on applied by the server, as Helm 4 applies its own. */
const takenOver = Effect.fnUntraced(function*(subject: Subject) {
  const { copy, costs, helm, original } = yield* prepared(tool("helm3"), subject, true)
  const { helm: next } = yield* prepared(tool("helm4"), subject, true)
  const image = original("1")
  yield* costOf(subject, helm.install({ image }), { image: copy("1"), digest })
  yield* costs(2, "Helm 4", next.upgrade({ image, note: "2" }, "--server-side=true"), copy("1"), "1")
  yield* costs(2, "another image", next.upgrade({ image: original("2") }, "--server-side=true"), copy("2"), "2")
  yield* costs(2, "rollback", next.rollback("1"), copy("1"), "1")
  yield* next.uninstall
  yield* gone(subject)
})

const real = W.controlPlanes.filter((it) => it.name !== "the sandbox")

for (const place of real) {
  describe.skipIf(missing !== "")(`Helm on ${place.name}, after an undoing${missing}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect(
        "upgrades and uninstalls as without the daemon, and so does Helm 4 what was of Helm 3",
        () =>
          Effect.gen(function*() {
            const { upstream } = yield* Stage
            // what cannot pull has its whole namespace rest
            const secretless = ["helm3-secretless", "helm4-secretless"]
            const namespaces = ["undone", ...secretless]
            for (const at of namespaces) {
              for (const tag of ["1", "2"] as const) yield* upstream.load(`${at}/app`, bytesOf(tag), tag)
            }
            yield* namespace("undone")
            for (const at of secretless) yield* W.namespace(at)
            const it = yield* daemon(namespaces, { BACKUP_PULL_BY: "nodes", MAX_CONCURRENT_ROLLOUTS: "8" })
            const each = (name: "helm3" | "helm4") => [
              restored(tool(name), { namespace: "undone", name: `${name}-marked` }, true, it),
              restored(tool(name), { namespace: "undone", name: `${name}-by-hand` }, false, it),
              putBack(tool(name), { namespace: `${name}-secretless`, name: `${name}-put-back` }, it)
            ]
            const all = [...each("helm3"), ...each("helm4"), takenOver({ namespace: "undone", name: "taken-over" })]
            yield* Effect.all(all, { concurrency: "unbounded", discard: true })
            // once each, and not again while it rests
            assert.strictEqual(yield* it.metric("image_cloner_rewrites_total{result=\"restored\"}"), 2)
            assert.strictEqual(yield* it.metric("image_cloner_rewrites_total{result=\"disown-failed\"}"), 0)
          }),
        300_000
      )
    })
  })
}
