// Turns what a kubeconfig says into Credentials; loads the heavy half only when it is needed.
import { Effect, Redacted } from "effect"
import type { RequestOptions } from "node:https"
import type { Access, Credentials } from "./Access.ts"
import { cached } from "./CredentialCache.ts"
import type { Options } from "./KubeconfigCredentials.ts"
import { credentialsError, type KubeError } from "./KubeError.ts"

const sayWhy = (cause: unknown): string => cause instanceof Error ? cause.message.trim() : String(cause)

type Pem = string | Buffer
const pem = (value: unknown): Pem | undefined => typeof value === "string" || Buffer.isBuffer(value) ? value : undefined

const accessOf = (applied: RequestOptions): Access => {
  const headers: Record<string, Redacted.Redacted> = {}
  for (const [name, value] of Object.entries(applied.headers ?? {})) {
    if (typeof value === "string") headers[name.toLowerCase()] = Redacted.make(value, { label: name })
  }
  if (typeof applied.auth === "string") {
    headers["authorization"] = Redacted.make(`Basic ${Buffer.from(applied.auth).toString("base64")}`, {
      label: "basic"
    })
  }
  const key = pem(applied.key)
  return {
    headers,
    tls: {
      ca: pem(applied.ca),
      cert: pem(applied.cert),
      key: key === undefined ? undefined : Redacted.make(key, { label: "client key" }),
      servername: applied.servername,
      rejectUnauthorized: applied.rejectUnauthorized
    }
  }
}

const noCluster =
  "there is no cluster to speak to: this is no pod with a ServiceAccount, KUBECONFIG is not set, and the "
  + "home folder has no .kube/config; name a kubeconfig with --kubeconfig"

/** The credentials of a kubeconfig. Server and proxy are those of the first reading; all else is read again in time. */
export const fromKubeconfig = Effect.fnUntraced(function*(
  options: Options
): Effect.fn.Return<Credentials, KubeError> {
  const where = options.kubeconfig ?? "the kubeconfig"
  const open = Effect.tryPromise({
    try: () => import("./KubeconfigCredentials.ts").then((it) => it.open(options)),
    catch: (cause) => sayWhy(cause)
  }).pipe(
    Effect.flatMap(Effect.fromResult),
    Effect.mapError((problem) => credentialsError(`${where} cannot be used: ${problem}`)),
    Effect.filterOrFail((it) => it !== undefined, () => credentialsError(noCluster))
  )
  let opened = yield* open
  const { proxy, server } = opened
  let stale = false
  const { access, reload } = yield* cached(Effect.gen(function*() {
    // a new reading has no plugin's answer in its cache
    if (stale) opened = yield* open
    stale = false
    const applied = yield* Effect.tryPromise({
      try: () => opened.authenticate(),
      catch: (cause) => credentialsError(`the credentials of ${where} cannot be had: ${sayWhy(cause)}`)
    })
    return accessOf(applied)
  }))
  return {
    server,
    proxy,
    access,
    reload: (refused) => Effect.map(reload(refused), (dropped) => void (stale ||= dropped))
  }
})
