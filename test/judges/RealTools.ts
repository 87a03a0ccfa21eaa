// The tools that people change workloads with, for the judges that have them work beside the daemon: `make judge` builds them
// into a folder and names it by JUDGES (tools/judges.sh). Edge: where they are not, the judges are skipped and say so.
import { join } from "node:path"

const folder = process.env["JUDGES"] ?? ""
const assets = process.env["KUBEBUILDER_ASSETS"] ?? ""

/** Path of a tool in the folder. */
export const tool = (name: "helm3" | "helm4" | "kube-score" | "kustomize-controller" | "crds"): string =>
  join(folder, name)

/** Path of kubectl; it comes with the control plane. */
export const kubectl = join(assets, "kubectl")

/** What stands behind the name of a judge that has no parts here; nothing where they are named: what is then missing fails. */
export const missing: string = assets === ""
  ? " (no control plane: KUBEBUILDER_ASSETS)"
  : folder === ""
  ? " (no tools: make judge)"
  : ""
