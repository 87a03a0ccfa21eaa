// The generation of a DaemonSet's pod template, which its pods carry as a label: nobody's to write, counted by the server.
// Source: kubernetes pkg/registry/apps/daemonset/strategy.go; as an annotation by pkg/apis/apps/v1/conversion.go.
import type { JsonObject } from "../Json.ts"
import * as J from "../Json.ts"

const annotation = "deprecated.daemonset.template.generation"

/** Sets the annotation of a DaemonSet that is about to be stored in place of `current`; other kinds pass. */
export const count = (kind: string, current: JsonObject | undefined, next: JsonObject): void => {
  if (kind !== "DaemonSet") return
  const before = Number(J.text(current ?? {}, "metadata", "annotations", annotation) ?? 0)
  const same = current !== undefined &&
    J.equal(J.object(current, "spec", "template"), J.object(next, "spec", "template"))
  J.ensure(next, "metadata", "annotations")[annotation] = String(same ? before : before + 1)
}
