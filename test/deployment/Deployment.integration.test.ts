// The manifests on a real API server with RBAC and pod security: accepted whole, and rights that are enough and no more.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as J from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { copyOf, daemon, namespace, Stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import * as W from "../support/World.ts"
import { applied, kubectl, ownKubeconfig, place, podsMade, skipped } from "./Place.ts"

describe.skipIf(skipped)("the deployment", () => {
  it.layer(place, { timeout: "90 seconds", excludeTestServices: true })((it) => {
    it.effect("is accepted whole, with pod security restricted and without a warning", () =>
      Effect.gen(function*() {
        const [said] = applied
        assert.deepStrictEqual(said?.stderr, "")
        assert.strictEqual(said?.code, 0)
        assert.deepStrictEqual(said?.stdout.trim().split("\n").toSorted(), [
          "clusterrole.rbac.authorization.k8s.io/image-cloner-controller created",
          "clusterrolebinding.rbac.authorization.k8s.io/image-cloner-controller created",
          "deployment.apps/image-cloner-controller created",
          "namespace/image-cloner created",
          "service/image-cloner-controller created",
          "serviceaccount/image-cloner-controller created"
        ])
        assert.match(podsMade[0] ?? "", /^pod\/image-cloner-controller-/)
        const configuration = yield* kubectl("create", "--dry-run=server", "-f", "manifests/configuration")
        assert.deepStrictEqual([configuration.code, configuration.stderr], [0, ""])
      }))

    it.effect("lets the controller look, patch images and make Events, and nothing else", () =>
      Effect.gen(function*() {
        const rights = yield* kubectl(
          "auth",
          "can-i",
          "--list",
          "--as=system:serviceaccount:image-cloner:image-cloner-controller"
        )
        const own = rights.stdout.split("\n").filter((line) => /^[a-z0-9.]+ /.test(line))
          .filter((line) => !/selfsubject|authorization|authentication/.test(line))
          .map((line) => `${line.split(" ")[0]} ${/\[[^[]*\]$/.exec(line.trimEnd())?.[0]}`)
        assert.deepStrictEqual(own.toSorted(), [
          "cronjobs.batch [get list watch patch]",
          "daemonsets.apps [get list watch patch]",
          "deployments.apps [get list watch patch]",
          "events [list]",
          "events.events.k8s.io [create patch]",
          "jobs.batch [get list watch]",
          "namespaces [get list watch]",
          "nodes [get list watch]",
          "poddisruptionbudgets.policy [get list watch]",
          "pods [get list watch]",
          "replicasets.apps [get list watch patch]",
          "replicationcontrollers [get list watch patch]",
          "serviceaccounts [get list watch]",
          "statefulsets.apps [get list watch patch]"
        ])
      }))

    it.effect(
      "gives the daemon all the rights that its whole job needs",
      () =>
        Effect.gen(function*() {
          const stageNow = yield* Stage
          const { upstream } = stageNow
          yield* upstream.load("shop/web", SampleImage.twoPlatforms("shop web"), "1")
          const image = `${upstream.host}/shop/web:1`
          yield* namespace("shop")
          const rolling = ["Deployment", "DaemonSet", "StatefulSet"] as const
          for (const kind of rolling) yield* W.make(kind, { namespace: "shop", name: kind.toLowerCase(), image })
          yield* W.create("CronJob", "shop", {
            metadata: { name: "cron" },
            spec: {
              schedule: "0 0 1 1 *",
              jobTemplate: {
                spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "app", image }] } } }
              }
            }
          })
          for (const kind of rolling) yield* W.settled("shop", kind.toLowerCase())

          const it = yield* daemon(["shop"], {}, yield* ownKubeconfig)
          const copy = copyOf(stageNow, "shop/web", "1")
          for (const kind of rolling) {
            yield* eventually(
              `${kind} is not rewritten`,
              W.imageNow(kind, "shop", kind.toLowerCase()),
              (now) => now === copy
            )
            const status = yield* kubectl(
              "-n",
              "shop",
              "rollout",
              "status",
              `${kind}/${kind.toLowerCase()}`,
              "--timeout=60s"
            )
            assert.deepStrictEqual([status.code, status.stderr], [0, ""])
          }
          yield* eventually(
            "the CronJob is not rewritten",
            kubectl(
              "-n",
              "shop",
              "get",
              "cronjob/cron",
              "-o",
              "jsonpath={.spec.jobTemplate.spec.template.spec.containers[0].image}"
            ),
            (now) => now.stdout === copy
          )
          const described = yield* eventually(
            "the old pod stays",
            kubectl("-n", "shop", "describe", "pod", "-l", "app=deployment"),
            (now) => now.stdout.match(/^Name:/gm)?.length === 1 && now.stdout.includes(copy)
          )
          assert.include(described.stdout, `image-cloner.io/original-images: {"app":"${image}"}`)

          assert.strictEqual(yield* it.metric(`image_cloner_rewrites_total{result="rewritten"}`), 4)
          assert.strictEqual(yield* it.metric(`image_cloner_rewrites_total{result="denied"}`), 0)
          assert.strictEqual(yield* it.metric(`image_cloner_rewrites_total{result="failed"}`), 0)
          assert.strictEqual(yield* it.metric(`image_cloner_kube_requests_total{method="GET",code="4xx"}`), 0)
          const lines = it.log.map((line) => [J.text(line, "level") ?? "", J.text(line, "message") ?? ""] as const)
          const troubled = lines.filter(([level, message]) =>
            /forbidden|unauthorized|\b40[13]\b/i.test(message) ||
            // a server that is young or busy asks watches to wait, or ends them; it is no matter of rights
            (!/info/i.test(level) && !/^watching \w+ has trouble/.test(message))
          )
          assert.deepStrictEqual(troubled, [], troubled.join("; "))
          assert.include(yield* it.http("/readyz"), "readyz check passed")
        }),
      180_000
    )

    it.effect(
      "without the right to see pods touches nothing, says so, and goes on when it has it again",
      () =>
        Effect.gen(function*() {
          const stageNow = yield* Stage
          const { upstream } = stageNow
          const see = (...resources: ReadonlyArray<string>) =>
            kubectl(
              "patch",
              "clusterrole",
              "image-cloner-controller",
              "--type=json",
              `-p=${JSON.stringify([{ op: "replace", path: "/rules/0/resources", value: resources }])}`
            )
          const others = ["namespaces", "nodes", "replicationcontrollers", "serviceaccounts"]
          for (const tag of ["v1", "v2"]) yield* upstream.load("blind/web", SampleImage.image(`blind ${tag}`), tag)
          yield* namespace("blind")
          const of = (tag: string) => `${upstream.host}/blind/web:${tag}`
          yield* W.make("Deployment", { namespace: "blind", name: "web", image: of("v1") })
          yield* W.settled("blind", "web")

          yield* see(...others)
          const it = yield* daemon(["blind"], { BACKUP_PULL_BY: "nodes" }, yield* ownKubeconfig)
          yield* eventually(
            "no word about what cannot be seen",
            () => it.about("Deployment/blind/web").join("\n"),
            (text) => text.includes("unseen: pods cannot be seen")
          )
          yield* kubectl("-n", "blind", "set", "image", "deployment/web", `app=${of("v2")}`)
          yield* Effect.sleep("5 seconds")
          assert.strictEqual(yield* W.imageNow("Deployment", "blind", "web"), of("v2"))
          assert.include(yield* it.http("/readyz"), "does not let us see pods")

          yield* see(...others, "pods")
          // a kind that was refused is asked for again every half minute
          yield* eventually(
            "not rewritten",
            W.imageNow("Deployment", "blind", "web"),
            (now) => now === copyOf(stageNow, "blind/web", "v2"),
            "90 seconds"
          )
          assert.include(yield* it.http("/readyz"), "readyz check passed")
        }),
      180_000
    )
  })
})
