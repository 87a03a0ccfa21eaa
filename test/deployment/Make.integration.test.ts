// `make deploy` and `make undeploy` as people type them, against a real API server.
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Path } from "effect"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { cli } from "../cli/Cli.ts"
import { login, namespace, Stage } from "../support/Stage.ts"
import * as W from "../support/World.ts"
import { kubectl, make, place, skipped } from "./Place.ts"

const configured = kubectl(
  "-n",
  "image-cloner",
  "get",
  "configmap/image-cloner-configuration",
  "-o",
  "jsonpath={.data}"
)
const imageOf = kubectl(
  "-n",
  "image-cloner",
  "get",
  "deployment/image-cloner-controller",
  "-o",
  "jsonpath={.spec.template.spec.containers[0].image} {.spec.strategy.type} {.spec.replicas}"
)

/** A config.json with a login for the backup, in a folder of its own. */
const configJson = (content: unknown) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const file = path.join(yield* fs.makeTempDirectoryScoped({ prefix: "image-cloner-test-" }), "config.json")
    yield* fs.writeFileString(file, JSON.stringify(content))
    return file
  })

describe.skipIf(skipped)("make", () => {
  it.layer(place, { timeout: "90 seconds", excludeTestServices: true })((it) => {
    it.effect(
      "deploys once told what it needs, never overwrites what is configured, and warns when it takes it out",
      () =>
        Effect.gen(function*() {
          const { backup, controlPlane, upstream } = yield* Stage
          yield* kubectl("delete", "-k", "manifests/base")
          yield* upstream.load("tools/image-cloner", SampleImage.image("the controller"), "1")
          yield* upstream.load("tools/image-cloner", SampleImage.image("the next controller"), "2")
          const IMAGE = `${upstream.host}/tools/image-cloner:1`
          const BACKUP_REGISTRY = `${backup.host}/copies`

          const nothing = yield* make("deploy")
          assert.notStrictEqual(nothing.code, 0)
          assert.match(nothing.stderr, /IMAGE=.* BACKUP_REGISTRY=.* DOCKER_CONFIG_JSON=/)
          const helper = yield* make("deploy", {
            IMAGE,
            BACKUP_REGISTRY,
            DOCKER_CONFIG_JSON: yield* configJson({ auths: { [backup.host]: {} }, credsStore: "desktop" })
          })
          assert.notStrictEqual(helper.code, 0)
          assert.include(helper.stderr, "holds no login")
          const absent = yield* make("deploy", { IMAGE, BACKUP_REGISTRY, DOCKER_CONFIG_JSON: "/nowhere" })
          assert.notStrictEqual(absent.code, 0)
          assert.include(absent.stderr, "/nowhere cannot be read")
          assert.strictEqual((yield* kubectl("get", "namespace", "image-cloner", "--ignore-not-found")).stdout, "")

          const auth = Buffer.from(`${login.username}:${login.password}`).toString("base64")
          const DOCKER_CONFIG_JSON = yield* configJson({ auths: { [backup.host]: { auth } } })
          const first = yield* make("deploy", { IMAGE, BACKUP_REGISTRY, DOCKER_CONFIG_JSON })
          assert.deepStrictEqual([first.code, first.stderr], [0, ""])
          const data: Record<string, string> = JSON.parse((yield* configured).stdout)
          assert.strictEqual(data["BACKUP_REGISTRY"], BACKUP_REGISTRY)
          assert.strictEqual(data["DRY_RUN"], "true")
          assert.strictEqual((yield* imageOf).stdout, `${IMAGE} Recreate 1`)
          const rolled = yield* kubectl(
            "-n",
            "image-cloner",
            "rollout",
            "status",
            "deployment/image-cloner-controller",
            "--timeout=60s"
          )
          assert.strictEqual(rolled.code, 0)

          // without BACKUP_REGISTRY of its own, plan takes the settings of the cluster's controller
          const planned = yield* cli(["plan", "--kubeconfig", controlPlane.kubeconfigFile, "-o", "json"])
          assert.deepStrictEqual([planned.code, planned.stderr], [0, ""])
          const rows: { readonly rows: ReadonlyArray<{ readonly namespace: string; readonly reason: string }> } = JSON
            .parse(planned.stdout)
          assert.deepStrictEqual(
            rows.rows.map((it) => [it.namespace, it.reason]),
            [["image-cloner", "namespace-ignored"]]
          )

          const change = yield* kubectl(
            "-n",
            "image-cloner",
            "patch",
            "configmap",
            "image-cloner-configuration",
            "--type",
            "merge",
            "-p",
            `{"data":{"DRY_RUN":"false"}}`
          )
          assert.strictEqual(change.code, 0)
          const next = `${upstream.host}/tools/image-cloner:2`
          const second = yield* make("deploy", { IMAGE: next, BACKUP_REGISTRY: "elsewhere.example/x" })
          assert.deepStrictEqual([second.code, second.stderr], [0, ""])
          assert.include(second.stdout, "configmap/image-cloner-configuration is there and stays as it is")
          assert.include(second.stdout, "docker-configuration is there and stays as it is")
          const kept: Record<string, string> = JSON.parse((yield* configured).stdout)
          assert.deepStrictEqual(kept, { ...data, DRY_RUN: "false" })
          assert.strictEqual((yield* imageOf).stdout, `${next} Recreate 1`)
          const third = yield* make("deploy")
          assert.strictEqual(third.code, 0)
          assert.strictEqual((yield* imageOf).stdout, `${next} Recreate 1`)

          yield* namespace("shop")
          const copy = `${backup.host}/copies/docker.io/library/web:1`
          for (const name of ["uses-it", "neither"]) {
            const image = name === "neither" ? `${upstream.host}/tools/image-cloner:1` : copy
            yield* W.make("Deployment", { namespace: "shop", name, image, replicas: 0 })
          }
          const out = yield* make("undeploy")
          assert.strictEqual(out.code, 0)
          assert.include(out.stderr, `these use the backup ${BACKUP_REGISTRY}`)
          assert.include(out.stderr, "  Deployment/shop/uses-it\n")
          assert.notInclude(out.stderr, "neither")
          assert.notInclude(out.stderr, "ReplicaSet")
          const left = yield* kubectl("get", "namespace,clusterrole,clusterrolebinding", "-o", "name")
          assert.notInclude(left.stdout, "image-cloner")
          assert.include((yield* kubectl("-n", "shop", "get", "deployments", "-o", "name")).stdout, "uses-it")
        }).pipe(Effect.scoped),
      180_000
    )
  })
})
