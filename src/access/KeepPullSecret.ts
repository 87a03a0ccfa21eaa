// KeepPullSecret: keeps the Secret that PULL_SECRET names in every namespace whose workloads may be rewritten, and names it in their
// ServiceAccounts. It compares what the stores and our own Secret say with what it has written, and writes the difference; what it
// has forgotten by a restart it writes again. Edge: takes nothing away (TakeAwayPullSecret.ts), and never fails.
import { Duration, Effect, Option, Redacted, Result, Stream, SubscriptionRef } from "effect"
import { KubeClient } from "../kube/KubeClient.ts"
import { isLost, type KubeError } from "../kube/KubeError.ts"
import type { Credential } from "../registry/auth/DockerConfig.ts"
import { backup, type Settings } from "../settings/Settings.ts"
import { SettingsRef } from "../settings/SettingsRef.ts"
import { WorkloadStore } from "../store/WorkloadStore.ts"
import { uptime } from "../telemetry/Uptime.ts"
import type { Account } from "../workload/Workload.ts"
import { createHash } from "node:crypto"
import { lineToAdd, withSecret } from "./AccountList.ts"
import { makeComplaints } from "./Complaints.ts"
import { type PullConfig, unfit } from "./PullLogin.ts"
import { type PullNamespace, pullNamespaces } from "./PullNamespaces.ts"
import { makeSecretCopies, type SecretCopies } from "./SecretCopies.ts"

const pace = Duration.seconds(3)
/** Milliseconds until our own Secret is read again. */
const readEvery = 10_000
/** Milliseconds until a copy that nobody has changed is written again: copies are never read, so a lost one is not seen. */
const renewEvery = 3_600_000
/** Milliseconds until what was refused is tried again: somebody has to do something first. */
const refusalRest = 60_000
/** As long for a server that did not answer, or had too much to do. */
const outageRest = 10_000
/** How many namespaces are written to at once. */
const concurrency = 4

interface Options {
  readonly ownNamespace: string
  /** Whether this replica leads. */
  readonly mayWrite: Effect.Effect<boolean>
  /** The logins by which a repository is pushed to. */
  readonly logins: (registry: string, repository: string) => Effect.Effect<ReadonlyArray<Credential>>
}

/** What was written last to a namespace, or to an account, under its key. */
interface Written {
  readonly uid: string
  readonly text: string
  readonly at: number
}

const overlay = "apply manifests/pull-secret, with this name in it"

const describe = (error: KubeError, what: string): string => {
  switch (error.reason) {
    case "Forbidden":
      return `${what} is refused (403): the right is missing (${overlay}), or a quota of the namespace is used up`
    case "Invalid":
      return error.causes.length === 0
        ? `${what} is not done: a Secret of that name is there without the label of ours, so it is somebody's; rename it or PULL_SECRET`
        : `${what} is refused (422): a Secret of that name of another type is there; delete it`
    case "Denied":
      return `${what} is refused by an admission webhook or policy: let ServiceAccount image-cloner-controller do it`
    default:
      return `${what} has failed, it is tried again: ${error.status ?? error.reason}`
  }
}

const isTerminating = (error: KubeError): boolean =>
  error.causes.some((it) => it.reason === "NamespaceTerminating") || error.reason === "NotFound"

/** Reads our own Secret, at most every ten seconds; none where it cannot be given to tenants, which is said once. */
const makeOwn = (options: Options) => {
  const complaints = makeComplaints()
  let name = ""
  let readAt = 0
  let config: Option.Option<PullConfig> = Option.none()

  const read = Effect.fnUntraced(function*(copies: SecretCopies, settings: Settings) {
    const where = `${options.ownNamespace}/${settings.PULL_SECRET}`
    const found = yield* Effect.result(copies.read)
    if (Result.isFailure(found)) {
      const { detail, reason, status } = found.failure
      const why = reason === "NotFound"
        ? "there is none: make it with kubectl create secret docker-registry"
        : reason === "Forbidden"
        ? `it may not be read (403): ${overlay}`
        : reason === "Protocol"
        ? detail
        : `it cannot be read: ${status ?? reason}`
      // one that is there no longer is kept no longer; an outage changes nothing
      if (reason === "NotFound" || reason === "Protocol") config = Option.none()
      return yield* complaints.say([{ about: `Secret ${where}`, text: `PULL_SECRET: ${why}; nothing is written` }])
    }
    const { prefix, registry } = backup(settings)
    const target = { registry, repository: prefix }
    const push = yield* options.logins(registry, prefix)
    const problem = unfit(found.success, { where, backup: target, push })
    config = problem === undefined ? Option.some(found.success) : Option.none()
    yield* complaints.say(problem === undefined ? [] : [{ about: "", text: `PULL_SECRET: ${problem}` }])
  })

  return Effect.fnUntraced(function*(copies: SecretCopies, settings: Settings) {
    const now = yield* uptime
    if (name !== settings.PULL_SECRET) config = Option.none()
    if (name !== settings.PULL_SECRET || now - readAt >= readEvery) {
      name = settings.PULL_SECRET
      readAt = now
      yield* read(copies, settings)
    }
    return config
  })
}

/** What a copy says, told by nobody. */
const markOf = (secret: string, config: PullConfig): string =>
  `${secret} ${createHash("sha256").update(Redacted.value(config)).digest("hex")}`

/** What is remembered of namespaces and accounts; only of those that are wanted. */
const makeMemory = () => {
  const written = new Map<string, Written>()
  const rests = new Map<string, number>()
  return {
    isDue: (key: string, uid: string, text: string, now: number): boolean => {
      const last = written.get(key)
      if ((rests.get(key) ?? 0) > now) return false
      return last === undefined || last.uid !== uid || last.text !== text || now - last.at >= renewEvery
    },
    /** Whether there is a copy of ours under this name, if an older one. */
    isKept: ({ name, uid }: PullNamespace, secret: string): boolean => {
      const last = written.get(name)
      return last !== undefined && last.uid === uid && last.text.startsWith(`${secret} `)
    },
    rests: (key: string, now: number): boolean => (rests.get(key) ?? 0) > now,
    done: (key: string, it: Written) => {
      rests.delete(key)
      written.set(key, it)
    },
    rest: (key: string, until: number) => rests.set(key, until),
    keep: (keys: ReadonlySet<string>) => {
      for (const map of [written, rests]) for (const key of map.keys()) if (!keys.has(key)) map.delete(key)
    }
  }
}

/** Makes one look: everything that is due is written once. */
export const makeKeepPullSecret = Effect.fnUntraced(function*(options: Options) {
  const client = yield* KubeClient
  const store = yield* WorkloadStore
  const own = makeOwn(options)
  const memory = makeMemory()
  const complaints = makeComplaints()

  const keepCopy = Effect.fnUntraced(function*(
    copies: SecretCopies,
    { name, uid }: PullNamespace,
    secret: string,
    config: PullConfig
  ) {
    const now = yield* uptime
    const text = markOf(secret, config)
    if (!memory.isDue(name, uid, text, now) || !(yield* options.mayWrite)) return []
    const kept = yield* Effect.result(copies.keep(name, config))
    if (Result.isSuccess(kept)) {
      memory.done(name, { uid, text, at: now })
      return []
    }
    const error = kept.failure
    memory.rest(name, now + (error.retryable ? outageRest : refusalRest))
    // a watch tells when it is gone
    if (isTerminating(error)) return []
    return [{ about: name, text: describe(error, `Secret ${secret}`) }]
  })

  const nameIn = Effect.fnUntraced(function*(copies: SecretCopies, account: Account, secret: string) {
    const line = lineToAdd(account, secret)
    if (line !== undefined) {
      return [{ about: `ServiceAccount ${account.key}`, text: `its pull secrets are not ours: ${line}` }]
    }
    const operations = withSecret(account, secret)
    const now = yield* uptime
    if (operations.length === 0 || memory.rests(account.key, now) || !(yield* options.mayWrite)) return []
    const patched = yield* Effect.result(copies.patchAccount(account, operations))
    // the watch tells of it, and until then it is not written again
    memory.rest(account.key, now + refusalRest)
    if (Result.isSuccess(patched) || isLost(patched.failure) || isTerminating(patched.failure)) return []
    return [{ about: `ServiceAccount ${account.key}`, text: describe(patched.failure, "naming the pull secret") }]
  })

  return Effect.fnUntraced(function*(settings: Settings) {
    if (settings.PULL_SECRET === "" || settings.DRY_RUN || !(yield* options.mayWrite)) return
    // what cannot be seen is not touched
    if (!["serviceaccounts", "namespaces"].every((it) => store.isSynced(it))) return
    const secret = settings.PULL_SECRET
    const copies = makeSecretCopies(client, options.ownNamespace, secret)
    const config = Option.getOrUndefined(yield* own(copies, settings))
    if (config === undefined) return
    const namespaces = pullNamespaces(store, { settings, ownNamespace: options.ownNamespace })
    memory.keep(new Set(namespaces.flatMap((it) => [it.name, ...it.accounts.map((account) => account.key)])))
    const problems = yield* Effect.forEach(
      namespaces,
      Effect.fnUntraced(function*(namespace) {
        const first = yield* keepCopy(copies, namespace, secret, config)
        // an account may name it only where it is ours
        if (!memory.isKept(namespace, secret)) return first
        const others = yield* Effect.forEach(namespace.accounts, (it) => nameIn(copies, it, secret))
        return [...first, ...others.flat()]
      }),
      { concurrency }
    )
    yield* complaints.say(problems.flat())
  })
})

/** Looks every three seconds, for ever: also a change of the settings is obeyed by then. */
export const keepPullSecret = Effect.fnUntraced(function*(
  options: Omit<Options, "ownNamespace"> & { readonly ownNamespace: Option.Option<string> }
) {
  const settings = yield* SettingsRef
  if (Option.isNone(options.ownNamespace)) {
    yield* SubscriptionRef.changes(settings).pipe(
      Stream.filter((it) => it.PULL_SECRET !== ""),
      Stream.runHead
    )
    yield* Effect.logError("PULL_SECRET: not known is the controller's own namespace, which has it: set POD_NAMESPACE")
    return yield* Effect.never
  }
  const look = yield* makeKeepPullSecret({ ...options, ownNamespace: options.ownNamespace.value })
  return yield* SubscriptionRef.get(settings).pipe(
    Effect.flatMap(look),
    Effect.andThen(Effect.sleep(pace)),
    Effect.forever
  )
})
