// ProjectManifest: the projection of whatever kind a manifest is of.
import { kindOf, type WorkloadKind } from "./Kinds.ts"
import { projectTemplated } from "./Project.ts"
import { projectPod } from "./ProjectPod.ts"
import type { Workload } from "./Workload.ts"

/** Projects an object of a kind from its manifest, as `plan -f` reads it. */
export const projectManifest = (kind: WorkloadKind, object: unknown): Workload | undefined =>
  kind === "Pod" ? projectPod(object)?.workload : projectTemplated(kindOf(kind))(object)
