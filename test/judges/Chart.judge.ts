// Our own chart on a real control plane, by Helm 3 and Helm 4: installed, upgraded, rolled back and taken out, with webhooks that are
// filled in, with one replica that becomes two, with hands that changed what is Helm's, and after `make deploy`.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as J from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { make } from "../deployment/Place.ts"
import { eventually } from "../support/Eventually.ts"
import { Stage, stage } from "../support/Stage.ts"
import * as W from "../support/World.ts"
import { done, filledIn, fillIn, kubectl, objectOf, own, shape, typed } from "./ChartRelease.ts"
import { missing, tool } from "./RealTools.ts"

const release = "cloner"
type Values = (tag: string, more?: J.JsonObject) => J.JsonObject

const settingsOf = (settings: J.JsonObject = {}) => ({ BACKUP_REGISTRY: "registry.example/backup", ...settings })

const prepare = Effect.gen(function*() {
  const { upstream } = yield* Stage
  for (const tag of ["1", "2"]) yield* upstream.load("tools/image-cloner", SampleImage.image(`controller ${tag}`), tag)
  yield* kubectl("create", "namespace", own)
  yield* kubectl("label", "namespace", own, "pod-security.kubernetes.io/enforce=restricted")
  const values: Values = (tag, more = {}) => ({
    image: { repository: `${upstream.host}/tools/image-cloner`, tag },
    settings: settingsOf(),
    ...more
  })
  return values
})

const setting = (key: string) =>
  Effect.map(objectOf("configmap/image-cloner-configuration"), (it) => J.text(it, "data", key))

const everything =
  "deployments,services,configmaps,serviceaccounts,roles,rolebindings,networkpolicies,poddisruptionbudgets,clusterroles," +
  "clusterrolebindings,mutatingwebhookconfigurations,validatingwebhookconfigurations"

/** Names of ours that are still there. */
const left = Effect.map(
  kubectl("get", everything, "-o", "name"),
  (it) => it.split("\n").filter((name) => name.includes("image-cloner"))
)

const noPods = eventually("pods stay", kubectl("get", "pods", "-o", "name"), (it) => it === "")

const emptied = Effect.gen(function*() {
  assert.deepStrictEqual(yield* left, [])
  yield* noPods
})

const life = Effect.fnUntraced(function*(helm: string, values: Values) {
  const notes = yield* done(helm, ["install", release], values("1"))
  assert.include(notes, "DRY_RUN is on")
  const { image = "", ...alone } = yield* shape
  assert.deepStrictEqual(alone, { replicas: 1, strategy: "Recreate", elects: false, webhook: false })
  assert.strictEqual(yield* setting("DRY_RUN"), "true")

  const admission = { admission: { enabled: true } }
  yield* done(helm, ["upgrade", release], values("1", admission))
  assert.deepStrictEqual(yield* filledIn, [0, 0])
  yield* fillIn
  yield* done(helm, ["upgrade", release], values("2", { ...admission, settings: settingsOf({ DRY_RUN: "false" }) }))
  assert.strictEqual((yield* shape).image, image.replace(/:1$/, ":2"))
  assert.strictEqual(yield* setting("DRY_RUN"), "false")
  assert.deepStrictEqual(yield* filledIn, [1, 1])
  yield* done(helm, ["rollback", release, "2"])
  assert.deepStrictEqual(yield* shape, { image, replicas: 1, strategy: "Recreate", elects: false, webhook: true })
  assert.strictEqual(yield* setting("DRY_RUN"), "true")
  assert.deepStrictEqual(yield* filledIn, [1, 1])
})

const twoReplicas = Effect.fnUntraced(
  function*(helm: string, values: Values) {
    const two = values("1", { highAvailability: { enabled: true } })
    const tooSoon = yield* typed(helm, ["upgrade", release], two)
    assert.notStrictEqual(tooSoon.code, 0)
    assert.include(tooSoon.stderr, "a controller that elects no leader is running")
    assert.strictEqual((yield* shape).replicas, 1)
    yield* done(helm, ["upgrade", release], values("1", { admission: { enabled: true }, replicas: 0 }))
    yield* noPods
    yield* done(helm, ["upgrade", release], two)
    const { image, ...available } = yield* shape
    assert.deepStrictEqual(available, { replicas: 2, strategy: "RollingUpdate", elects: true, webhook: true })
    yield* done(helm, ["upgrade", release], values("2", { highAvailability: { enabled: true } }))
    assert.deepStrictEqual(yield* filledIn, [1, 1])
    // back again: a replica of before is never beside a leader
    yield* done(helm, ["upgrade", release], values("1", { admission: { enabled: true } }))
    assert.deepStrictEqual(yield* shape, { image, replicas: 1, strategy: "Recreate", elects: false, webhook: true })
  }
)

/** What is said of changes by hand in docs/operations.md. */
const byHand = Effect.fnUntraced(
  function*(helm: string, undoes: boolean, values: Values) {
    yield* kubectl(
      "patch",
      "configmap/image-cloner-configuration",
      "--type=merge",
      "-p={\"data\":{\"DRY_RUN\":\"false\"}}"
    )
    const upgraded = yield* typed(helm, ["upgrade", release], values("1", { admission: { enabled: true } }))
    if (undoes) assert.deepStrictEqual([upgraded.code, yield* setting("DRY_RUN")], [0, "true"])
    else {
      assert.notStrictEqual(upgraded.code, 0)
      assert.match(upgraded.stderr, /conflict.*kubectl-patch[\s\S]*\.data\.DRY_RUN/)
      assert.strictEqual(yield* setting("DRY_RUN"), "false")
      const followed = values("1", { admission: { enabled: true }, settings: settingsOf({ DRY_RUN: "false" }) })
      yield* done(helm, ["upgrade", release], followed)
    }
    assert.deepStrictEqual(yield* filledIn, [1, 1])
    const settings = settingsOf({ DRY_RUN: "false" })
    yield* kubectl("scale", "deployment/image-cloner-controller", "--replicas=0")
    yield* done(helm, ["upgrade", release], values("1", { admission: { enabled: true }, settings }))
    assert.strictEqual((yield* shape).replicas, 1)
  }
)

/** Replaced objects are as the chart has them; the controller, which does not run here, fills in again what it lost. */
const replaced = Effect.fnUntraced(function*(helm: string, force: ReadonlyArray<string>, values: Values) {
  yield* done(helm, ["upgrade", release, ...force], values("2", { admission: { enabled: true } }))
  assert.deepStrictEqual(yield* filledIn, [0, 0])
})

const takenOver = Effect.fnUntraced(
  function*(helm: string, force: ReadonlyArray<string>, values: Values) {
    const { upstream } = yield* Stage
    yield* kubectl("create", "secret", "generic", "docker-configuration", "--from-literal=config.json={}")
    const IMAGE = `${upstream.host}/tools/image-cloner:1`
    const deployed = yield* make("deploy", { IMAGE, BACKUP_REGISTRY: "registry.example/other" })
    assert.strictEqual(deployed.code, 0, deployed.stderr)
    yield* kubectl("rollout", "status", "deployment/image-cloner-controller", "--timeout=60s")
    const revision = Effect.map(
      objectOf("deployment/image-cloner-controller"),
      (it) => J.text(it, "metadata", "annotations", "deployment.kubernetes.io/revision")
    )
    const before = yield* revision
    const refused = yield* typed(helm, ["install", release], values("1"))
    assert.notStrictEqual(refused.code, 0)
    yield* done(
      helm,
      ["install", release, "--take-ownership", ...force],
      values("1", { configuration: { create: false } })
    )
    assert.deepStrictEqual([yield* revision, yield* setting("BACKUP_REGISTRY")], [before, "registry.example/other"])
    yield* done(helm, ["uninstall", release])
    yield* noPods
    // what was never Helm's stays
    assert.deepStrictEqual(yield* left, ["configmap/image-cloner-configuration"])
    assert.include(yield* kubectl("get", "secrets", "-o", "name"), "secret/docker-configuration")
  }
)

const real = W.controlPlanes.filter((it) => it.name !== "the sandbox")

for (const place of real) {
  for (const name of ["helm3", "helm4"] as const) {
    describe.skipIf(missing !== "")(`our chart by ${name} on ${place.name}${missing}`, () => {
      it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
        it.effect(
          "is installed, upgraded, rolled back and taken out, and leaves to the controller what is the controller's",
          () =>
            Effect.gen(function*() {
              const helm = tool(name)
              const values = yield* prepare
              yield* life(helm, values)
              yield* twoReplicas(helm, values)
              yield* byHand(helm, name === "helm3", values)
              yield* replaced(helm, name === "helm3" ? ["--force"] : ["--force-replace", "--server-side=false"], values)
              yield* done(helm, ["uninstall", release])
              yield* emptied
              yield* takenOver(helm, name === "helm3" ? [] : ["--force-conflicts"], values)
            }),
          300_000
        )
      })
    })
  }
}
