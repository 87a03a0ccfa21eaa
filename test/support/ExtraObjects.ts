// Objects of custom resources with a pod spec, for tests of EXTRA_KINDS.
import { extraKindOf, projectExtra } from "../../src/workload/ProjectExtra.ts"
import type { Workload } from "../../src/workload/Workload.ts"
import { type Given, templated } from "./Objects.ts"

export const rollout = {
  group: "argoproj.io",
  version: "v1alpha1",
  kind: "Rollout",
  path: "spec.template.spec"
} as const

export const rolloutKind = extraKindOf(rollout, "rollouts")

/** A Rollout as Argo has it: a Deployment's fields. */
export const rolloutObject = (given: Given = {}): Record<string, unknown> => ({
  ...templated({ name: "web", ...given, metadata: { uid: `uid-Rollout-${given.name ?? "web"}`, ...given.metadata } }),
  apiVersion: "argoproj.io/v1alpha1",
  kind: "Rollout"
})

export const rolloutOf = (given: Given = {}): Workload => projectExtra(rolloutKind)(rolloutObject(given))! // the fixture always decodes

/** An object that has something at a path of fields, and nothing else. */
export const nested = (path: ReadonlyArray<string>, value: unknown): unknown =>
  path.reduceRight<unknown>((below, key) => ({ [key]: below }), value)
