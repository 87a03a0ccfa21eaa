// A proxy before the API server, and a kubeconfig that leads to it: every request of one daemon is seen there, and can be cut off.
import { Effect } from "effect"
import * as J from "../../sandbox/Json.ts"
import { type Meddler, startProxy } from "./Proxy.ts"

/** The API server's address with something before it, in a kubeconfig. */
export const behindProxy = Effect.fnUntraced(function*(
  kubeconfig: string,
  meddle: Meddler = (_, __, forward) => forward()
) {
  const parsed = J.parse(kubeconfig) ?? null
  const cluster = J.object(parsed, "clusters", 0, "cluster")
  const server = new URL(J.text(cluster, "server") ?? "")
  const authority = J.text(cluster, "certificate-authority-data")
  const proxy = yield* startProxy(
    server.host,
    meddle,
    authority === undefined ? undefined : Buffer.from(authority, "base64").toString("utf8")
  )
  return {
    proxy,
    kubeconfig: JSON.stringify({
      ...J.isObject(parsed) ? parsed : {},
      clusters: [{ name: "sandbox", cluster: { server: `http://${proxy.host}` } }]
    })
  }
})
