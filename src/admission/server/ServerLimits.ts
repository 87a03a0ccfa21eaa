// ServerLimits: how much and how long anybody who reaches the port of the webhooks may ask for.
import { Context, Duration } from "effect"

export interface ServerLimits {
  /** Two objects of 3 MB, the API server's largest, and what is around them. */
  readonly bodyBytes: number
  /** Of all bodies that are being read at a time. */
  readonly allBodyBytes: number
  readonly connections: number
  readonly headerBytes: number
  /** Until the headers, and until all of a request, must be there. */
  readonly headersTimeout: Duration.Duration
  readonly requestTimeout: Duration.Duration
  /** Longer than the API server keeps idle connections (90 s), or it would now and then write into one that is being closed. */
  readonly keepAlive: Duration.Duration
  /** For a decision, whatever the API server would wait. */
  readonly decision: Duration.Duration
  /** For how long a server that is about to end goes on answering, until everybody has heard of it; and how long then for the last. */
  readonly drain: Duration.Duration
  readonly lastAnswers: Duration.Duration
}

export const ServerLimits = Context.Reference<ServerLimits>("image-cloner/admission/server/ServerLimits", {
  defaultValue: () => ({
    bodyBytes: 7 * 1024 * 1024,
    allBodyBytes: 64 * 1024 * 1024,
    connections: 512,
    headerBytes: 64 * 1024,
    headersTimeout: Duration.seconds(32),
    requestTimeout: Duration.seconds(35),
    keepAlive: Duration.seconds(95),
    decision: Duration.seconds(4),
    drain: Duration.seconds(10),
    lastAnswers: Duration.seconds(5)
  })
})
