// Scope: which workloads a person has named: all of a cluster, those of namespaces, or single ones by `Kind/namespace/name`.
import { Result } from "effect"
import { type ExtraKind, extraName } from "../settings/Settings.ts"
import { keyKindNamed, kinds } from "./Kinds.ts"
import { type Workload, workloadKey } from "./Workload.ts"

export type Scope =
  | { readonly _tag: "All" }
  | { readonly _tag: "Namespaces"; readonly names: ReadonlySet<string> }
  | { readonly _tag: "Named"; readonly keys: ReadonlySet<string> }

const kindNames = kinds.map((it) => it.kind).join(", ")

/**
 * Reads the key of a workload as people write it: `deployment/shop/web`, `deploy/shop/web` and `deployments/shop/web` are as good
 * as `Deployment/shop/web`. Those of EXTRA_KINDS are written as `plan` does: `Rollout.argoproj.io/shop/web`.
 * @returns the key, or what is wrong with the text
 */
export const parseKey = (text: string): Result.Result<string, string> => {
  const [first = "", namespace = "", name = "", ...rest] = text.split("/")
  const kind = keyKindNamed(first)
  if (namespace === "" || name === "" || rest.length > 0) {
    return Result.fail(`${JSON.stringify(text)} does not name a workload; wanted is Kind/namespace/name`)
  }
  return kind === undefined
    ? Result.fail(
      `${JSON.stringify(text)}: there is no kind ${
        JSON.stringify(first)
      }; there are ${kindNames}, and those of EXTRA_KINDS, `
        + "such as Rollout.argoproj.io"
    )
    : Result.succeed(workloadKey(kind, namespace, name))
}

/** Those of EXTRA_KINDS that a scope can be about: what is of another kind is no matter of whether these can be seen. */
export const extrasIn = (scope: Scope, extras: ReadonlyArray<ExtraKind>): ReadonlyArray<ExtraKind> =>
  scope._tag === "Named"
    ? extras.filter((it) => [...scope.keys].some((key) => key.startsWith(`${extraName(it)}/`)))
    : extras

/** The namespaces of a scope; undefined where it is the whole cluster. */
export const namespacesOf = (scope: Scope): ReadonlyArray<string> | undefined => {
  switch (scope._tag) {
    case "All":
      return undefined
    case "Namespaces":
      return [...scope.names]
    case "Named":
      return [...new Set([...scope.keys].map((it) => it.split("/")[1] ?? ""))]
  }
}

/**
 * Whether a scope has a workload in it, by itself or because it has one of its owners.
 * @param owners controlling owners, nearest first
 */
export const isInScope = (scope: Scope, workload: Workload, owners: ReadonlyArray<Workload>): boolean => {
  switch (scope._tag) {
    case "All":
      return true
    case "Namespaces":
      return scope.names.has(workload.namespace)
    case "Named":
      return [workload, ...owners].some((it) => scope.keys.has(it.key))
  }
}

/** Whether somebody has named this very workload. */
export const isNamed = (scope: Scope, key: string): boolean => scope._tag === "Named" && scope.keys.has(key)
