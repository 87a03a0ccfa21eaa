// KubeRequest: one request to the API server, and whether it may be sent again.
import { Duration, Effect, Schedule } from "effect"
import type { KubeError } from "./KubeError.ts"

export interface KubeRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE"
  /** Without the server and without the query: `/apis/apps/v1/deployments`. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>> | undefined
  /** Sent as JSON. */
  readonly body?: unknown
  /** Of the body; `application/json` if not given. */
  readonly contentType?: string | undefined
  readonly accept?: string | undefined
  /** A lease has a connection of its own and five seconds: nothing else may delay it. */
  readonly purpose?: "lease" | undefined
  /** Never tried again by the client: whoever sends it decides anew first. */
  readonly once?: true | undefined
  /** Of `lines`: for how long the server may say nothing; 90 s if not given. */
  readonly silence?: Duration.Input | undefined
}

/** What it is called in errors. */
export const operationOf = ({ method, path }: KubeRequest): string => `${method} ${path}`

/** Whether it may change something. */
export const isMutation = ({ method }: KubeRequest): boolean => method !== "GET"

const times = 4
// what helps within some seconds; whoever wants to wait longer has the error's word for when
export const retryPolicy = Schedule.min([Schedule.exponential("250 millis"), Schedule.spaced("5 seconds")]).pipe(
  Schedule.jittered,
  Schedule.upTo({ times }),
  Schedule.setInputType<KubeError>(),
  Schedule.modifyDelay(({ duration, input }) =>
    Effect.succeed(Duration.max(duration, input.retryAfter ?? Duration.zero))
  )
)
/** Whoever is to wait longer decides anew first. */
const patience = Duration.seconds(30)

export const mayRepeat = (request: KubeRequest) => (error: KubeError): boolean => {
  if (
    request.once === true || !error.retryable ||
    (error.retryAfter !== undefined && Duration.isGreaterThan(error.retryAfter, patience))
  ) {
    return false
  }
  if (!isMutation(request)) return true
  return !error.outcomeUnknown && (error.reason === "Unreachable" || error.retryAfter !== undefined)
}
