// The daemon end to end, on the sandbox and on a real control plane: it is the bundled program, as a process.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as J from "../../sandbox/Json.ts"
import * as EmbeddedRegistry from "../../sandbox/registry/EmbeddedRegistry.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { copyOf, daemon, namespace, Stage, stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import * as W from "../support/World.ts"

const isCopied = (prefix: string) => (image: string) => image.startsWith(prefix)

for (const place of W.controlPlanes) {
  describe.skipIf(place.skipped)(`the daemon on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect("rewrites every kind, rolls out, and its pods run from the backup", () =>
        Effect.gen(function*() {
          const stageNow = yield* Stage
          const { backup, upstream } = stageNow
          yield* upstream.load("all/web", SampleImage.twoPlatforms("all web"), "1")
          const image = `${upstream.host}/all/web:1`
          yield* namespace("kinds")
          for (const kind of ["Deployment", "DaemonSet", "StatefulSet"] as const) {
            yield* W.make(kind, { namespace: "kinds", name: kind.toLowerCase(), image })
          }
          const template = {
            metadata: { labels: { app: "x" } },
            spec: { containers: [{ name: "app", image }] }
          }
          const selector = { matchLabels: { app: "x" } }
          yield* W.create("ReplicaSet", "kinds", {
            metadata: { name: "rs" },
            spec: { replicas: 0, selector, template }
          })
          yield* W.create("ReplicationController", "kinds", {
            metadata: { name: "rc" },
            spec: { replicas: 0, selector: { app: "x" }, template }
          })
          const job = { template: { spec: { restartPolicy: "Never", containers: [{ name: "app", image }] } } }
          yield* W.create("CronJob", "kinds", {
            metadata: { name: "cron" },
            spec: { schedule: "0 0 1 1 *", jobTemplate: { spec: job } }
          })
          yield* W.create("Job", "kinds", { metadata: { name: "job" }, spec: { ...job, suspend: true } })
          yield* W.create("Pod", "kinds", { metadata: { name: "bare", labels: { app: "bare" } }, spec: template.spec })
          const rolling = ["Deployment", "DaemonSet", "StatefulSet"]
          for (const kind of rolling) yield* W.settled("kinds", kind.toLowerCase())
          const before = yield* W.running("kinds", "deployment")

          const it = yield* daemon(["kinds"])
          const copy = copyOf(stageNow, "all/web", "1")
          for (
            const [each, object] of [
              ...rolling.map((kind) => [kind, kind.toLowerCase()] as const),
              ["ReplicaSet", "rs"] as const,
              ["ReplicationController", "rc"] as const
            ]
          ) {
            yield* eventually(`${each} is not rewritten`, W.imageNow(each, "kinds", object), (it) => it === copy)
          }
          yield* eventually(
            "the CronJob is not rewritten",
            W.get("CronJob", "kinds", "cron"),
            (object) => JSON.stringify(object["spec"]).includes(copy)
          )
          for (const kind of rolling) {
            yield* eventually(
              `${kind} has not rolled out`,
              W.running("kinds", kind.toLowerCase()),
              (pods) => pods.length === 1 && pods.every((pod) => pod.ready && pod.image === copy)
            )
          }
          const after = yield* W.running("kinds", "deployment")
          assert.deepStrictEqual(after.map((pod) => pod.digest), before.map((pod) => pod.digest))
          const deployment = yield* W.get("Deployment", "kinds", "deployment")
          assert.deepStrictEqual(
            J.text(deployment, "spec", "template", "metadata", "annotations", "image-cloner.io/original-images"),
            JSON.stringify({ app: image })
          )
          assert.strictEqual((yield* W.running("kinds", "bare"))[0]?.image, image)
          assert.strictEqual(W.imageOf(yield* W.get("Job", "kinds", "job")), image)
          const repository = `copies/${upstream.host.replace(":", "_")}/all/web`
          assert.strictEqual(backup.resolve(repository, "1"), upstream.resolve("all/web", "1"))
          assert.strictEqual(yield* it.metric("image_cloner_rewrites_total{result=\"rewritten\"}"), 6)
          assert.include(yield* it.http("/readyz"), "readyz check passed")
        }), 120_000)

      it.effect(
        "pins a workload to what its pods run when the tag has moved, and holds it when that is gone",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const { kubelet, upstream } = stageNow
            yield* namespace("moved")
            for (const repository of ["moved/kept", "moved/gone"]) {
              yield* upstream.load(repository, SampleImage.image(`${repository} old`), "1")
              const name = repository.slice(6)
              yield* W.make("Deployment", { namespace: "moved", name, image: `${upstream.host}/${repository}:1` })
              yield* W.settled("moved", name)
            }
            const old = upstream.resolve("moved/kept", "1")
            for (const repository of ["moved/kept", "moved/gone"]) {
              yield* upstream.load(repository, SampleImage.image(`${repository} new`), "1")
            }
            const [ran] = yield* W.running("moved", "gone")
            yield* upstream.remove("moved/gone", ran?.digest ?? "")
            yield* kubelet.puller.prune

            const it = yield* daemon(["moved"])
            const pinned = `${copyOf(stageNow, "moved/kept", "1")}@${old}`
            yield* eventually("not pinned", W.imageNow("Deployment", "moved", "kept"), (image) => image === pinned)
            const pods = yield* eventually(
              "not rolled out",
              W.running("moved", "kept"),
              (all) => all.length === 1 && all.every((pod) => pod.ready && pod.image === pinned)
            )
            assert.deepStrictEqual(pods.map((pod) => pod.digest), [old])
            yield* eventually(
              "no word about the tag",
              () => it.about("Deployment/moved/gone"),
              (lines) => lines.some((line) => line.includes("tag-moved"))
            )
            assert.strictEqual(yield* W.imageNow("Deployment", "moved", "gone"), `${upstream.host}/moved/gone:1`)
          }),
        120_000
      )

      it.effect(
        "rewrites at once what cannot pull because its source is gone, and it runs",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const { kubelet, upstream } = stageNow
            yield* namespace("cure")
            yield* upstream.load("cure/app", SampleImage.image("cure"), "1")
            const image = `${upstream.host}/cure/app:1`
            yield* W.make("Deployment", { namespace: "cure", name: "first", image })
            yield* W.settled("cure", "first")
            yield* Effect.scoped(Effect.gen(function*() {
              yield* daemon(["cure"])
              yield* eventually(
                "the first is not rewritten",
                W.imageNow("Deployment", "cure", "first"),
                isCopied(stageNow.backup.host)
              )
            }))
            yield* upstream.removeRepository("cure/app")
            yield* kubelet.puller.prune
            yield* W.make("Deployment", { namespace: "cure", name: "second", image })
            yield* eventually(
              "the second can pull",
              W.list("Pod", "cure"),
              (pods) => JSON.stringify(pods).includes("ImagePull")
            )
            yield* daemon(["cure"])
            const copy = copyOf(stageNow, "cure/app", "1")
            yield* eventually(
              "the second does not run",
              W.running("cure", "second"),
              (pods) => pods.length === 1 && pods.every((pod) => pod.ready && pod.image === copy)
            )
          }),
        120_000
      )

      it.effect(
        "clones but does not patch what others own, what is critical, and what serves the backup",
        () =>
          Effect.gen(function*() {
            const { backup, upstream } = yield* Stage
            yield* namespace("owned")
            yield* namespace("registry")
            const cases = [
              ["owned", "flux", "managed-by", { labels: { "kustomize.toolkit.fluxcd.io/name": "apps" } }, {}],
              ["owned", "argo", "managed-by", { annotations: { "argocd.argoproj.io/tracking-id": "apps" } }, {}],
              ["owned", "helm", "managed-by", { annotations: { "meta.helm.sh/release-name": "apps" } }, {}],
              ["owned", "critical", "critical", {}, { priorityClassName: "system-cluster-critical" }],
              ["owned", "never", "mode-off", { labels: { "image-cloner.io/rewrite": "never" } }, {}],
              ["registry", "registry", "serves-backup", {}, {}]
            ] as const
            for (const [where, name, , metadata, more] of cases) {
              yield* upstream.load(`owned/${name}`, SampleImage.image(name), "1")
              const image = `${upstream.host}/owned/${name}:1`
              yield* W.make("Deployment", {
                namespace: where,
                name,
                image,
                metadata,
                podSpec: { containers: [{ name: "app", image }], ...more }
              })
            }
            const it = yield* daemon(["owned", "registry"], { BACKUP_NAMESPACES: "registry" })
            for (const [where, name, reason] of cases) {
              const repository = `copies/${upstream.host.replace(":", "_")}/owned/${name}`
              yield* eventually(
                `${name} is not cloned`,
                () => backup.resolve(repository, "1"),
                (digest) => digest === upstream.resolve(`owned/${name}`, "1")
              )
              yield* eventually(
                `no reason for ${name}`,
                () => it.about(`Deployment/${where}/${name}`),
                (lines) => lines.some((line) => line.includes(`held, ${reason}`))
              )
              assert.strictEqual(yield* W.imageNow("Deployment", where, name), `${upstream.host}/owned/${name}:1`)
            }
            yield* eventually(
              "the metrics do not count them",
              it.metric("image_cloner_workloads_not_rewritten{reason=\"managed-by\"}"),
              (count) => count === 3
            )
          }),
        120_000
      )

      it.effect(
        "gives a tenant nothing that names private places, other repositories of the backup's host, or forges",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const { backup, upstream } = stageNow
            yield* namespace("tenant")
            yield* backup.load("secret/app", SampleImage.image("a secret of the backup's owner"), "1")
            yield* upstream.load("tenant/app", SampleImage.image("tenant"), "1")
            const hidden = yield* EmbeddedRegistry.make()
            yield* hidden.load("internal/app", SampleImage.image("internal"), "1")
            const names = {
              "same-host": `${backup.host}/secret/app:1`,
              loopback: `${hidden.host}/internal/app:1`,
              metadata: "169.254.169.254/latest/meta-data:1"
            }
            for (const [name, image] of Object.entries(names)) {
              yield* W.make("Deployment", { namespace: "tenant", name, image, replicas: 0 })
            }
            const forged = `${backup.host}/copies/hash_sha256/forged:1`
            yield* W.make("Deployment", {
              namespace: "tenant",
              name: "forged",
              image: forged,
              templateMetadata: {
                metadata: {
                  annotations: {
                    "image-cloner.io/original-images": JSON.stringify({ app: `${backup.host}/secret/app:1` })
                  }
                }
              }
            })
            yield* W.make("Deployment", { namespace: "tenant", name: "good", image: `${upstream.host}/tenant/app:1` })
            const it = yield* daemon(["tenant"])
            yield* eventually(
              "the good one waits for the others",
              W.imageNow("Deployment", "tenant", "good"),
              isCopied(backup.host)
            )
            for (const [name, image] of Object.entries(names)) {
              yield* eventually(
                `no word about ${name}`,
                () => it.about(image),
                (lines) => lines.length > 0
              )
              assert.strictEqual(yield* W.imageNow("Deployment", "tenant", name), image)
            }
            yield* eventually(
              "the forged annotation is not reported",
              () => it.about("Deployment/tenant/forged"),
              (lines) => lines.some((line) => line.includes("not ours"))
            )
            assert.deepStrictEqual(hidden.log.entries(), [])
            const copies = backup.repositories().filter((repository) => repository.startsWith("copies/"))
            assert.isFalse(copies.some((repository) => /secret|internal|meta-data/.test(repository)), copies.join())
          }),
        120_000
      )
    })
  })
}
