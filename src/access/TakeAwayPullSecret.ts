// TakeAwayPullSecret: takes the pull secret out of namespaces again, after a restore: out of the ServiceAccounts' lists, then the copies
// themselves, if they bear our label. By hand, with the rights of whoever does it. Edge: where a list is somebody else's, the name
// stays, which harms nobody; which namespaces still need it is the caller's to say.
import { Effect, Result } from "effect"
import { KubeClient } from "../kube/KubeClient.ts"
import { isLost } from "../kube/KubeError.ts"
import type { Account } from "../workload/Workload.ts"
import { withoutSecret } from "./AccountList.ts"
import { makeSecretCopies } from "./SecretCopies.ts"

interface Options {
  readonly ownNamespace: string
  /** The name of the Secret. */
  readonly secret: string
  readonly namespaces: ReadonlyArray<string>
  /** The accounts of these namespaces, as they are now. */
  readonly accounts: ReadonlyArray<Account>
}

/** Goes through all, whatever fails; answers what is left and why. */
export const takeAwayPullSecret = Effect.fnUntraced(
  function*({ accounts, namespaces, ownNamespace, secret }: Options) {
    const copies = makeSecretCopies(yield* KubeClient, ownNamespace, secret)
    return yield* Effect.forEach(
      // our own Secret is its owner's
      namespaces.filter((it) => it !== ownNamespace),
      Effect.fnUntraced(function*(namespace) {
        const left: Array<string> = []
        for (const account of accounts.filter((it) => it.namespace === namespace)) {
          const operations = withoutSecret(account, secret)
          if (operations.length === 0) continue
          const patched = yield* Effect.result(copies.patchAccount(account, operations))
          if (Result.isSuccess(patched)) continue
          const why = isLost(patched.failure) ? "others changed it at the same time" : patched.failure.message
          left.push(`ServiceAccount ${account.key} still names pull secret ${secret}: ${why}; run it again`)
        }
        const removed = yield* Effect.result(copies.remove(namespace))
        if (Result.isFailure(removed)) {
          left.push(`Secret ${namespace}/${secret} may still be there: ${removed.failure.message}`)
        }
        return left
      }),
      { concurrency: 4 }
    ).pipe(Effect.map((it) => it.flat()))
  }
)
