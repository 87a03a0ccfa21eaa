// Somebody undoes our rewrites, on the sandbox and on a real control plane: a process that restores the image, also across a restart
// of the daemon, an admission policy that changes our patch, and a person with kubectl, who is none.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { execFile } from "node:child_process"
import * as J from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import { isUndo } from "../../src/workload/WentBack.ts"
import { kindOf } from "../../src/workload/Kinds.ts"
import { projectTemplated } from "../../src/workload/Project.ts"
import { copyOf, daemon, namespace, Stage, stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import * as W from "../support/World.ts"

const kubectl = `${process.env["KUBEBUILDER_ASSETS"] ?? ""}/kubectl`
const path = "/spec/template/spec/containers/0/image"

/** Puts an image back whenever it is another, ten times a second; tells how often so far. */
const restorer = Effect.fnUntraced(function*(kind: string, namespaceName: string, name: string, image: string) {
  let times = 0
  const once = Effect.gen(function*() {
    const now = yield* W.imageNow(kind, namespaceName, name)
    if (now === image) return
    const swap = [{ op: "test", path, value: now }, { op: "replace", path, value: image }]
    yield* W.jsonPatch("restorer", kind, namespaceName, name, swap)
    times++
  })
  yield* Effect.forkScoped(Effect.repeat(Effect.ignore(once), Schedule.spaced("100 millis")))
  return () => times
})

/** A policy that makes one image of all others in workloads whose names begin so, once it is in force. */
const revertBy = Effect.fnUntraced(function*(namespaceName: string, name: string, image: string) {
  const probe = `${name}-probe`
  yield* W.make("Deployment", { namespace: namespaceName, name: probe, image, spec: { replicas: 0 } })
  const client = yield* KubeClient
  const post = (resource: string, kind: string, spec: object) =>
    client.request({
      method: "POST",
      path: `/apis/admissionregistration.k8s.io/v1/${resource}`,
      body: { apiVersion: "admissionregistration.k8s.io/v1", kind, metadata: { name: namespaceName }, spec }
    })
  yield* post("mutatingadmissionpolicies", "MutatingAdmissionPolicy", {
    failurePolicy: "Fail",
    reinvocationPolicy: "Never",
    matchConstraints: {
      resourceRules: [{ apiGroups: ["apps"], apiVersions: ["v1"], operations: ["UPDATE"], resources: ["deployments"] }]
    },
    matchConditions: [{ name: "named", expression: `object.metadata.name.startsWith('${name}')` }],
    mutations: [{
      patchType: "JSONPatch",
      jsonPatch: { expression: `[JSONPatch{op: "replace", path: "${path}", value: "${image}"}]` }
    }]
  })
  yield* post("mutatingadmissionpolicybindings", "MutatingAdmissionPolicyBinding", {
    policyName: namespaceName,
    matchResources: { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespaceName } } }
  })
  yield* eventually(
    "the policy is not in force",
    Effect.andThen(
      W.jsonPatch("tester", "Deployment", namespaceName, probe, [{ op: "replace", path, value: `${image}-changed` }]),
      W.imageNow("Deployment", namespaceName, probe)
    ),
    (now) => now === image
  )
  const where = `/apis/apps/v1/namespaces/${namespaceName}/deployments/${probe}`
  yield* client.request({ method: "DELETE", path: where })
})

for (const place of W.controlPlanes) {
  describe.skipIf(place.skipped)(`fights, on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      // seen: 134 rewrites in 60 seconds, 70 more after a restart
      it.effect(
        "a process that restores the image has it after three rewrites at most, also across a restart",
        () =>
          Effect.gen(function*() {
            const { upstream } = yield* Stage
            yield* upstream.load("fought/app", SampleImage.image("fought"), "1")
            const image = `${upstream.host}/fought/app:1`
            yield* namespace("fought")
            const kinds = ["Deployment", "StatefulSet"] as const
            for (const kind of kinds) {
              yield* W.make(kind, { namespace: "fought", name: kind.toLowerCase(), image })
              yield* W.settled("fought", kind.toLowerCase())
            }
            const first = yield* daemon(["fought"], { BACKUP_PULL_BY: "nodes" })
            const times = new Map<string, () => number>()
            for (const kind of kinds) times.set(kind, yield* restorer(kind, "fought", kind.toLowerCase(), image))
            for (const kind of kinds) {
              const object = yield* eventually(
                `the ${kind} is not marked`,
                W.get(kind, "fought", kind.toLowerCase()),
                (it) => J.text(it, "metadata", "annotations", "image-cloner.io/held") !== undefined,
                "120 seconds"
              )
              const mark = J.parse(J.text(object, "metadata", "annotations", "image-cloner.io/held") ?? "")
              assert.strictEqual(J.text(mark, "reason"), "contested")
              assert.include(J.text(mark, "detail"), "restorer (Update)")
              assert.include(first.about(`${kind}/fought/${kind.toLowerCase()}`).join("\n"), "held, contested")
            }
            yield* Effect.sleep("5 seconds")
            const before = kinds.map((kind) => times.get(kind)?.() ?? 0)
            for (const count of before) assert.isAtMost(count, 3)
            yield* first.kill

            const again = yield* daemon(["fought"], { BACKUP_PULL_BY: "nodes" })
            for (const kind of kinds) {
              yield* eventually(
                `nothing is said of the ${kind}`,
                () => again.about(`${kind}/fought/${kind.toLowerCase()}`),
                (lines) => lines.some((line) => line.includes("held, contested"))
              )
            }
            yield* Effect.sleep("10 seconds")
            assert.deepStrictEqual(kinds.map((kind) => times.get(kind)?.() ?? 0), before)
            yield* Effect.logInfo(`restored ${before.join(" and ")} times`)
          }),
        240_000
      )

      // the sandbox has no admission policies
      it.effect.skipIf(place.name === "the sandbox")(
        "a policy that changes our patch keeps no place: a second workload is rewritten meanwhile",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const { upstream } = stageNow
            yield* upstream.load("mutated/app", SampleImage.image("mutated"), "1")
            const image = `${upstream.host}/mutated/app:1`
            yield* namespace("mutated")
            for (const name of ["mutated", "other"]) {
              yield* W.make("Deployment", { namespace: "mutated", name, image })
              yield* W.settled("mutated", name)
            }
            yield* revertBy("mutated", "mutated", image)
            yield* W.settled("mutated", "mutated")

            const it = yield* daemon(["mutated"], { BACKUP_PULL_BY: "nodes", MAX_CONCURRENT_ROLLOUTS: "1" })
            const copy = copyOf(stageNow, "mutated/app", "1")
            yield* eventually("not rewritten", W.imageNow("Deployment", "mutated", "other"), (now) => now === copy)
            const said = yield* eventually(
              "not contested",
              () => it.about("Deployment/mutated/mutated").join("\n"),
              (lines) => lines.includes("held, contested")
            )
            assert.include(
              said,
              "the API server took the patch and changed it (a mutating webhook or policy, most likely)"
            )
            assert.strictEqual(yield* W.imageNow("Deployment", "mutated", "mutated"), image)
            assert.strictEqual(yield* it.metric("image_cloner_rewrites_total{result=\"refused\"}"), 2)
          }),
        180_000
      )

      it.effect.skipIf(place.name === "the sandbox")(
        "kubectl rollout undo is told from whoever restores an image",
        () =>
          Effect.gen(function*() {
            const { controlPlane, upstream } = yield* Stage
            for (const tag of ["1", "2"]) yield* upstream.load("undone/app", SampleImage.image(`undone ${tag}`), tag)
            const image = (tag: string) => `${upstream.host}/undone/app:${tag}`
            yield* namespace("undone")
            yield* W.make("Deployment", { namespace: "undone", name: "web", image: image("1") })
            yield* W.settled("undone", "web")
            const project = (kind: "Deployment" | "ReplicaSet", object: unknown) =>
              projectTemplated(kindOf(kind))(object)
            const before = (yield* W.list("ReplicaSet", "undone")).flatMap((it) => project("ReplicaSet", it) ?? [])
            const isUndone = Effect.map(W.get("Deployment", "undone", "web"), (object) => {
              const of = project("Deployment", object)
              return of !== undefined && isUndo(of, before)
            })
            const set = (tag: string) =>
              W.jsonPatch("restorer", "Deployment", "undone", "web", [{ op: "replace", path, value: image(tag) }])

            yield* set("2")
            yield* W.settled("undone", "web")
            yield* set("1")
            yield* W.settled("undone", "web")
            assert.isFalse(yield* isUndone)
            yield* set("2")
            yield* W.settled("undone", "web")
            const code = yield* Effect.callback<number>((resume) => {
              const words = ["--namespace=undone", "rollout", "undo", "deployment/web"]
              execFile(kubectl, [`--kubeconfig=${controlPlane.kubeconfigFile}`, ...words], (error) =>
                resume(Effect.succeed(error === null ? 0 : 1)))
            })
            assert.strictEqual(code, 0)
            assert.strictEqual(yield* W.imageNow("Deployment", "undone", "web"), image("1"))
            assert.isTrue(yield* isUndone)
          }),
        120_000
      )
    })
  })
}
