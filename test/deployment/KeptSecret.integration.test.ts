// manifests/pull-secret on a real API server with RBAC: rights that are enough to keep a pull secret in namespaces, each of them needed;
// what is somebody else's stays as it is.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { makeKeepPullSecret } from "../../src/access/KeepPullSecret.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import { basic } from "../../src/registry/auth/DockerConfig.ts"
import { settingsOf } from "../../src/settings/Settings.ts"
import { WorkloadStore } from "../../src/store/WorkloadStore.ts"
import { projectAccount, projectNamespace } from "../../src/workload/ProjectSurroundings.ts"
import * as J from "../../sandbox/Json.ts"
import { folder } from "../cli/Cli.ts"
import { eventually } from "../support/Eventually.ts"
import { workload } from "../support/Objects.ts"
import * as W from "../support/World.ts"
import { kubectl, ownKubeconfig, place, skipped } from "./Place.ts"

const name = "image-cloner-pull"
const settings = settingsOf("registry.example.com/copies", { PULL_SECRET: name })

/** One look of a controller that has just started, with its own rights; answers what it logged. */
const lookAt = Effect.fnUntraced(function*(namespaces: ReadonlyArray<string>) {
  const log: Array<string> = []
  const config = yield* folder({ kubeconfig: yield* ownKubeconfig })
  const seen = yield* Effect.forEach(namespaces, (namespace) =>
    Effect.all({
      namespace: W.get("Namespace", "", namespace),
      account: W.get("ServiceAccount", namespace, "default")
    }))
  yield* Effect.gen(function*() {
    const store = yield* WorkloadStore
    for (const { account, namespace } of seen) {
      store.putNamespace(projectNamespace(namespace) ?? assert.fail())
      store.putAccount(projectAccount(account) ?? assert.fail())
    }
    for (const namespace of namespaces) store.putWorkload(workload({ namespace }))
    for (const resource of ["namespaces", "serviceaccounts"]) store.markSynced(resource)
    const keep = yield* makeKeepPullSecret({
      ownNamespace: "image-cloner",
      mayWrite: Effect.succeed(true),
      logins: () => Effect.succeed([basic("pusher", "push-word")])
    })
    yield* keep(settings)
  }).pipe(Effect.provide(Layer.mergeAll(
    WorkloadStore.layer,
    Layer.provide(KubeClient.layer({ kubeconfig: `${config}/kubeconfig` }), NodeServices.layer),
    Logger.layer([Logger.make(({ message }) => void log.push(String(message)))])
  )))
  return log.join("\n")
})

const look = (...namespaces: ReadonlyArray<string>) => Effect.scoped(lookAt(namespaces))

const listOf = (namespace: string) =>
  Effect.map(
    W.get("ServiceAccount", namespace, "default"),
    (it) => J.list(it, "imagePullSecrets").map((entry) => J.text(entry, "name"))
  )

const dataOf = (namespace: string) =>
  Effect.map(W.get("Secret", namespace, name), (it) => J.text(it, "data", ".dockerconfigjson"))

const login = (namespace: string, password: string) =>
  kubectl(
    "-n",
    namespace,
    "create",
    "secret",
    "docker-registry",
    name,
    "--docker-server=registry.example.com",
    "--docker-username=puller",
    `--docker-password=${password}`
  )

describe.skipIf(skipped)("the rights for the pull secret", () => {
  it.layer(place, { timeout: "90 seconds", excludeTestServices: true })((it) => {
    it.effect("are enough to keep it, and nothing that is somebody else's is written", () =>
      Effect.gen(function*() {
        const applied = yield* kubectl("apply", "-k", "manifests/pull-secret")
        assert.deepStrictEqual([applied.code, applied.stderr], [0, ""])
        yield* login("image-cloner", "pull-word")
        for (const namespace of ["shop", "taken", "held"]) yield* W.namespace(namespace)
        yield* login("taken", "their-word")
        const theirs = yield* dataOf("taken")
        yield* W.apply("argocd", "ServiceAccount", "held", "default", { imagePullSecrets: [{ name: "theirs" }] })
        const log = yield* eventually(
          "the rights are not there",
          look("shop", "taken", "held"),
          (lines) => !lines.includes("403")
        )
        assert.strictEqual(yield* dataOf("shop"), yield* dataOf("image-cloner"))
        assert.deepStrictEqual(yield* listOf("shop"), [name])
        assert.strictEqual(yield* dataOf("taken"), theirs)
        assert.deepStrictEqual(yield* listOf("taken"), [])
        assert.deepStrictEqual(yield* listOf("held"), ["theirs"])
        assert.include(log, `taken: Secret ${name} is not done: a Secret of that name is there without the label`)
        assert.include(log, `ServiceAccount held/default: its pull secrets are not ours: add "- name: ${name}"`)
        assert.notInclude(log, "word")
      }), 60_000)

    it.effect("bring a change over, behind what others have put into the list", () =>
      Effect.gen(function*() {
        yield* kubectl("-n", "image-cloner", "delete", "secret", name)
        yield* login("image-cloner", "next-word")
        yield* W.namespace("listed")
        // a list that nobody holds: whoever made it has cleared its managedFields
        yield* W.jsonPatch("somebody", "ServiceAccount", "listed", "default", [
          { op: "add", path: "/imagePullSecrets", value: [{ name: "theirs" }] }
        ])
        yield* W.jsonPatch("somebody", "ServiceAccount", "listed", "default", [
          { op: "replace", path: "/metadata/managedFields", value: [{}] }
        ])
        assert.strictEqual(yield* look("shop", "listed"), "")
        assert.strictEqual(yield* dataOf("shop"), yield* dataOf("image-cloner"))
        assert.deepStrictEqual(yield* listOf("listed"), ["theirs", name])
        assert.strictEqual(yield* look("shop", "listed"), "")
        assert.deepStrictEqual(yield* listOf("listed"), ["theirs", name])
      }), 60_000)

    it.effect("are each needed", () =>
      Effect.gen(function*() {
        const deleted = kubectl("-n", "shop", "delete", "secret", name)
        const unnamed = kubectl(
          "-n",
          "shop",
          "patch",
          "serviceaccount",
          "default",
          "-p",
          "{\"imagePullSecrets\":null}",
          "--field-manager=image-cloner"
        )
        const rules = [
          ["role", 0, Effect.void, "may not be read (403)"],
          ["clusterrole", 0, deleted, `Secret ${name} is refused (403)`],
          ["clusterrole", 1, Effect.void, `Secret ${name} is refused (403)`],
          ["clusterrole", 2, unnamed, "naming the pull secret is refused (403)"]
        ] as const
        for (const [role, index, before, said] of rules) {
          const without = JSON.stringify([{ op: "remove", path: `/rules/${index}` }])
          yield* kubectl(
            "-n",
            "image-cloner",
            "patch",
            role,
            "image-cloner-pull-secret",
            "--type=json",
            `-p=${without}`
          )
          yield* eventually(
            `rule ${index} of the ${role} is not needed`,
            Effect.andThen(before, look("shop")),
            (lines) => lines.includes(said)
          )
          yield* kubectl("apply", "-k", "manifests/pull-secret")
          yield* eventually("rights are not back", look("shop"), (lines) => lines === "")
        }
      }), 120_000)
  })
})
