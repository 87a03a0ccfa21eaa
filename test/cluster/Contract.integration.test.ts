// One contract, two servers: what the daemon relies on of an API server, its controllers and its kubelet, asked of the
// embedded cluster always and of the real control plane where KUBEBUILDER_ASSETS names its folder.
// Where the two differ, the embedded one is wrong.
import { layer } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync } from "node:fs"
import { join } from "node:path"
import * as ControlPlane from "./contract/ControlPlane.ts"
import { applies } from "./contract/Applies.ts"
import { deletes } from "./contract/Deletes.ts"
import { kubectl } from "./contract/Kubectl.ts"
import { lists } from "./contract/Lists.ts"
import { owners } from "./contract/Owners.ts"
import { ownership } from "./contract/Ownership.ts"
import { patches } from "./contract/Patches.ts"
import { watches } from "./contract/Watches.ts"
import { workloads } from "./contract/Workloads.ts"
import { writes } from "./contract/Writes.ts"

const assets = await Effect.runPromise(ControlPlane.assets)
const kubectlPath = assets === undefined || !existsSync(join(assets, "kubectl")) ? undefined : join(assets, "kubectl")
const servers = [
  ["the embedded cluster", ControlPlane.embedded()] as const,
  ...(assets === undefined ? [] : [["the real control plane", ControlPlane.real(assets)] as const])
]

for (const [name, cluster] of servers) {
  layer(cluster, { timeout: "120 seconds", excludeTestServices: true })(name, (it) => {
    writes(it)
    patches(it)
    applies(it)
    owners(it)
    ownership(it)
    lists(it)
    watches(it)
    deletes(it)
    workloads(it)
    // Only where it is: nothing but npm packages is needed for the rest.
    if (kubectlPath !== undefined) kubectl(it, kubectlPath)
  })
}
