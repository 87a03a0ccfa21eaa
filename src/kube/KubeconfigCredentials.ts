// Credentials from a kubeconfig, by client-node's KubeConfig: tokens, client certificates, exec plugins, OIDC.
// The only import of that library, and a static one: this file is loaded lazily, by its name, so that a bundler can put it
// in a chunk of its own and shake the generated API off.
import { KubeConfig } from "@kubernetes/client-node"
import { Result } from "effect"
import type { RequestOptions } from "node:https"

export interface Options {
  /** Path of the file; else KUBECONFIG, else `~/.kube/config`. */
  readonly kubeconfig?: string | undefined
  readonly context?: string | undefined
}

/** One reading of the kubeconfig. `authenticate` may run a plugin; it is called again when its result is a minute old. */
export interface Opened {
  readonly server: string
  readonly proxy: string | undefined
  readonly authenticate: () => Promise<RequestOptions>
}

type User = NonNullable<ReturnType<KubeConfig["getCurrentUser"]>>
type Cluster = NonNullable<ReturnType<KubeConfig["getCurrentCluster"]>>

// Plugins built on client-go want to know what is asked of them (KEP-541); KubeConfig does not say it.
const withExecInfo = (user: User, cluster: Cluster): User => {
  if (user.exec === undefined || user.exec === null) return user
  const info = {
    apiVersion: user.exec.apiVersion ?? "client.authentication.k8s.io/v1",
    kind: "ExecCredential",
    spec: {
      interactive: false,
      ...(user.exec.provideClusterInfo === true
        ? {
          cluster: {
            server: cluster.server,
            "certificate-authority-data": cluster.caData,
            "tls-server-name": cluster.tlsServerName,
            "insecure-skip-tls-verify": cluster.skipTLSVerify
          }
        }
        : {})
    }
  }
  const env = [...(user.exec.env ?? []), { name: "KUBERNETES_EXEC_INFO", value: JSON.stringify(info) }]
  return { ...user, exec: { ...user.exec, env } }
}

// What KubeConfig makes up where it finds nothing, for `kubectl proxy` of old; nobody means that.
const isMadeUp = (config: KubeConfig): boolean =>
  config.getCurrentContext() === "loaded-context" && config.getCurrentCluster()?.server === "http://localhost:8080"

/**
 * Reads the kubeconfig, or says which name is missing; undefined where there is no kubeconfig at all.
 * Throws what KubeConfig throws.
 */
export const open = (options: Options): Result.Result<Opened | undefined, string> => {
  const config = new KubeConfig()
  if (options.kubeconfig === undefined) config.loadFromDefault()
  else config.loadFromFile(options.kubeconfig)
  if (options.kubeconfig === undefined && isMadeUp(config)) return Result.succeed(undefined)
  const context = config.getContextObject(options.context ?? config.getCurrentContext())
  const names = config.getContexts().map((it) => it.name).join(", ")
  if (context === null) {
    return Result.fail(`there is no context ${options.context ?? config.getCurrentContext()}; there are: ${names}`)
  }
  const cluster = config.getCluster(context.cluster)
  const user = config.getUser(context.user)
  if (cluster === null) {
    return Result.fail(`the context ${context.name} names the cluster ${context.cluster}, which is not there`)
  }
  if (user === null) {
    return Result.fail(`the context ${context.name} names the user ${context.user}, which is not there`)
  }

  // KubeConfig refuses plain HTTP unless told not to verify what is not there; the proxy is the transport's business
  const { proxyUrl, ...direct } = cluster
  const plain = cluster.server.startsWith("http:")
  const one = new KubeConfig()
  one.loadFromClusterAndUser({ ...direct, skipTLSVerify: plain || cluster.skipTLSVerify }, withExecInfo(user, cluster))
  return Result.succeed({
    server: cluster.server.replace(/\/+$/, ""),
    proxy: proxyUrl,
    authenticate: async () => {
      const applied: RequestOptions = {}
      await one.applyToHTTPSOptions(applied)
      return applied
    }
  })
}
