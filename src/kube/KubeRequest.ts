// KubeRequest: one request to the API server. Edge: whether it may be sent again is RequestRetries.ts.
import type { Duration } from "effect"

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
  /** Whether the answer may be packed: for what is long, and not for what comes bit by bit. */
  readonly packed?: true | undefined
  /** A lease has a connection of its own and five seconds: nothing else may delay it. */
  readonly purpose?: "lease" | undefined
  /** Never tried again by the client: whoever sends it decides anew first. */
  readonly once?: true | undefined
  /** Of `frames`: for how long the server may say nothing; 90 s if not given. */
  readonly silence?: Duration.Input | undefined
}

/** What it is called in errors. */
export const operationOf = ({ method, path }: KubeRequest): string => `${method} ${path}`

/** Whether it may change something. */
export const isMutation = ({ method }: KubeRequest): boolean => method !== "GET"

/** A JSON Patch that is made once, or not: whoever sends it decides anew of the object as it is then. */
export const jsonPatch = (path: string, fieldManager: string, operations: ReadonlyArray<unknown>): KubeRequest => ({
  method: "PATCH",
  path,
  query: { fieldManager, fieldValidation: "Strict" },
  contentType: "application/json-patch+json",
  body: operations,
  once: true
})
