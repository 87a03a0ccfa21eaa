// How much and how long the webhook server bears, so that no client can take it from the others. Times are in milliseconds, sizes
// in bytes. Edge: what answers where a limit is reached is told where it is applied.

export interface ServerLimits {
  /** Of the head of a request. */
  readonly maxHeaderSize: number
  /** Of one body. */
  readonly mostBody: number
  /** Of all bodies that are read or worked on at the same time. */
  readonly mostBodies: number
  readonly mostConnections: number
  readonly handshakeTimeout: number
  readonly headersTimeout: number
  /** For the whole of a request, head and body. */
  readonly requestTimeout: number
  readonly keepAliveTimeout: number
  /** How often Node looks for requests whose time is over. */
  readonly checkInterval: number
  /** A connection on which nothing moves while it is not idle: a client that does not read its answer. */
  readonly stallTimeout: number
  /** How long a handler may take, where the API server would wait longer. */
  readonly patience: number
  /** How long requests in flight may last once the drain is over. */
  readonly closeWithin: number
}

export const serverLimits: ServerLimits = {
  maxHeaderSize: 64 * 1024,
  // controller-runtime's: an update has two objects of 3 MB at most, and something around them
  mostBody: 7 * 1024 * 1024,
  mostBodies: 64 * 1024 * 1024,
  mostConnections: 512,
  handshakeTimeout: 10_000,
  headersTimeout: 32_000,
  // a webhook's timeoutSeconds is 30 at most
  requestTimeout: 35_000,
  // the API server keeps idle connections for 90 s; whoever closes first makes the other's next call fail
  keepAliveTimeout: 95_000,
  checkInterval: 5_000,
  stallTimeout: 60_000,
  patience: 4_000,
  closeWithin: 5_000
}
