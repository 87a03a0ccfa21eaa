// The restore command of the bundled program: what it asks for, and how it ends.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Path } from "effect"
import * as Sandbox from "../sandbox/support/Sandbox.ts"
import { cli, folder } from "./Cli.ts"

const env = { BACKUP_REGISTRY: "registry.example.com/backup" }

describe("restore", () => {
  it.layer(NodeServices.layer, { excludeTestServices: true })((it) => {
    it.effect(
      "ends with 2 unless one thing is named, and names what it wants, contacting nobody",
      () =>
        Effect.gen(function*() {
          const wrong = [
            [],
            ["--all", "-n", "shop"],
            ["--all", "Deployment/shop/web"],
            ["-n", "shop", "Deployment/shop/web"],
            ["Deployment/shop"],
            ["Service/shop/web"],
            ["--nosuch"]
          ]
          for (const args of wrong) {
            const it = yield* cli(["restore", ...args], { env })
            assert.deepStrictEqual([it.code, it.stdout], [2, ""], args.join(" "))
            assert.notStrictEqual(it.stderr, "")
          }
          assert.include((yield* cli(["restore"], { env })).stderr, "either --all, or --namespace NAME")
          assert.include((yield* cli(["restore", "Service/shop/web"], { env })).stderr, "there is no kind \"Service\"")
        }),
      30_000
    )

    it.effect(
      "changes nothing where it may not see everything, and wants no more than the namespace it was named",
      () =>
        Effect.gen(function*() {
          const { client, cluster } = yield* Sandbox.cluster()
          yield* Effect.provideContext(
            Sandbox.post("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } }),
            client
          )
          const read = ["get", "list"] as const
          const token = yield* cluster.addUser({
            name: "somebody",
            rules: [
              {
                groups: ["apps"],
                resources: ["deployments", "daemonsets", "statefulsets", "replicasets"],
                verbs: read
              },
              { groups: ["batch"], resources: ["cronjobs", "jobs"], verbs: read },
              { groups: [""], resources: ["replicationcontrollers"], verbs: read }
            ]
          })
          const path = yield* Path.Path
          const kubeconfig = path.join(yield* folder({ config: cluster.kubeconfig(token) }), "config")
          const it = yield* cli(["restore", "--kubeconfig", kubeconfig, "-n", "shop"], { env })
          assert.deepStrictEqual([it.code, it.stdout], [1, ""])
          assert.include(it.stderr, "does not let us see the pods of shop")

          const whole = path.join(yield* folder({ config: cluster.kubeconfig(cluster.adminToken) }), "config")
          const done = yield* cli(["restore", "--kubeconfig", whole, "-n", "shop"], { env })
          assert.deepStrictEqual([done.code, done.stderr], [0, ""])
          assert.include(done.stdout, "0 restored, 0 left")
          // without a controller in the cluster there is nothing to switch off
          assert.strictEqual((yield* cli(["restore", "--kubeconfig", whole, "--all"], { env })).code, 0)
          const dry = yield* cli(["restore", "--kubeconfig", whole, "--all"], { env: { ...env, DRY_RUN: "true" } })
          assert.include(dry.stderr, "DRY_RUN is on: nothing is changed.")
          const gone = yield* cli(["restore", "--kubeconfig", whole, "deployment/shop/gone"], { env })
          assert.strictEqual(gone.code, 1)
          assert.match(gone.stdout, /Deployment\/shop\/gone +not-found/)
        }),
      30_000
    )
  })
})
