// manifests/overlays/verify on a real API server: its pod is let in, its rights are enough for the command and no more, and it is kept
// and taken out with the controller.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { cli, folder } from "../cli/Cli.ts"
import { eventually } from "../support/Eventually.ts"
import { Stage, user } from "../support/Stage.ts"
import * as W from "../support/World.ts"
import { kubeconfigOf, kubectl, make, place, skipped } from "./Place.ts"

const own = ["-n", "image-cloner"]

/** The resources that its ServiceAccount is given. */
const listed = [
  "cronjobs.batch",
  "daemonsets.apps",
  "deployments.apps",
  "jobs.batch",
  "namespaces",
  "nodes",
  "pods",
  "replicasets.apps",
  "replicationcontrollers",
  "statefulsets.apps"
]

const verifyAs = Effect.fnUntraced(function*(kubeconfig: string) {
  const env = yield* user
  const config = yield* folder({ kubeconfig })
  return yield* cli(["verify", "--kubeconfig", `${config}/kubeconfig`], { env })
})

describe.skipIf(skipped)("the overlay for verify", () => {
  it.layer(place, { timeout: "90 seconds", excludeTestServices: true })((it) => {
    it.effect("is accepted whole, and its pods pass pod security", () =>
      Effect.gen(function*() {
        const applied = yield* kubectl("apply", "-k", "manifests/overlays/verify")
        assert.deepStrictEqual([applied.code, applied.stderr], [0, ""])
        yield* kubectl("create", "-f", "manifests/configuration")
        const job = yield* kubectl(...own, "create", "job", "--from=cronjob/image-cloner-verify", "try")
        assert.deepStrictEqual([job.code, job.stderr], [0, ""])
        yield* eventually(
          "no pod of verify",
          kubectl(...own, "get", "pods", "-l", "app.kubernetes.io/name=image-cloner-verify", "-o", "name"),
          (it) => it.stdout.startsWith("pod/")
        )
        // no Service and no budget of the controller's means it
        const selected = yield* kubectl(
          ...own,
          "get",
          "pods",
          "-l",
          "app.kubernetes.io/name=image-cloner",
          "-o",
          "name"
        )
        assert.strictEqual(selected.stdout, "")
      }))

    it.effect("lets it list what runs, and nothing else", () =>
      Effect.gen(function*() {
        const account = "--as=system:serviceaccount:image-cloner:image-cloner-verify"
        const rights = yield* kubectl("auth", "can-i", "--list", account)
        const given = rights.stdout.split("\n").filter((line) => /^[a-z.]+ /.test(line))
          .filter((line) => !/selfsubject|authorization|authentication/.test(line))
          .map((line) => `${line.split(" ")[0]} ${/\[[^[]*\]$/.exec(line.trimEnd())?.[0]}`)
        assert.deepStrictEqual(given.toSorted(), listed.map((it) => `${it} [list]`))
      }))

    it.effect("gives the command what it needs, of which nothing can be left out", () =>
      Effect.gen(function*() {
        const { upstream } = yield* Stage
        yield* upstream.load("shop/web", SampleImage.image("shop web"), "1")
        const image = `${upstream.host}/shop/web:1`
        yield* W.namespace("shop")
        yield* W.make("Deployment", { namespace: "shop", name: "web", image })
        yield* W.settled("shop", "web")
        const kubeconfig = yield* kubeconfigOf("image-cloner-verify")
        const seen = yield* verifyAs(kubeconfig)
        assert.include(seen.stdout, `${image} only at the source`)
        assert.notInclude(seen.stderr, "does not let us see")
        assert.strictEqual(seen.code, 1)
        const role = "clusterrole/image-cloner-verify"
        const rules: ReadonlyArray<{ readonly resources: ReadonlyArray<string> }> = JSON.parse(
          (yield* kubectl("get", role, "-o", "jsonpath={.rules}")).stdout
        )
        for (const [index, { resources }] of rules.entries()) {
          const without = JSON.stringify([{ op: "remove", path: `/rules/${index}` }])
          yield* kubectl("patch", role, "--type=json", `-p=${without}`)
          const { stderr } = yield* eventually(
            `${resources.join()} can still be seen`,
            verifyAs(kubeconfig),
            (it) => it.stderr.includes("does not let us see")
          )
          for (const it of resources) assert.include(stderr, it)
          yield* kubectl("apply", "-k", "manifests/overlays/verify")
          yield* eventually("rights are not back", verifyAs(kubeconfig), (it) => !it.stderr.includes("let us see"))
        }
      }).pipe(Effect.scoped), 120_000)

    it.effect(
      "has the controller's image after `make deploy`, and goes with `make undeploy`",
      () =>
        Effect.gen(function*() {
          const IMAGE = "registry.example/image-cloner:2"
          const secret = yield* kubectl(...own, "create", "secret", "generic", "docker-configuration")
          assert.strictEqual(secret.code, 0)
          const deployed = yield* make("deploy", { IMAGE })
          assert.strictEqual(deployed.code, 0, deployed.stderr)
          for (const it of ["cronjob/image-cloner-verify", "deployment/image-cloner-controller"]) {
            const image = yield* kubectl(...own, "get", it, "-o", "jsonpath={..containers[0].image}")
            assert.strictEqual(image.stdout, IMAGE)
          }
          const out = yield* make("undeploy")
          assert.strictEqual(out.code, 0, out.stderr)
          const left = yield* kubectl("get", "namespaces,clusterroles,clusterrolebindings", "-o", "name")
          assert.notInclude(left.stdout, "image-cloner")
        }),
      120_000
    )
  })
})
