// Where Go keeps modules: Kubernetes' own golden objects are there, with the sources that the control plane is built of.
import { execFileSync } from "node:child_process"

/** The folder; one that is not there where there is no Go. */
export const goModules = (): string => {
  try {
    return execFileSync("go", ["env", "GOMODCACHE"], { encoding: "utf8" }).trim()
  } catch {
    return "/nowhere" // without Go there is no control plane either, and tests say that they were skipped
  }
}
