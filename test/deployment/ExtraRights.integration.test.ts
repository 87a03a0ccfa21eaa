// manifests/overlays/extra-kinds on a real API server: its rights are those of the kinds of the example, and of nothing else.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as ControlPlane from "../../sandbox/ControlPlane.ts"
import * as J from "../../sandbox/Json.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import { run } from "../support/Command.ts"

const assets = process.env["KUBEBUILDER_ASSETS"] ?? ""
const kubectlFile = join(assets, "kubectl")
const skipped = assets === "" || !existsSync(kubectlFile)
const cwd = fileURLToPath(new URL("../..", import.meta.url))
const account = "system:serviceaccount:image-cloner:image-cloner-controller"

describe.skipIf(skipped)("the overlay for kinds of EXTRA_KINDS", () => {
  it.live(
    "gives the right to look at these kinds and to patch them, and goes without the rest",
    () =>
      Effect.gen(function*() {
        const { client, kubeconfigFile } = yield* ControlPlane.real({ assets, bare: true })
        const env = { PATH: process.env["PATH"] ?? "", HOME: dirname(kubeconfigFile) }
        const kubectl = (...args: ReadonlyArray<string>) =>
          run(kubectlFile, ["--kubeconfig", kubeconfigFile, ...args], { cwd, env })
        // `kubectl auth can-i` loses the group of a kind that is not installed
        const may = Effect.fnUntraced(function*(verb: string, group: string, resource: string) {
          const answer = yield* (yield* KubeClient).request({
            method: "POST",
            path: "/apis/authorization.k8s.io/v1/subjectaccessreviews",
            body: {
              apiVersion: "authorization.k8s.io/v1",
              kind: "SubjectAccessReview",
              spec: { user: account, resourceAttributes: { verb, group, resource, namespace: "shop" } }
            }
          })
          return J.isObject(answer) && J.at(answer, "status", "allowed") === true
        }, Effect.provide(client))
        const base = yield* kubectl("apply", "-f", "manifests/base/namespace.yaml", "-f", "manifests/base/rbac.yaml")
        const applied = yield* kubectl("apply", "-k", "manifests/overlays/extra-kinds")
        assert.deepStrictEqual([base.code, applied.code, applied.stderr], [0, 0, ""], base.stderr)
        const given = [
          ["argoproj.io", "rollouts"],
          ["apps.kruise.io", "clonesets"],
          ["apps.openshift.io", "deploymentconfigs"]
        ] as const
        for (const [group, resource] of given) {
          for (const verb of ["get", "list", "watch", "patch"]) assert.isTrue(yield* may(verb, group, resource), verb)
          for (const verb of ["create", "update", "delete"]) assert.isFalse(yield* may(verb, group, resource), verb)
        }
        assert.isFalse(yield* may("list", "argoproj.io", "workflows"))
        yield* kubectl("delete", "-k", "manifests/overlays/extra-kinds")
        assert.isFalse(yield* may("list", "argoproj.io", "rollouts"))
        assert.isTrue(yield* may("list", "apps", "deployments"))
      }).pipe(Effect.provide(NodeServices.layer), Effect.scoped),
    90_000
  )
})
