// The verify command of the bundled program: what it looks at, what it prints, and how it ends.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Path } from "effect"
import * as EmbeddedRegistry from "../../sandbox/registry/EmbeddedRegistry.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import * as Sandbox from "../sandbox/support/Sandbox.ts"
import { cli, folder } from "./Cli.ts"

const app = SampleImage.twoPlatforms("app", { shared: [SampleImage.layer("shared", 5000)] })
const tool = SampleImage.image("tool")

/** A source with two images of which the backup has one, and the environment that names the backup. */
const world = Effect.gen(function*() {
  const source = yield* EmbeddedRegistry.make()
  const backup = yield* EmbeddedRegistry.make()
  yield* source.load("team/app", app, "1")
  yield* source.load("team/tool", tool, "2")
  const env = {
    BACKUP_REGISTRY: `${backup.host}/copies`,
    PLAIN_HTTP_REGISTRIES: `${source.host},${backup.host}`
  }
  const [first, second] = [`${source.host}/team/app:1`, `${source.host}/team/tool:2`]
  const copied = yield* cli(["clone", first], { env })
  assert.strictEqual(copied.code, 0, copied.stderr)
  return { source, backup, env, first, second, into: `copies/${source.host.replace(":", "_")}/team/app` }
})

const lost = app.children[0]?.digest ?? ""

const deployment = (image: string, name: string) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace: "shop" },
  spec: {
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "app", image }] } }
  }
})

describe("verify", () => {
  it.layer(NodeServices.layer, { excludeTestServices: true })((it) => {
    it.effect("says of named images that they are whole, contacting no cluster, and ends with 0", () =>
      Effect.gen(function*() {
        const { backup, env, first, into } = yield* world
        const it = yield* cli(["verify", first], { env })
        assert.deepStrictEqual([it.code, it.stderr], [0, ""])
        const [line = "", total = "", ...rest] = it.stdout.split("\n")
        const copy = `${backup.host}/${into}:1@${app.manifest.digest}`
        assert.match(line, new RegExp(`^${first} whole ${copy} manifests=3 blobs=5 bytes=[0-9.]+KiB$`))
        assert.match(
          total,
          /^1 image \(1 whole\); 3 manifests and 5 blobs looked at, [0-9.]+ KiB by their sizes, in \d/
        )
        assert.deepStrictEqual(rest, [""])
        const deep = yield* cli(["verify", "--deep", `${backup.host}/${into}:1`], { env })
        assert.deepStrictEqual([deep.code, deep.stderr], [0, ""])
        assert.match(deep.stdout, /KiB read and hashed, in/)
      }))

    it.effect("names what is not, repairs it, and ends with 1 until it is", () =>
      Effect.gen(function*() {
        const { backup, env, first, into, second } = yield* world
        yield* backup.remove(into, lost)
        const found = yield* cli(["verify", first, second], { env })
        assert.strictEqual(found.code, 1)
        assert.strictEqual(found.stderr, "error: 2 of 2 images are not whole\n")
        assert.include(found.stdout, `${first} damaged `)
        assert.include(found.stdout, `\n  manifest ${lost} missing: the backup does not have it\n`)
        assert.include(found.stdout, `${second} only at the source `)
        const dry = yield* cli(["verify", "--repair", first], { env: { ...env, DRY_RUN: "true" } })
        assert.strictEqual(dry.code, 1)
        assert.include(dry.stderr, "DRY_RUN is on: nothing is repaired.\n")
        const repaired = yield* cli(["verify", "--repair", first, second], { env })
        assert.deepStrictEqual([repaired.code, repaired.stderr], [0, ""])
        assert.include(repaired.stdout, `${first} whole (repaired, was damaged) `)
        assert.match(repaired.stdout, /\n2 images \(2 whole\), 2 of them repaired; /)
        assert.strictEqual((yield* cli(["verify", first, second], { env })).code, 0)
      }), 20_000)

    it.effect("is JSON for scripts, of manifests", () =>
      Effect.gen(function*() {
        const { backup, env, first, into, second, source } = yield* world
        const path = yield* Path.Path
        const gone = `${source.host}/team/gone:3`
        const unknown = `${backup.host}/copies/flat-name:1`
        const objects = [first, second, gone, unknown].map((it, at) => deployment(it, `d${at}`))
        const file = path.join(
          yield* folder({ "all.json": JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }) }),
          "all.json"
        )
        const it = yield* cli(["verify", "-f", file, "-o", "json"], { env })
        assert.strictEqual(it.code, 1)
        const { images, summary } = JSON.parse(it.stdout)
        assert.deepStrictEqual(
          new Map(images.map((one: { source: string | null; status: string }) => [one.source, one.status])),
          new Map([[first, "whole"], [second, "source-only"], [gone, "missing"], [null, "missing"]])
        )
        const whole = images.find((one: { status: string }) => one.status === "whole")
        assert.deepInclude(whole, {
          backup: `${backup.host}/${into}:1`,
          digest: app.manifest.digest,
          manifests: 3,
          blobs: 5,
          problems: [],
          repair: null
        })
        assert.deepInclude(summary, { images: 4, whole: 1, damaged: 0, "source-only": 1, missing: 2, blobs: 5 })
      }))

    it.effect(
      "looks at what a cluster uses, rewritten or not, with no more rights than the controller has",
      () =>
        Effect.gen(function*() {
          const { backup, env, first, into, second } = yield* world
          const { client, cluster } = yield* Sandbox.cluster()
          const apply = (object: ReturnType<typeof deployment>) =>
            Sandbox.post("/apis/apps/v1/namespaces/shop/deployments", object)
          yield* Effect.provideContext(
            Effect.gen(function*() {
              yield* Sandbox.post("/api/v1/namespaces", {
                apiVersion: "v1",
                kind: "Namespace",
                metadata: { name: "shop" }
              })
              yield* apply(deployment(`${backup.host}/${into}:1`, "rewritten"))
              yield* apply(deployment(first, "same"))
              yield* apply(deployment(second, "not-yet"))
            }),
            client
          )
          const read = ["get", "list", "watch"] as const
          const token = yield* cluster.addUser({
            name: "system:serviceaccount:image-cloner:image-cloner-controller",
            rules: [
              { groups: [""], resources: ["namespaces", "nodes", "pods", "replicationcontrollers"], verbs: read },
              {
                groups: ["apps"],
                resources: ["deployments", "daemonsets", "statefulsets", "replicasets"],
                verbs: read
              },
              { groups: ["batch"], resources: ["cronjobs", "jobs"], verbs: read }
            ]
          })
          const path = yield* Path.Path
          const kubeconfig = path.join(yield* folder({ config: cluster.kubeconfig(token) }), "config")
          const it = yield* cli(["verify", "--kubeconfig", kubeconfig], { env })
          assert.deepStrictEqual([it.code, it.stderr], [1, "error: 1 of 2 images is not whole\n"])
          assert.include(it.stdout, `${first} whole `)
          assert.include(it.stdout, `${second} only at the source `)
          const repaired = yield* cli(["verify", "--kubeconfig", kubeconfig, "--repair"], { env })
          assert.deepStrictEqual([repaired.code, repaired.stderr], [0, ""])
        }),
      20_000
    )

    it.effect("ends with 2 for what it does not understand, and with 1 for what is no reference", () =>
      Effect.gen(function*() {
        const env = { BACKUP_REGISTRY: "registry.example.com/backup" }
        assert.strictEqual((yield* cli(["verify", "--nosuch"], { env })).code, 2)
        const it = yield* cli(["verify", "A/B"], { env })
        assert.deepStrictEqual([it.code, it.stdout], [1, ""])
        assert.match(it.stderr, /^error: "A\/B" is not an image reference/)
      }))
  })
})
