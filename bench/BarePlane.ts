// BarePlane: a real kube-apiserver without controllers for a bench, with a client that may do everything, and a folder; all of it is gone
// when the work is done. Needs KUBEBUILDER_ASSETS.
import { NodeServices } from "@effect/platform-node"
import { Effect, Redacted, type Scope } from "effect"
import * as RealControlPlane from "../sandbox/RealControlPlane.ts"
import { KubeClient } from "../src/kube/KubeClient.ts"
import { inFolder, write } from "./Measure.ts"

export interface BarePlane {
  readonly folder: string
  /** Path of an administrator's kubeconfig. */
  readonly kubeconfig: string
}

export const onBarePlane = <E>(
  work: (plane: BarePlane) => Effect.Effect<unknown, E, KubeClient | Scope.Scope>
): Promise<unknown> =>
  inFolder((folder) =>
    Effect.runPromise(
      Effect.gen(function*() {
        const plane = yield* RealControlPlane.make({ assets: process.env["KUBEBUILDER_ASSETS"] ?? "", bare: true })
        const client = KubeClient.layerFrom({
          server: plane.url,
          ca: plane.ca,
          headers: { authorization: `Bearer ${Redacted.value(plane.adminToken)}` }
        })
        yield* Effect.provide(work({ folder, kubeconfig: write(folder, "kubeconfig", plane.kubeconfig()) }), client)
      }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
    )
  )
