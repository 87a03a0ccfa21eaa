// WithoutPullSecret: after a restore, the pull secret is taken out of the namespaces that no longer need it. Edge: one where something
// still refers to the backup, or that the controller would give it again, keeps it.
import { Effect, Option } from "effect"
import { pullNamespaces } from "../access/PullNamespaces.ts"
import { takeAwayPullSecret } from "../access/TakeAwayPullSecret.ts"
import { ProcessSettings } from "../settings/ProcessSettings.ts"
import type { Settings } from "../settings/Settings.ts"
import type { Workloads } from "../store/WorkloadStore.ts"
import { namespacesOf, type Scope } from "../workload/Scope.ts"

/** A key is `Kind/namespace/name`. */
const namespaceOf = (key: string): string => key.split("/")[1] ?? ""

/**
 * Does nothing for single workloads, nor without PULL_SECRET.
 * @param store the cluster as it is after the restore
 * @param using keys of what still refers to the backup
 * @returns what is left and why
 */
export const withoutPullSecret = Effect.fnUntraced(
  function*(settings: Settings, scope: Scope, store: Workloads, using: ReadonlyArray<string>) {
    const secret = settings.PULL_SECRET
    if (secret === "" || scope._tag === "Named") return []
    const ownNamespace = Option.getOrElse((yield* ProcessSettings).podNamespace, () => "")
    // with --all the controller rewrites nothing any more, whatever the settings say
    const wanted = scope._tag === "All" ? [] : pullNamespaces(store, { settings, ownNamespace }).map((it) => it.name)
    const kept = new Set([...wanted, ...using.map(namespaceOf)])
    const namespaces = (namespacesOf(scope) ?? store.held("namespace", "")).filter((it) => !kept.has(it))
    const accounts = store.held("account", "").flatMap((key) => {
      const [namespace = "", name = ""] = key.split("/")
      return store.account(namespace, name) ?? []
    })
    return yield* takeAwayPullSecret({ ownNamespace, secret, namespaces, accounts })
  }
)
