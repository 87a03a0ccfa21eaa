// Entry of the demo, a bundle of its own: the sandbox never gets into the program's. With main.ts the only file that touches
// the process. KUBEBUILDER_ASSETS, where it is set, names the folder of a real control plane to run on.
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Effect, References } from "effect"
import { fileURLToPath } from "node:url"
import * as ControlPlane from "./ControlPlane.ts"
import { demo } from "./demo/Demo.ts"

const program = Effect.gen(function*() {
  const assets = process.env["KUBEBUILDER_ASSETS"] ?? ""
  const controlPlane: ControlPlane.ControlPlane = assets === ""
    ? yield* ControlPlane.embedded()
    : yield* ControlPlane.real({ assets })
  yield* demo({
    controlPlane,
    program: fileURLToPath(new URL("../main.mjs", import.meta.url)),
    node: process.execPath,
    stay: process.argv.includes("--stay")
  }).pipe(Effect.provide(controlPlane.client))
}).pipe(
  Effect.scoped,
  Effect.provide(NodeServices.layer),
  Effect.provideService(References.MinimumLogLevel, "Warn")
)

NodeRuntime.runMain(program)
