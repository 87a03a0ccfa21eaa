// CloudRequests: what this program itself asks a cloud for, where no library does: over its own sockets, with its own time-outs,
// and a metadata service never through a proxy. Edge: what an answer means is its cloud's file; libraries send by SdkRequests.ts.
import { Duration, Effect } from "effect"
import type { Agents } from "../transport/Agents.ts"
import { exchange, type Incoming } from "../transport/Dispatch.ts"
import type { DispatchError } from "../transport/DispatchError.ts"

export interface CloudRequest {
  readonly url: URL
  readonly headers?: Readonly<Record<string, string>>
  /** Sent by POST; without it the request is a GET. */
  readonly form?: Readonly<Record<string, string>>
  /** To a metadata service of the machine: past every proxy. */
  readonly isMetadata?: boolean
}

export interface CloudRequests {
  readonly send: (request: CloudRequest) => Effect.Effect<Incoming, DispatchError>
  /** Where a registry is, by the settings; undefined where its name is no host of a URL. */
  readonly endpointOf: (registry: string) => URL | undefined
}

/** For each of the connection, the headers and the whole answer. */
const timeout = Duration.toMillis("10 seconds")
/** A token has some thousand bytes. */
const mostBytes = 256 * 1024

/** The hosts are fixed or named by the owner's environment: they may be private. */
export const makeCloudRequests = (
  agents: Pick<Agents, "of" | "direct">,
  endpointOf: CloudRequests["endpointOf"]
): CloudRequests => ({
  endpointOf,
  send: ({ form, headers, isMetadata, url }) =>
    Effect.suspend(() =>
      exchange(
        isMetadata === true ? agents.direct : agents.of("realm", url, false),
        {
          method: form === undefined ? "GET" : "POST",
          url,
          headers: {
            ...headers,
            ...(form === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" })
          },
          body: form === undefined ? undefined : new TextEncoder().encode(new URLSearchParams(form).toString()),
          headersTimeout: timeout,
          bodyTimeout: timeout,
          wholeTimeout: timeout
        },
        mostBytes
      )
    )
})
