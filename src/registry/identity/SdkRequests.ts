// SdkRequests: sends what a cloud's library wants to send over the program's own sockets: proxies, authorities and time-outs are
// those of every other request. The hosts are the library's, or the owner's by variables such as AWS_ENDPOINT_URL: they may be
// private (endpoints of a VPC). Edge: metadata services are asked by the libraries themselves, never through a proxy.
import { Duration, Effect, FiberSet, type Scope } from "effect"
import { firstOf } from "../../http/HeaderValues.ts"
import type { Agents } from "../transport/Agents.ts"
import { exchange, type Outgoing } from "../transport/Dispatch.ts"

/** A request as the AWS SDK makes it (`HttpRequest` of @smithy/core). */
export interface SdkRequest {
  readonly method: string
  readonly protocol: string
  readonly hostname: string
  readonly port?: number | undefined
  readonly path: string
  readonly query?: Readonly<Record<string, string | ReadonlyArray<string> | null>> | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
}

export interface SdkResponse {
  readonly statusCode: number
  readonly headers: Record<string, string>
  readonly body: Uint8Array
}

/** What the AWS SDK takes as `requestHandler`. */
export interface SdkRequests {
  readonly metadata: { readonly handlerProtocol: string }
  readonly handle: (
    request: SdkRequest,
    options?: { readonly abortSignal?: unknown }
  ) => Promise<{ readonly response: SdkResponse }>
}

/** For each of the connection, the headers and the whole answer. */
const timeout = Duration.toMillis("10 seconds")
const mostBytes = 1024 * 1024

const urlOf = ({ hostname, path, port, protocol, query }: SdkRequest): URL => {
  const url = new URL(`${protocol}//${hostname}${port === undefined ? "" : `:${port}`}${path}`)
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const it of typeof value === "string" || value === null ? [value ?? ""] : value) {
      url.searchParams.append(name, it)
    }
  }
  return url
}

const methods: ReadonlyArray<Outgoing["method"]> = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

const bytesOf = (body: unknown): Uint8Array | undefined =>
  typeof body === "string" ? new TextEncoder().encode(body) : body instanceof Uint8Array ? body : undefined

/** The handler, for as long as the scope lives. It is asked by promises, and so this is where effects become promises. */
export const makeSdkRequests = Effect.fnUntraced(
  function*(agents: Pick<Agents, "of">): Effect.fn.Return<SdkRequests, never, Scope.Scope> {
    const run = yield* FiberSet.makeRuntimePromise()
    const send = (request: SdkRequest) =>
      Effect.suspend(() => {
        const url = urlOf(request)
        return exchange(
          agents.of("realm", url, false),
          {
            method: methods.find((it) => it === request.method) ?? "POST",
            url,
            headers: request.headers,
            body: bytesOf(request.body),
            headersTimeout: timeout,
            bodyTimeout: timeout,
            wholeTimeout: timeout
          },
          mostBytes
        )
      }).pipe(Effect.map(({ body, headers, status }) => ({
        response: {
          statusCode: status,
          headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, firstOf(value) ?? ""])),
          body
        }
      })))
    return {
      metadata: { handlerProtocol: "http/1.1" },
      handle: (request, options) =>
        run(send(request), options?.abortSignal instanceof AbortSignal ? { signal: options.abortSignal } : undefined)
    }
  }
)
