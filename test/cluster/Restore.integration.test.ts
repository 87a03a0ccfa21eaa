// The restore command of the bundled program, on the sandbox and on a real control plane: what a daemon has rewritten goes
// back to what it was, the cluster's word is asked at the end, and whatever cannot go back is named.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import * as J from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { cli, program } from "../cli/Cli.ts"
import { copyOf, daemon, namespace, Stage, stage, user as userOf } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import * as W from "../support/World.ts"

const rolling = ["Deployment", "StatefulSet", "DaemonSet"] as const
const kinds = [...rolling, "CronJob", "ReplicaSet"] as const
const never = "image-cloner.io/rewrite"
const restored = "image-cloner.io/restored"

/** What a user of the command has, and the command. */
const user = Effect.map(userOf, (env) => ({
  env,
  restore: (...args: ReadonlyArray<string>) => cli(["restore", ...args], { env })
}))

const templateOf = (kind: string) =>
  kind === "CronJob" ? ["spec", "jobTemplate", "spec", "template"] : ["spec", "template"]

const imageOf = (kind: string, object: J.JsonObject) =>
  J.text(object, ...templateOf(kind), "spec", "containers", 0, "image") ?? ""

const marksOf = (object: J.JsonObject) => [never, restored].map((it) => J.text(object, "metadata", "annotations", it))

/** One workload of a kind, with one pod where it has pods of its own. */
const make = Effect.fnUntraced(
  function*(kind: (typeof kinds)[number], namespaceName: string, image: string, metadata: J.JsonObject = {}) {
    const name = kind.toLowerCase()
    if (kind !== "CronJob" && kind !== "ReplicaSet") {
      yield* W.make(kind, { namespace: namespaceName, name, image, metadata })
      return yield* W.settled(namespaceName, name)
    }
    const pods = { metadata: { labels: { app: name } }, spec: { containers: [{ name: "app", image }] } }
    yield* W.create(kind, namespaceName, {
      metadata: { name, ...metadata },
      spec: kind === "CronJob"
        ? {
          schedule: "0 0 1 1 *",
          jobTemplate: { spec: { template: { ...pods, spec: { ...pods.spec, restartPolicy: "Never" } } } }
        }
        : { replicas: 1, selector: { matchLabels: { app: name } }, template: pods }
    })
    return kind === "ReplicaSet" ? yield* W.settled(namespaceName, name) : []
  }
)

/** Has the daemon rewrite these kinds in a namespace, and kills it. */
const rewrite = Effect.fnUntraced(
  function*(namespaceName: string, copy: string, of: ReadonlyArray<(typeof kinds)[number]>) {
    const it = yield* daemon([namespaceName])
    for (const kind of of) {
      yield* eventually(
        `${kind} is not rewritten`,
        Effect.map(W.get(kind, namespaceName, kind.toLowerCase()), (object) => imageOf(kind, object)),
        (image) => image === copy
      )
      if (kind === "CronJob" || kind === "ReplicaSet") continue
      yield* eventually(
        `${kind} has not rolled out`,
        W.running(namespaceName, kind.toLowerCase()),
        (pods) => pods.length === 1 && pods.every((pod) => pod.ready && pod.image === copy)
      )
    }
    yield* it.kill
    return it
  }
)

const generation = (object: J.JsonObject) => J.number(object, "metadata", "generation")

for (const place of W.nearest) {
  describe(`restore, on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect(
        "puts every kind back to what it was, proves it, and takes its marks away again",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const { upstream } = stageNow
            yield* upstream.load("kinds/app", SampleImage.image("kinds"), "1")
            const image = `${upstream.host}/kinds/app:1`
            const copy = copyOf(stageNow, "kinds/app", "1")
            yield* namespace("kinds")
            for (const kind of kinds) yield* make(kind, "kinds", image)
            yield* rewrite("kinds", copy, kinds)
            const { restore } = yield* user

            const before = yield* W.get("Deployment", "kinds", "deployment")
            const dry = yield* restore("-n", "kinds", "--dry-run")
            assert.strictEqual(dry.code, 0, dry.stdout + dry.stderr)
            for (const kind of kinds) {
              assert.include(
                dry.stdout,
                `${kind}/kinds/${kind.toLowerCase()} would be restored: app ${copy} → ${image}`
              )
              assert.strictEqual(imageOf(kind, yield* W.get(kind, "kinds", kind.toLowerCase())), copy)
            }
            assert.strictEqual(generation(yield* W.get("Deployment", "kinds", "deployment")), generation(before))

            const done = yield* restore("-n", "kinds")
            assert.deepStrictEqual([done.code, done.stderr], [0, ""], done.stdout)
            assert.include(done.stdout, "5 restored, 0 left; no template refers to the backup any more")
            for (const kind of kinds) {
              const object = yield* W.get(kind, "kinds", kind.toLowerCase())
              assert.strictEqual(imageOf(kind, object), image)
              assert.deepStrictEqual(marksOf(object), ["never", "{\"rewrite\":null}"])
              assert.isUndefined(
                J.text(object, ...templateOf(kind), "metadata", "annotations", "image-cloner.io/original-images")
              )
              // whoever owns the manifest owns the image again
              assert.notInclude(
                JSON.stringify(
                  J.list(object, "metadata", "managedFields").filter((it) => J.text(it, "manager") === "image-cloner")
                ),
                "f:image\""
              )
            }
            // it waited: nobody has to look again
            for (const kind of rolling) {
              const pods = yield* W.running("kinds", kind.toLowerCase())
              assert.deepStrictEqual(pods.map((pod) => [pod.ready, pod.image]), [[true, image]], kind)
            }
            // a daemon that starts leaves them alone
            const again = yield* daemon(["kinds"])
            yield* eventually(
              "the daemon says nothing",
              () => again.about("Deployment/kinds/deployment"),
              (lines) => lines.some((line) => line.includes("image-cloner.io/rewrite is never"))
            )
            yield* again.kill

            const undone = yield* restore("-n", "kinds", "--undo-marks", "-o", "json")
            assert.strictEqual(undone.code, 0, undone.stderr)
            assert.strictEqual(JSON.parse(undone.stdout).workloads.length, 5)
            for (const kind of kinds) {
              const object = yield* W.get(kind, "kinds", kind.toLowerCase())
              assert.deepStrictEqual(marksOf(object), [undefined, undefined])
              assert.strictEqual(imageOf(kind, object), image)
            }
          }),
        240_000
      )

      it.effect(
        "goes to the digest that ran where the tag has moved, nowhere where the source is gone, and leaves what is another's",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const { upstream } = stageNow
            const first = SampleImage.image("moved 1")
            yield* upstream.load("moved/app", first, "1")
            yield* upstream.load("moved/gone", SampleImage.image("moved gone"), "1")
            const image = `${upstream.host}/moved/app:1`
            const gone = `${upstream.host}/moved/gone:1`
            const copy = copyOf(stageNow, "moved/app", "1")
            yield* namespace("moved")
            yield* make("Deployment", "moved", image, { annotations: { [never]: "patch" } })
            yield* make("StatefulSet", "moved", gone)
            const it = yield* daemon(["moved"])
            for (
              const [kind, to] of [["Deployment", copy], ["StatefulSet", copyOf(stageNow, "moved/gone", "1")]] as const
            ) {
              yield* eventually(
                `${kind} has not rolled out`,
                W.running("moved", kind.toLowerCase()),
                (pods) => pods.length === 1 && pods.every((pod) => pod.ready && pod.image === to)
              )
            }
            yield* it.kill
            // a template that names a copy by itself, a release of Helm's, and a bare pod
            yield* W.make("Deployment", { namespace: "moved", name: "own", image: copy })
            yield* W.settled("moved", "own")
            const release = { labels: { "app.kubernetes.io/managed-by": "Helm" } }
            yield* W.make("DaemonSet", {
              namespace: "moved",
              name: "helm",
              image: copy,
              metadata: release,
              templateMetadata: {
                metadata: { annotations: { "image-cloner.io/original-images": JSON.stringify({ app: image }) } }
              }
            })
            yield* W.settled("moved", "helm")
            yield* W.create("Pod", "moved", {
              metadata: { name: "bare" },
              spec: { containers: [{ name: "app", image: copy }] }
            })

            yield* upstream.load("moved/app", SampleImage.image("moved 2"), "1")
            yield* upstream.removeRepository("moved/gone")
            const { restore } = yield* user
            const done = yield* restore("-n", "moved", "-o", "json")
            assert.strictEqual(done.code, 1, done.stdout + done.stderr)
            const told = JSON.parse(done.stdout)
            const reasons = (of: ReadonlyArray<Record<string, string>>) =>
              of.map((row) => [row["workload"] ?? row["object"], row["reason"]])
            assert.deepStrictEqual(reasons(told.left), [
              ["DaemonSet/moved/helm", "managed-by"],
              ["Deployment/moved/own", "not-recorded"],
              ["StatefulSet/moved/statefulset", "not-at-source"]
            ])
            assert.deepStrictEqual(reasons(told.rest), [["Pod/moved/bare", "immutable"]])
            const pinned = `${image}@${first.manifest.digest}`
            assert.strictEqual(yield* W.imageNow("Deployment", "moved", "deployment"), pinned)
            const [pod] = yield* W.running("moved", "deployment")
            assert.deepStrictEqual([pod?.ready, pod?.digest], [true, first.manifest.digest])
            // the user's own word is kept, and comes back
            assert.deepStrictEqual(marksOf(yield* W.get("Deployment", "moved", "deployment")), [
              "never",
              "{\"rewrite\":\"patch\"}"
            ])
            yield* restore("--undo-marks", "deployment/moved/deployment")
            assert.deepStrictEqual(marksOf(yield* W.get("Deployment", "moved", "deployment")), ["patch", undefined])
            // who is named is patched, whoever owns it: here the tag has moved since it started
            const named = yield* restore("DaemonSet/moved/helm")
            assert.strictEqual(named.code, 0, named.stdout + named.stderr)
            assert.strictEqual(yield* W.imageNow("DaemonSet", "moved", "helm"), pinned)
          }),
        240_000
      )

      it.effect(
        "refuses the whole cluster while the controller may rewrite, and names the command",
        () =>
          Effect.gen(function*() {
            yield* W.namespace("image-cloner")
            yield* W.create("ConfigMap", "image-cloner", {
              metadata: { name: "image-cloner-configuration" },
              data: { BACKUP_REGISTRY: "registry.example.com/backup" }
            })
            const { restore } = yield* user
            const refused = yield* restore("--all")
            assert.deepStrictEqual([refused.code, refused.stdout], [1, ""])
            assert.include(
              refused.stderr,
              "REWRITE_MODE is patch in the ConfigMap image-cloner/image-cloner-configuration"
            )
            assert.include(
              refused.stderr,
              "kubectl -n image-cloner patch configmap image-cloner-configuration --type merge"
            )
            assert.include((yield* restore("--all", "--dry-run")).stderr, "Without --dry-run this is refused")

            yield* W.jsonPatch("kubectl-patch", "ConfigMap", "image-cloner", "image-cloner-configuration", [
              { op: "add", path: "/data/REWRITE_MODE", value: "off" }
            ])
            const controller = (mode: string, replicas: number) => ({
              metadata: { name: "image-cloner-controller" },
              spec: {
                replicas,
                selector: { matchLabels: { app: "c" } },
                template: {
                  metadata: { labels: { app: "c" } },
                  spec: {
                    containers: [{ name: "controller", image: "c:1", env: [{ name: "REWRITE_MODE", value: mode }] }]
                  }
                }
              }
            })
            yield* W.create("Deployment", "image-cloner", controller("patch", 1))
            const overridden = yield* restore("--all")
            assert.strictEqual(overridden.code, 1)
            assert.include(overridden.stderr, "kubectl -n image-cloner set env deployment/image-cloner-controller")
            yield* W.jsonPatch("kubectl-scale", "Deployment", "image-cloner", "image-cloner-controller", [
              { op: "replace", path: "/spec/replicas", value: 0 }
            ])
            const allowed = yield* restore("--all")
            assert.notInclude(allowed.stderr, "refused")
            assert.match(allowed.stdout, /\d restored, \d left/)
          }),
        120_000
      )

      it.effect(
        "stopped in the middle it says how far it came, and goes on when it is run again",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const { upstream } = stageNow
            yield* upstream.load("stopped/app", SampleImage.image("stopped"), "1")
            const image = `${upstream.host}/stopped/app:1`
            yield* namespace("stopped")
            // its new pods count late: there is time to stop in the middle
            yield* W.make("Deployment", {
              namespace: "stopped",
              name: "deployment",
              image,
              spec: { minReadySeconds: 6 }
            })
            yield* make("CronJob", "stopped", image)
            yield* rewrite("stopped", copyOf(stageNow, "stopped/app", "1"), ["Deployment", "CronJob"])
            yield* eventually(
              "the Deployment is not available",
              W.get("Deployment", "stopped", "deployment"),
              (it) => J.number(it, "status", "availableReplicas") === 1 && J.number(it, "status", "replicas") === 1
            )
            const { env, restore } = yield* user
            yield* upstream.switchOff
            const refused = yield* restore("-n", "stopped")
            assert.strictEqual(refused.code, 1)
            assert.include(refused.stdout, "not-at-source")
            assert.include(refused.stderr, "ECONNREFUSED")
            yield* upstream.switchOn

            const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
            const child = yield* spawner.spawn(
              ChildProcess.make(process.execPath, [program, "restore", "-n", "stopped"], {
                env: { HOME: env.DOCKER_CONFIG, ...env },
                extendEnv: false
              })
            )
            const said = yield* Effect.forkScoped(Stream.mkString(Stream.decodeText(child.stderr)))
            yield* eventually(
              "the Deployment is not put back",
              W.imageNow("Deployment", "stopped", "deployment"),
              (it) => it === image
            )
            yield* child.kill({ killSignal: "SIGINT" })
            assert.strictEqual(yield* child.exitCode, 130)
            assert.match(
              yield* Fiber.join(said),
              /Stopped: [01] of 2 restored; put back and not yet rolled out: .*Deployment\/stopped\/deployment\. Run it again/
            )

            const again = yield* restore("-n", "stopped")
            assert.strictEqual(again.code, 0, again.stdout + again.stderr)
            const [pod, ...others] = yield* W.running("stopped", "deployment")
            assert.deepStrictEqual([pod?.image, others.length], [image, 0])
          }),
        180_000
      )
    })
  })
}
