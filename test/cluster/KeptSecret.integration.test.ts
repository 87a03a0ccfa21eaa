// PULL_SECRET end to end: namespaces that nobody has prepared get the Secret, their pods pull with it, and restore takes it away again.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as J from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import { cli } from "../cli/Cli.ts"
import { eventually } from "../support/Eventually.ts"
import { copyOf, daemon, pulling, Stage, stage, user as userOf } from "../support/Stage.ts"
import * as W from "../support/World.ts"

const name = "image-cloner-pull"

const request = (method: "GET" | "POST" | "PATCH", path: string, body?: unknown) =>
  KubeClient.use((client) =>
    client.request({
      method,
      path,
      body,
      ...(method === "PATCH" ? { contentType: "application/merge-patch+json" } : {})
    })
  )

const secretIn = (namespace: string) => Effect.option(request("GET", `/api/v1/namespaces/${namespace}/secrets/${name}`))

const namedIn = (namespace: string) =>
  Effect.map(
    request("GET", `/api/v1/namespaces/${namespace}/serviceaccounts/default`),
    (account) => J.list(J.isObject(account) ? account : null, "imagePullSecrets").map((it) => J.text(it, "name"))
  )

for (const place of W.nearest) {
  describe(`a pull secret that is kept, on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect(
        "lets the pods of unprepared namespaces pull, beside what their owners have put there, until it is taken away",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const { backup, upstream } = stageNow
            yield* upstream.load("kept/app", SampleImage.image("kept app"), "1")
            const image = `${upstream.host}/kept/app:1`
            for (const it of ["image-cloner", "tenant", "other"]) yield* W.namespace(it)
            const auths = { [backup.host]: pulling }
            yield* request("POST", "/api/v1/namespaces/image-cloner/secrets", {
              metadata: { name },
              type: "kubernetes.io/dockerconfigjson",
              data: { ".dockerconfigjson": Buffer.from(JSON.stringify({ auths })).toString("base64") }
            })
            yield* eventually(
              "there is no ServiceAccount",
              Effect.option(namedIn("tenant")),
              (it) => it._tag === "Some"
            )
            yield* request("PATCH", "/api/v1/namespaces/tenant/serviceaccounts/default", {
              imagePullSecrets: [{ name: "their-own" }]
            })
            for (const it of ["tenant", "other"]) {
              yield* W.make("Deployment", { namespace: it, name: "web", image })
              yield* W.settled(it, "web")
            }

            const settings = { PULL_SECRET: name }
            const running = yield* daemon(["tenant"], settings, undefined, { POD_NAMESPACE: "image-cloner" })
            const copy = copyOf(stageNow, "kept/app", "1")
            yield* eventually(
              "it does not run from the backup",
              W.running("tenant", "web"),
              (pods) => pods.length === 1 && pods.every((pod) => pod.ready && pod.image === copy)
            )
            assert.deepStrictEqual(yield* namedIn("tenant"), ["their-own", name])
            const kept = yield* secretIn("tenant")
            assert.strictEqual(
              J.text(kept._tag === "Some" && J.isObject(kept.value) ? kept.value : null, "type"),
              "kubernetes.io/dockerconfigjson"
            )
            // where nothing is rewritten there is no need of it
            assert.strictEqual((yield* secretIn("other"))._tag, "None")
            assert.deepStrictEqual(yield* namedIn("other"), [])
            assert.notInclude(JSON.stringify(running.log), pulling.password)

            yield* running.signal("SIGTERM")
            assert.strictEqual(yield* running.exitCode, 0)
            const restored = yield* cli(["restore", "--all"], {
              env: { ...(yield* userOf), ...settings, NAMESPACES_TO_INCLUDE: "tenant", REWRITE_MODE: "off" }
            })
            assert.strictEqual(restored.code, 0, restored.stdout + restored.stderr)
            assert.deepStrictEqual(yield* namedIn("tenant"), ["their-own"])
            assert.strictEqual((yield* secretIn("tenant"))._tag, "None")
          }),
        180_000
      )
    })
  })
}
