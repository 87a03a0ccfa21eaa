// One HTTP exchange over undici's dispatch, collected whole and bounded. A body that is read as it comes is BodyStream.ts.
// Edge: no redirects, no credentials, no retries; a failure is a DispatchError that knows why, but not for whom.
import { Effect } from "effect"
import { Readable } from "node:stream"
import type { Dispatcher } from "undici"
import { DispatchError, dispatchError } from "./DispatchError.ts"

export type ResponseHeaders = Readonly<Record<string, string | Array<string> | undefined>>

/** One request to one URL. Times in milliseconds, 0 for none. */
export interface Outgoing {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE"
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array | Readable | undefined
  readonly headersTimeout: number
  readonly bodyTimeout: number
  /** From the headers to the end of what is collected here: undici's own time-outs begin anew with every byte. */
  readonly wholeTimeout: number
}

export interface Incoming {
  readonly status: number
  readonly headers: ResponseHeaders
  readonly body: Buffer
}

/** The request as undici wants it. */
export const optionsOf = (outgoing: Outgoing): Dispatcher.DispatchOptions => ({
  origin: outgoing.url.origin,
  path: outgoing.url.pathname + outgoing.url.search,
  method: outgoing.method,
  headers: { ...outgoing.headers },
  headersTimeout: outgoing.headersTimeout,
  bodyTimeout: outgoing.bodyTimeout,
  // undici closes the connection after every HEAD unless told not to
  reset: false,
  // undici's type asks for a Buffer; it takes any Uint8Array (core/util, isBuffer)
  ...(outgoing.body === undefined ? {} : { body: outgoing.body as Readable | Buffer })
})

/** Nothing of the request remains to be sent. */
const isSent = ({ body }: Outgoing): boolean => !(body instanceof Readable) || body.readableEnded || body.destroyed

/** Sends the request and collects the answer, at most `most` bytes of it; more fails with `TooLarge`. */
export const exchange = (
  dispatcher: Dispatcher,
  outgoing: Outgoing,
  most: number
): Effect.Effect<Incoming, DispatchError> =>
  Effect.callback<Incoming, DispatchError>((resume) => {
    let active: Dispatcher.DispatchController | undefined
    let stopped = false
    let head: Omit<Incoming, "body"> | undefined
    const chunks: Array<Buffer> = []
    let size = 0
    let patience: NodeJS.Timeout | undefined
    const stop = () => {
      clearTimeout(patience)
      stopped = true
      active?.abort(new Error("stopped"))
    }
    const giveUp = (detail: string) => {
      resume(Effect.fail(new DispatchError({ reason: "Timeout", detail })))
      stop()
    }
    const end = (result: Effect.Effect<Incoming, DispatchError>) => {
      clearTimeout(patience)
      resume(result)
    }
    dispatcher.dispatch(optionsOf(outgoing), {
      onRequestStart: (controller) => {
        active = controller
        if (stopped) controller.abort(new Error("stopped"))
      },
      onResponseStart: (_, status, headers) => {
        // undici begins the headers' time anew with every 1xx: from the first after the request's end on, it runs here
        if (status < 200) {
          if (isSent(outgoing)) {
            patience ??= setTimeout(giveUp, outgoing.headersTimeout, "only 1xx comes, and no answer")
          }
          return
        }
        head = { status, headers }
        clearTimeout(patience)
        patience = setTimeout(giveUp, outgoing.wholeTimeout, "the answer comes too slowly")
      },
      onResponseData: (_, chunk) => {
        size += chunk.length
        if (size > most) {
          resume(Effect.fail(
            new DispatchError({ reason: "TooLarge", detail: `the answer has more than ${most} bytes` })
          ))
          return stop()
        }
        // a copy: the chunk may be a slice of a buffer that is reused
        chunks.push(Buffer.from(chunk))
      },
      onResponseEnd: () => {
        if (head === undefined) return end(Effect.fail(dispatchError(new Error("the answer has no status"))))
        end(Effect.succeed({ ...head, body: Buffer.concat(chunks) }))
      },
      onResponseError: (_, cause) => end(Effect.fail(dispatchError(cause)))
    })
    return Effect.sync(stop)
  })
