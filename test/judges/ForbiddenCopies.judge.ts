// A rollout of ours that a policy allows no pods of, on a real control plane: the API server's word reaches the workload's mark, and
// the original is put back once and for all. It waits for a Deployment's progress deadline, so it is a judge.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as J from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import { copyOf, daemon, namespace, Stage, stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import * as W from "../support/World.ts"

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

const real = W.controlPlanes.filter((it) => it.name !== "the sandbox")

for (const place of real) {
  describe.skipIf(place.skipped)("putting back what a policy forbids", () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
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
