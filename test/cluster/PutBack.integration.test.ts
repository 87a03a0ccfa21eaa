// Rollouts of ours that do not come up, and ones that came up long ago, on the sandbox and on a real control plane: what is put
// back is what never came up, and only to images that are there. An outage of the backup changes nothing.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as J from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import { copyOf, daemon, namespace, Stage, stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import * as W from "../support/World.ts"

const kinds = ["Deployment", "StatefulSet", "DaemonSet"] as const

const waiting = (namespaceName: string) =>
  Effect.map(
    W.list("Pod", namespaceName),
    (pods) => pods.map((it) => J.text(it, "status", "containerStatuses", 0, "state", "waiting", "reason") ?? "")
  )

/** A policy that allows no pod with an image of this host in the namespace. */
const forbidImages = Effect.fnUntraced(function*(namespaceName: string, host: string) {
  const client = yield* KubeClient
  const post = (resource: string, body: object) =>
    client.request({ method: "POST", path: `/apis/admissionregistration.k8s.io/v1/${resource}`, body })
  yield* post("validatingadmissionpolicies", {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicy",
    metadata: { name: namespaceName },
    spec: {
      failurePolicy: "Fail",
      matchConstraints: {
        resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }]
      },
      validations: [{
        expression: `object.spec.containers.all(c, !c.image.startsWith('${host}'))`,
        message: "only images of the public registry are allowed here"
      }]
    }
  })
  yield* post("validatingadmissionpolicybindings", {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicyBinding",
    metadata: { name: namespaceName },
    spec: {
      policyName: namespaceName,
      validationActions: ["Deny"],
      matchResources: { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespaceName } } }
    }
  })
})

for (const place of W.controlPlanes) {
  describe.skipIf(place.skipped)(`putting back, on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect(
        "a restart while the backup is down and the sources are gone changes no template",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const { backup, kubelet, upstream } = stageNow
            yield* upstream.load("outage/app", SampleImage.image("outage"), "1")
            const image = `${upstream.host}/outage/app:1`
            const copy = copyOf(stageNow, "outage/app", "1")
            yield* namespace("outage")
            for (const kind of kinds) {
              yield* W.make(kind, { namespace: "outage", name: kind.toLowerCase(), image })
              yield* W.settled("outage", kind.toLowerCase())
            }
            const first = yield* daemon(["outage"])
            for (const kind of kinds) {
              yield* eventually(
                `${kind} has not rolled out`,
                W.running("outage", kind.toLowerCase()),
                (pods) => pods.length === 1 && pods.every((pod) => pod.ready && pod.image === copy)
              )
            }
            yield* first.kill

            yield* backup.switchOff
            yield* upstream.removeRepository("outage/app")
            yield* kubelet.puller.prune
            const client = yield* KubeClient
            for (const pod of yield* W.list("Pod", "outage")) {
              const name = J.text(pod, "metadata", "name") ?? ""
              yield* client.request({ method: "DELETE", path: `/api/v1/namespaces/outage/pods/${name}` })
            }
            yield* eventually(
              "pods can pull",
              waiting("outage"),
              (reasons) => reasons.length >= 3 && reasons.every((it) => it === "ImagePullBackOff")
            )
            const again = yield* daemon(["outage"])
            for (const kind of ["Deployment", "StatefulSet"]) {
              yield* eventually(
                `no word about the ${kind}`,
                () => again.about(`${kind}/outage/${kind.toLowerCase()}`),
                (lines) => lines.some((line) => line.includes("cannot-pull"))
              )
            }
            yield* Effect.sleep("5 seconds")
            for (const kind of kinds) {
              assert.strictEqual(yield* W.imageNow(kind, "outage", kind.toLowerCase()), copy, kind)
            }
            yield* backup.switchOn
          }),
        180_000
      )

      // the sandbox has no admission policies
      if (place.name === "the sandbox") return
      it.effect(
        "what a policy allows no pods of is put back in the policy's words, and left alone",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const { backup, upstream } = stageNow
            yield* upstream.load("policy/app", SampleImage.image("policy"), "1")
            const image = `${upstream.host}/policy/app:1`
            yield* namespace("policy")
            yield* W.make("Deployment", {
              namespace: "policy",
              name: "deployment",
              image,
              spec: { strategy: { type: "Recreate" } }
            })
            yield* W.settled("policy", "deployment")
            yield* forbidImages("policy", backup.host)

            const it = yield* daemon(["policy"], { BACKUP_PULL_BY: "nodes" })
            const copy = copyOf(stageNow, "policy/app", "1")
            yield* eventually("not rewritten", W.imageNow("Deployment", "policy", "deployment"), (it) => it === copy)
            yield* eventually(
              "not put back",
              W.imageNow("Deployment", "policy", "deployment"),
              (it) => it === image,
              "150 seconds"
            )
            yield* W.settled("policy", "deployment")
            assert.include(it.about("Deployment/policy/deployment").join("\n"), "only images of the public registry")
            const held = yield* eventually(
              "no mark",
              W.get("Deployment", "policy", "deployment"),
              (it) => J.text(it, "metadata", "annotations", "image-cloner.io/held") !== undefined
            )
            yield* Effect.sleep("5 seconds")
            const later = yield* W.get("Deployment", "policy", "deployment")
            assert.strictEqual(J.number(later, "metadata", "generation"), J.number(held, "metadata", "generation"))
          }),
        240_000
      )
    })
  })
}
