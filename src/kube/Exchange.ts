// Exchange: one request to the API server as somebody, over connections that belong to their certificates. Edge: as whom is Access's,
// what the answer means Answer's.
import { Duration, Effect, Redacted } from "effect"
import { arch, platform } from "node:os"
import type { Dispatcher } from "undici"
import { version } from "../telemetry/Version.ts"
import type { Access, Credentials, Tls } from "./Access.ts"
import { type Agents, keyOf, makeAgents, type Purpose } from "./ApiConnections.ts"
import { fromTransport, type KubeError } from "./KubeError.ts"
import { isMutation, type KubeRequest, operationOf } from "./KubeRequest.ts"

const userAgent = `image-cloner/${version} (${platform()}/${arch()})`

const retire = (agents: Agents): void => {
  // nobody waits for it, and a connection that cannot be closed is gone already
  for (const agent of Object.values(agents)) agent.close().catch(() => undefined)
}

export type Exchange = (
  request: KubeRequest,
  purpose: Purpose,
  access: Access
) => Effect.Effect<Dispatcher.ResponseData, KubeError>

/** Makes the function that sends; the connections are closed with the scope. */
export const makeExchange = Effect.fnUntraced(function*(credentials: Credentials) {
  const base = new URL(credentials.server)
  const root = base.pathname === "/" ? "" : base.pathname

  // the connections are replaced when the certificates change; the old ones end with their last request
  let current: { readonly key: string; readonly agents: Agents } | undefined
  const agentsFor = (tls: Tls): Agents => {
    const key = keyOf(tls)
    if (current?.key === key) return current.agents
    if (current !== undefined) retire(current.agents)
    current = { key, agents: makeAgents(tls, credentials.proxy) }
    return current.agents
  }
  yield* Effect.addFinalizer(() =>
    Effect.promise(async () => {
      if (current !== undefined) await Promise.all(Object.values(current.agents).map((it) => it.destroy()))
    })
  )

  const send: Exchange = Effect.fn("kube.request")(function*(request, purpose, { headers, tls }) {
    const operation = operationOf(request)
    yield* Effect.annotateCurrentSpan({ operation })
    const agents = agentsFor(tls)
    const query = new URLSearchParams(request.query).toString()
    const secret = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Redacted.value(value)]))
    return yield* Effect.tryPromise({
      try: (signal) =>
        agents[purpose].request({
          origin: base.origin,
          path: `${root}${request.path}${query === "" ? "" : `?${query}`}`,
          method: request.method,
          headers: {
            accept: request.accept ?? "application/json",
            "user-agent": userAgent,
            ...(request.packed === undefined ? {} : { "accept-encoding": "gzip" }),
            ...(request.body === undefined ? {} : { "content-type": request.contentType ?? "application/json" }),
            ...secret
          },
          body: request.body === undefined ? null : JSON.stringify(request.body),
          signal,
          ...(request.silence === undefined ? {} : { bodyTimeout: Duration.toMillis(request.silence) })
        }),
      catch: (cause) => fromTransport(operation, isMutation(request), cause)
    })
  })
  return send
})
