// What a sandbox server was asked and what it answered, in order of arrival: what tests count and demos show.
// Credentials are reduced to their scheme, so that a log can be printed.
import type { Exchange } from "./Exchange.ts"

export interface RequestRecord {
  readonly method: string
  readonly path: string
  /** Without the question mark; "" when there is none. */
  readonly query: string
  /** As received, without Authorization. */
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  /** Scheme of the Authorization header, lower case; "none" without one. */
  readonly credential: string
  /** Epoch milliseconds. */
  readonly startedAt: number
  /** Undefined while it is under way, and for one that was reset before it had a status. */
  status: number | undefined
  /** Bytes of the response's body that were written. */
  sent: number
  /** Bytes of the request's body that were read. */
  received: number
  endedAt: number | undefined
}

export interface RequestLog {
  readonly entries: () => ReadonlyArray<RequestRecord>
  readonly count: (method: string, path: RegExp) => number
  readonly clear: () => void
  readonly begin: (exchange: Exchange, now: number) => RequestRecord
}

export const make = (capacity: number): RequestLog => {
  let records: Array<RequestRecord> = []
  return {
    entries: () => records,
    count: (method, path) => records.filter((it) => it.method === method && path.test(it.path)).length,
    clear: () => {
      records = []
    },
    begin: (exchange, now) => {
      const { authorization, ...headers } = exchange.headers
      const record: RequestRecord = {
        method: exchange.method,
        path: exchange.path,
        query: exchange.search,
        headers,
        credential: authorization === undefined ? "none" : authorization.split(" ", 1).join("").toLowerCase(),
        startedAt: now,
        status: undefined,
        sent: 0,
        received: 0,
        endedAt: undefined
      }
      // The oldest half goes at once, so that a long demo stays small without a shift per request.
      if (records.length >= capacity) records = records.slice(records.length >> 1)
      records.push(record)
      return record
    }
  }
}
