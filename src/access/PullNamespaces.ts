// PullNamespaces: which namespaces get the pull secret, and which of their ServiceAccounts: those for which pods of workloads that may
// be rewritten are made. Pure, of the store and the settings. Edge: what is opted out or ignored gets nothing, nor does a namespace
// that is being deleted or was not seen.
import type { Settings } from "../settings/Settings.ts"
import type { Workloads } from "../store/WorkloadStore.ts"
import { leftAlone, rewriteMark, startsWithout } from "../workload/Exempt.ts"
import { kindOf } from "../workload/Kinds.ts"
import type { Account, Workload } from "../workload/Workload.ts"

export interface PullNamespace {
  readonly name: string
  readonly uid: string
  /** Those that were seen, in the order of their names. */
  readonly accounts: ReadonlyArray<Account>
}

interface Given {
  readonly settings: Settings
  readonly ownNamespace: string
}

/** Whether its pods may come to use copies, by a patch or as they are made. */
const mayUseCopies = (store: Workloads, workload: Workload, { ownNamespace, settings }: Given): boolean => {
  const owners = store.ownersOf(workload)
  if (owners.length > 0 || workload.deleting) return false
  const byPatch = settings.REWRITE_MODE === "patch" && kindOf(workload.kind).mutable
  if (!byPatch && settings.MUTATING_WEBHOOK === "off") return false
  const namespace = store.namespace(workload.namespace)
  const facts = { settings, ownNamespace, owners, namespace }
  return leftAlone(workload, facts) === undefined && startsWithout(workload, facts) === undefined &&
    rewriteMark(workload, facts) !== "never"
}

const byText = (a: string, b: string): number => a < b ? -1 : Number(a > b)

/** The namespaces in the order of their names. */
export const pullNamespaces = (store: Workloads, given: Given): ReadonlyArray<PullNamespace> => {
  const found = new Map<string, { readonly uid: string; readonly accounts: Map<string, Account> }>()
  for (const workload of store.all) {
    const { name, terminating, uid } = store.namespace(workload.namespace) ?? { name: "", uid: "" }
    if (uid === "" || terminating === true || !mayUseCopies(store, workload, given)) continue
    const entry = found.get(name) ?? { uid, accounts: new Map() }
    found.set(name, entry)
    // a template with secrets of its own gets none of its account's (kubernetes plugin/pkg/admission/serviceaccount)
    if (workload.pullSecrets.length > 0) continue
    const account = store.account(name, workload.serviceAccount ?? "default")
    if (account !== undefined) entry.accounts.set(account.key, account)
  }
  return [...found].toSorted(([a], [b]) => byText(a, b)).map(([name, { accounts, uid }]) => ({
    name,
    uid,
    accounts: [...accounts.values()].toSorted((a, b) => byText(a.key, b.key))
  }))
}
