// The place of the deployment tests: a real control plane to which manifests/base was applied, as it stands, before it had
// a node, so that nothing tried to pull the controller's own image; then a node and two registries.
import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as ControlPlane from "../../sandbox/ControlPlane.ts"
import { type Ended, run } from "../support/Command.ts"
import { Stage, stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"

const assets = process.env["KUBEBUILDER_ASSETS"] ?? ""

/** Path of kubectl; it comes with the control plane. */
const kubectlFile = join(assets, "kubectl")

/** Whether this machine has what the tests need: KUBEBUILDER_ASSETS with kubectl in it. */
export const skipped = assets === "" || !existsSync(kubectlFile)

const repository = fileURLToPath(new URL("../..", import.meta.url))

// kubectl keeps a cache in the home folder; the kubeconfig's goes with the test
const environment = (kubeconfigFile: string) => ({ PATH: process.env["PATH"] ?? "", HOME: dirname(kubeconfigFile) })

const kubectlAt = (kubeconfigFile: string) => (args: ReadonlyArray<string>) =>
  run(kubectlFile, ["--kubeconfig", kubeconfigFile, ...args], { cwd: repository, env: environment(kubeconfigFile) })

/** kubectl as administrator, in the folder of the repository. */
export const kubectl = (...args: ReadonlyArray<string>) =>
  Effect.flatMap(Stage, ({ controlPlane }) => kubectlAt(controlPlane.kubeconfigFile)(args))

/** make, with kubectl as above, and the parameters that people give it. */
export const make = (target: string, parameters: Readonly<Record<string, string>> = {}) =>
  Effect.flatMap(Stage, ({ controlPlane }) =>
    run(
      "make",
      [
        "--no-print-directory",
        target,
        `KUBECTL=${kubectlFile} --kubeconfig ${controlPlane.kubeconfigFile}`,
        ...Object.entries(parameters).map(([key, value]) => `${key}=${value}`)
      ],
      { cwd: repository, env: environment(controlPlane.kubeconfigFile) }
    ))

/** What `kubectl apply -k manifests/base` said. */
export const applied: Array<Ended> = []
/** Pods of the controller that the cluster made of it, past pod security. */
export const podsMade: Array<string> = []

const withManifests = Effect.gen(function*() {
  const controlPlane = yield* ControlPlane.real({ assets })
  const kubectlNow = kubectlAt(controlPlane.kubeconfigFile)
  applied.push(yield* kubectlNow(["apply", "-k", "manifests/base"]))
  const pods = yield* eventually(
    "no pod of the controller",
    kubectlNow(["-n", "image-cloner", "get", "pods", "-o", "name"]),
    (it) => it.stdout.startsWith("pod/")
  ).pipe(Effect.orDie)
  podsMade.push(pods.stdout.trim())
  yield* kubectlNow(["-n", "image-cloner", "scale", "deployment/image-cloner-controller", "--replicas=0"])
  yield* eventually(
    "the controller's pod stays",
    kubectlNow(["-n", "image-cloner", "get", "pods", "-o", "name"]),
    (it) => it.stdout === ""
  ).pipe(Effect.orDie)
  return controlPlane
}).pipe(Effect.provide(NodeServices.layer))

export const place = stage(withManifests)

/** A kubeconfig with nothing but a token of a ServiceAccount in our namespace, as `kubectl create token` makes it. */
export const kubeconfigOf = Effect.fnUntraced(function*(account: string) {
  const { controlPlane } = yield* Stage
  const token = yield* kubectl("-n", "image-cloner", "create", "token", account)
  return controlPlane.kubeconfig.replace(/"token": "[^"]*"/, `"token": "${token.stdout.trim()}"`)
})

/** That of the controller. */
export const ownKubeconfig = kubeconfigOf("image-cloner-controller")
