// What the sandbox's servers receive and answer, as data: a request, a reply, and the ways a body can be sent.
// Routes turn an Exchange into a Reply; Listener writes it; Faults change what is written. No route touches the socket.
import type { Stream } from "effect"
import { Data, Effect } from "effect"
import type { IncomingHttpHeaders, IncomingMessage } from "node:http"
import type { Readable } from "node:stream"

export interface Exchange {
  /** Upper case. */
  readonly method: string
  /** Percent-encoded as received, without the query. */
  readonly path: string
  readonly query: URLSearchParams
  /** The query as it was sent, without the question mark. */
  readonly search: string
  readonly headers: IncomingHttpHeaders
  /** Where the body is read from: once. */
  readonly message: IncomingMessage
}

/** A live body that ends badly: the connection is reset, as a failing network would. */
export class Reset extends Data.TaggedError("Reset")<{}> {}

export type Body =
  | { readonly _tag: "Bytes"; readonly bytes: Uint8Array }
  | { readonly _tag: "File"; readonly open: () => Readable }
  /** Never ends by itself: a watch. Written with back-pressure, chunk by chunk. */
  | { readonly _tag: "Live"; readonly chunks: Stream.Stream<string, Reset> }

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Body | undefined
}

const encoder = new TextEncoder()

export const empty = (status: number, headers: Record<string, string> = {}): Reply => ({
  status,
  headers: status === 204 ? headers : { "content-length": "0", ...headers }
})

export const bytes = (status: number, content: Uint8Array, headers: Record<string, string> = {}): Reply => ({
  status,
  headers: { "content-length": String(content.length), ...headers },
  body: { _tag: "Bytes", bytes: content }
})

export const text = (status: number, content: string, headers: Record<string, string> = {}): Reply =>
  bytes(status, encoder.encode(content), headers)

export const json = (status: number, value: unknown, headers: Record<string, string> = {}): Reply =>
  text(status, JSON.stringify(value), { "content-type": "application/json", ...headers })

const noBody: Uint8Array | undefined = undefined
const cutShort: Effect.Effect<Uint8Array | undefined> = Effect.succeed(noBody)

/**
 * The whole body, or `undefined` when it is longer than `limit` bytes (what is left of it is drained, so that the
 * client gets its answer) or when the client went away.
 */
export const readBody = (exchange: Exchange, limit: number): Effect.Effect<Uint8Array | undefined> =>
  Effect.callback<Uint8Array | undefined>((resume) => {
    const chunks: Array<Uint8Array> = []
    let size = 0
    exchange.message
      .on("data", (chunk: Uint8Array) => {
        size += chunk.length
        if (size <= limit) chunks.push(chunk)
      })
      .once("end", () => resume(Effect.succeed(size <= limit ? Buffer.concat(chunks) : undefined)))
      .once("error", () => resume(cutShort))
      .once("close", () => resume(cutShort))
      .resume()
  })

/** Hands each chunk of the body to `take`; true when all of it came, false when the client cut it short. */
export const forEachChunk = (exchange: Exchange, take: (chunk: Uint8Array) => void): Effect.Effect<boolean> =>
  Effect.callback<boolean>((resume) => {
    exchange.message
      .on("data", take)
      .once("end", () => resume(Effect.succeed(true)))
      .once("error", () => resume(Effect.succeed(false)))
      .once("close", () => resume(Effect.succeed(false)))
      .resume()
  })
