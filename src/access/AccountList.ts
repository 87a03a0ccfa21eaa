// AccountList: the JSON Patch (RFC 6902) that adds a pull secret to a ServiceAccount's list, and the one that takes it away. Pure.
// Edge: nothing is done where another field manager holds the list, which is atomic: it would take ours away again, or be refused.
import type { Operation } from "../workload/Patch.ts"
import type { Account } from "../workload/Workload.ts"

const path = "/imagePullSecrets"

const entriesOf = (account: Account) => account.pullSecrets.map((name) => ({ name }))

/**
 * Adds a secret behind those that are there; empty where it is there, or where the list is somebody else's. It holds for the list
 * that was seen alone: the API server refuses it (422) for any other.
 */
export const withSecret = (account: Account, secret: string): ReadonlyArray<Operation> => {
  if (account.pullSecrets.includes(secret) || account.listHolder !== undefined) return []
  return account.pullSecrets.length === 0
    // null also stands for a list that is not there (evanphx/json-patch 4, the API server's)
    ? [{ op: "test", path, value: null }, { op: "add", path, value: [{ name: secret }] }]
    : [{ op: "test", path, value: entriesOf(account) }, { op: "add", path: `${path}/-`, value: { name: secret } }]
}

/** Takes a secret out; empty where it is not there, or where the list is somebody else's. Holds for the list that was seen alone. */
export const withoutSecret = (account: Account, secret: string): ReadonlyArray<Operation> => {
  if (!account.pullSecrets.includes(secret) || account.listHolder !== undefined) return []
  const left = entriesOf(account).filter((it) => it.name !== secret)
  return [
    { op: "test", path, value: entriesOf(account) },
    left.length === 0 ? { op: "remove", path } : { op: "replace", path, value: left }
  ]
}

/** Where somebody else holds a list that lacks the secret: what its owner has to write; undefined where nobody has to. */
export const lineToAdd = (account: Account, secret: string): string | undefined =>
  account.listHolder === undefined || account.pullSecrets.includes(secret)
    ? undefined
    : `add "- name: ${secret}" to imagePullSecrets in what ${JSON.stringify(account.listHolder.slice(0, 100))} applies`
