// What `kubectl apply` and the daemon do to each other, client-side and server-side, on the sandbox and on a real control plane:
// every command succeeds, the bytes stay right, and what each costs in rollouts is what docs/operations.md says.
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { run } from "../support/Command.ts"
import { costOf, gone, type Subject, succeeded } from "../support/Costs.ts"
import { copyOf, daemon, namespace, Stage, stage } from "../support/Stage.ts"
import type { Daemon } from "../support/Daemon.ts"
import * as W from "../support/World.ts"

const binary = join(process.env["KUBEBUILDER_ASSETS"] ?? "", "kubectl")
const skipped = process.env["KUBEBUILDER_ASSETS"] === undefined || !existsSync(binary)

const tags = ["1", "2", "3"] as const
type Tag = (typeof tags)[number]

const imageOf = (tag: Tag) => SampleImage.image(`applied ${tag}`)

/** What a file says that people apply. */
const manifest = ({ name }: Subject, image: string, marked: boolean) =>
  JSON.stringify({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, ...(marked ? { annotations: { "image-cloner.io/rewrite": "patch" } } : {}) },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "app", image }] } }
    }
  })

/** kubectl in a namespace, given a manifest. */
const applier = Effect.fnUntraced(function*(subject: Subject, flags: ReadonlyArray<string>, marked: boolean) {
  const { controlPlane: { kubeconfigFile } } = yield* Stage
  const fs = yield* FileSystem.FileSystem
  const file = join(yield* fs.makeTempDirectoryScoped({ prefix: "image-cloner-test-" }), "manifest.json")
  const env = { PATH: process.env["PATH"] ?? "", HOME: dirname(kubeconfigFile) }
  const kubectl = Effect.fnUntraced(function*(...words: ReadonlyArray<string>) {
    const ended = yield* run(binary, ["--kubeconfig", kubeconfigFile, "-n", subject.namespace, ...words, "-f", file], {
      env
    })
    succeeded(`kubectl ${words.join(" ")}`, ended)
  })
  return {
    apply: (image: string) =>
      Effect.andThen(fs.writeFileString(file, manifest(subject, image, marked)), kubectl("apply", ...flags)),
    remove: kubectl("delete")
  }
})

const ways = [
  { name: "client", flags: [], manager: "kubectl-client-side-apply (Update)" },
  { name: "server", flags: ["--server-side"], manager: "kubectl (Apply)" }
] as const

const cases = ways.flatMap((way) =>
  [false, true].map((marked) => ({ ...way, marked, namespace: `${way.name}-${marked ? "marked" : "plain"}` }))
)

/** Applies a manifest again and again, and takes it away. */
const applyAll = Effect.fnUntraced(
  function*({ flags, manager, marked, namespace: at }: (typeof cases)[number], it: Daemon) {
    const stageNow = yield* Stage
    const { upstream } = stageNow
    const subject = { namespace: at, name: "web" }
    const tool = yield* applier(subject, flags, marked)
    const original = (tag: Tag) => `${upstream.host}/${at}/app:${tag}`
    const copy = (tag: Tag) => copyOf(stageNow, `${at}/app`, tag)
    const costs = Effect.fnUntraced(function*(wanted: number, what: string, image: string, becomes: string, tag: Tag) {
      const cost = yield* costOf(subject, tool.apply(image), { image: becomes, digest: imageOf(tag).manifest.digest })
      assert.strictEqual(cost, wanted, `rollouts in ${at} of applying ${what}`)
    })

    // nothing runs yet: it may be rewritten before a pod starts, and nobody is interrupted
    yield* costOf(subject, tool.apply(original("1")), { image: copy("1"), digest: imageOf("1").manifest.digest })
    yield* costs(2, "it unchanged", original("1"), copy("1"), "1")
    yield* costs(2, "another image", original("2"), copy("2"), "2")
    yield* costs(2, "that unchanged", original("2"), copy("2"), "2")
    yield* costs(1, "that unchanged for the second time in a day", original("2"), original("2"), "2")
    const said = it.about(`Deployment/${at}/web`).join("\n")
    assert.include(said, "held, contested")
    assert.include(said, manager)
    yield* costs(0, "what is contested", original("2"), original("2"), "2")
    yield* costs(2, "a third image", original("3"), copy("3"), "3")
    yield* costs(0, "the name of the copy", copy("3"), copy("3"), "3")
    yield* costs(0, "that unchanged", copy("3"), copy("3"), "3")

    yield* tool.remove
    yield* gone(subject)
  }
)

for (const place of W.nearest) {
  describe.skipIf(skipped)(`kubectl apply on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect(
        "goes on as without the daemon, and costs what is documented, client-side and server-side, marked or not",
        () =>
          Effect.gen(function*() {
            const { upstream } = yield* Stage
            const namespaces = cases.map((it) => it.namespace)
            for (const at of namespaces) {
              for (const tag of tags) yield* upstream.load(`${at}/app`, imageOf(tag), tag)
              yield* namespace(at)
            }
            const it = yield* daemon(namespaces, { BACKUP_PULL_BY: "nodes" })
            yield* Effect.forEach(cases, (one) => applyAll(one, it), { concurrency: "unbounded", discard: true })
            // five times each was there something to rewrite
            assert.strictEqual(yield* it.metric("image_cloner_rewrites_total{result=\"rewritten\"}"), 5 * cases.length)
            assert.strictEqual(yield* it.metric("image_cloner_rewrites_total{result=\"disown-failed\"}"), 0)
          }),
        240_000
      )
    })
  })
}
