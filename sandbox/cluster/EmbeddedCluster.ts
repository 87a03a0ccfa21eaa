// A Kubernetes API server in this process, on a free loopback port, with bearer tokens: what a controller,
// kubectl and the demo need of one, with faults on purpose. State goes with the scope.
// It stores and answers; what makes pods of Deployments is in ../controllers, what runs them in ../kubelet.
import type { Scope } from "effect"
import { Effect, Redacted, Semaphore } from "effect"
import { randomHex } from "../Random.ts"
import type { Faults } from "../server/Faults.ts"
import type { ListenError, Tls } from "../server/Listener.ts"
import * as Listener from "../server/Listener.ts"
import type { RequestLog } from "../server/RequestLog.ts"
import type { Api, ClusterBehaviour } from "./Api.ts"
import * as ApiErrors from "./ApiError.ts"
import type { ClusterUser } from "./Authorize.ts"
import * as Authorize from "./Authorize.ts"
import { kubeconfig } from "./Kubeconfig.ts"
import * as Resources from "./Resources.ts"
import * as Route from "./Route.ts"
import * as Store from "./Store.ts"
import type { Watcher, Watchers } from "./Watch.ts"
import * as Write from "./Write.ts"

export interface EmbeddedClusterOptions extends Partial<ClusterBehaviour> {
  /** Default 0: a free one. */
  readonly port?: number
  /** How many past changes a watch can start from. Default 10 000. */
  readonly historySize?: number
  /**
   * Who a request without credentials is. Default: the administrator, because kubectl sends no token over plain HTTP.
   * A token that is sent is always looked at.
   */
  readonly anonymous?: "admin" | "refused"
  /** HTTPS, with the certificate in the kubeconfig as its CA. */
  readonly tls?: Tls
}

export interface EmbeddedCluster {
  /** "http://127.0.0.1:<port>" */
  readonly url: string
  readonly port: number
  /** May do everything. */
  readonly adminToken: Redacted.Redacted
  /** A kubeconfig for the administrator, or for another token. */
  readonly kubeconfig: (token?: Redacted.Redacted) => string
  /** Lets in one more user; gives back the token. */
  readonly addUser: (user: ClusterUser) => Effect.Effect<Redacted.Redacted>
  /** The token is refused (401) from now on. */
  readonly removeToken: (token: Redacted.Redacted) => Effect.Effect<void>
  readonly behaviour: ClusterBehaviour
  readonly log: RequestLog
  readonly faults: Faults
  readonly switchOff: Effect.Effect<void>
  readonly switchOn: Effect.Effect<void, ListenError>
  /** How many watches are open; of one resource ("deployments.apps", "pods") if it is named. */
  readonly watches: (storage?: string) => number
  /** Ends all watches as a server does whose time is up. */
  readonly endWatches: Effect.Effect<void>
  /** Resets the connections of all watches. */
  readonly cutWatches: Effect.Effect<void>
  /** Sends every watch a line as it stands: garbage, half an event. */
  readonly sendLine: (line: string) => Effect.Effect<void>
  /** Forgets all history: a watch that starts before now gets 410. */
  readonly compact: Effect.Effect<void>
  /** Forgets all history and tells every watch so, in its stream (410 Expired), and ends it. */
  readonly expireWatches: Effect.Effect<void>
  /** The next `times` requests get 429 with Retry-After. */
  readonly throttle: (seconds: number, times: number) => Effect.Effect<void>
  /** The next `times` requests get 500. */
  readonly fail: (times: number) => Effect.Effect<void>
  readonly revision: () => number
}

const defaults: ClusterBehaviour = { watchList: true, bookmarkPeriod: 60_000, serviceAccounts: true }

/** Serves until the scope closes, with the namespaces a new cluster has. */
export const make = Effect.fnUntraced(function*(
  options: EmbeddedClusterOptions = {}
): Effect.fn.Return<EmbeddedCluster, ListenError, Scope.Scope> {
  const { anonymous = "admin", historySize = 10_000, port, tls, ...behaviour } = options
  const api: Api = {
    store: Store.make({ historySize }),
    lock: yield* Semaphore.make(1),
    behaviour: { ...defaults, ...behaviour }
  }
  const watchers: Watchers = { open: new Set() }
  const admin = { name: "admin", groups: ["system:masters"] }
  const authorizer = Authorize.make(anonymous === "admin" ? admin : undefined)
  const addUser = Effect.fnUntraced(function*(user: ClusterUser) {
    const token = Redacted.make(yield* randomHex(32))
    authorizer.add(token, user)
    return token
  })
  const adminToken = yield* addUser(admin)
  yield* Effect.forEach(["default", "kube-system", "kube-public", "kube-node-lease"], (name) => {
    const resource = Resources.byKind("Namespace")
    if (resource === undefined) return Effect.void
    const target = { resource, namespace: "", name: "", user: admin, manager: "kube-apiserver", dryRun: false }
    return Write.create(api, target, { metadata: { name } })
  }).pipe(Effect.orDie)

  let host = ""
  const listener = yield* Listener.make({
    port,
    tls,
    handle: (exchange) => Route.handle({ api, watchers, authorizer, host: () => host }, exchange)
  })
  host = listener.host
  const each = (act: (watcher: Watcher) => void) =>
    Effect.sync(() => {
      for (const watcher of watchers.open) act(watcher)
    })
  const respond = (error: ApiErrors.ApiError, times: number, headers: Record<string, string>) =>
    Effect.sync(() => {
      listener.faults.add({
        times,
        fault: {
          _tag: "Respond",
          status: error.code,
          headers: { "content-type": "application/json", ...headers },
          body: JSON.stringify(ApiErrors.statusOf(error))
        }
      })
    })
  const compact = Effect.sync(() => api.store.compact())
  return {
    url: listener.url,
    port: listener.port,
    adminToken,
    kubeconfig: (token = adminToken) =>
      kubeconfig({ server: listener.url, token, ...(tls === undefined ? {} : { ca: tls.cert }) }),
    addUser,
    removeToken: (token) => Effect.sync(() => authorizer.remove(token)),
    behaviour: api.behaviour,
    log: listener.log,
    faults: listener.faults,
    switchOff: listener.switchOff,
    switchOn: listener.switchOn,
    watches: (storage) => [...watchers.open].filter((it) => storage === undefined || it.storage === storage).length,
    endWatches: each((it) => it.end()),
    cutWatches: each((it) => it.cut()),
    sendLine: (line) => each((it) => it.line(line)),
    compact,
    expireWatches: Effect.andThen(
      compact,
      each((it) => {
        const gone = ApiErrors.expired(`too old resource version: 1 (${api.store.revision()})`)
        it.line(`${JSON.stringify({ type: "ERROR", object: ApiErrors.statusOf(gone) })}\n`)
        it.end()
      })
    ),
    throttle: (seconds, times) =>
      respond(ApiErrors.tooManyRequests(seconds), times, { "retry-after": String(seconds) }),
    fail: (times) =>
      respond(
        new ApiErrors.ApiError({ code: 500, reason: "InternalError", text: "Internal error occurred: on purpose" }),
        times,
        {}
      ),
    revision: () => api.store.revision()
  }
})
