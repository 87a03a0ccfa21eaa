// An answer's body as a paused stream over undici's dispatch: blobs go from a socket to a socket, and are never collected.
// Edge: as Dispatch.ts, without redirects, credentials and retries; at which pace it goes is Bandwidth.ts's.
import { Effect, type Scope } from "effect"
import type { Dispatcher } from "undici"
import { type Incoming, optionsOf, type Outgoing } from "./Dispatch.ts"
import { DispatchError, dispatchError } from "./DispatchError.ts"

/** What a stream's data goes to. `data` returns false to pause until `resume`. */
export interface BodySink {
  readonly data: (chunk: Buffer) => boolean
  readonly end: () => void
  readonly error: (error: DispatchError) => void
}

/** An answer's body that waits until it is started. */
export interface BodyStream {
  readonly start: (sink: BodySink) => void
  readonly resume: () => void
  readonly abort: () => void
}

/**
 * Sends a GET and returns when its headers are there: a 200 (or the 206 that a Range asks for) with its body as a paused
 * stream, anything else collected up to `most` bytes. The request is aborted with the scope.
 */
export const open = Effect.fnUntraced(function*(
  dispatcher: Dispatcher,
  outgoing: Outgoing,
  most: number
): Effect.fn.Return<Incoming & { readonly stream?: BodyStream }, DispatchError, Scope.Scope> {
  const request = new OpenRequest(dispatcher, outgoing, most)
  // registered before anything is sent: no moment remains in which an interruption would leave the socket open
  yield* Effect.addFinalizer(() => Effect.sync(request.abort))
  return yield* request.send
})

class OpenRequest implements BodyStream {
  #controller: Dispatcher.DispatchController | undefined
  #sink: BodySink | undefined
  #ending: (() => void) | undefined
  #stopped = false
  #ended = false
  readonly #dispatcher: Dispatcher
  readonly #outgoing: Outgoing
  readonly #most: number
  constructor(dispatcher: Dispatcher, outgoing: Outgoing, most: number) {
    this.#dispatcher = dispatcher
    this.#outgoing = outgoing
    this.#most = most
  }

  readonly abort = (): void => {
    if (this.#stopped || this.#ended) return
    this.#stopped = true
    this.#controller?.abort(new Error("stopped"))
  }
  // never from within another answer's parser, of which undici has one at a time: fibers go on wherever they are woken
  readonly resume = (): void => queueMicrotask(this.#resumeNow)
  readonly #resumeNow = (): void => {
    if (!this.#ended && !this.#stopped) this.#controller?.resume()
  }
  readonly start = (sink: BodySink): void => {
    this.#sink = sink
    if (this.#ending !== undefined) return this.#ending()
    this.resume()
  }

  // an end that comes before anybody listens is kept
  #finish(tell: (sink: BodySink) => void): void {
    this.#ended = true
    const end = () => {
      if (this.#sink !== undefined) tell(this.#sink)
    }
    if (this.#sink === undefined) this.#ending = end
    else end()
  }

  readonly send = Effect.callback<Incoming & { readonly stream?: BodyStream }, DispatchError>((resume) => {
    let refusal: Omit<Incoming, "body"> | undefined
    const chunks: Array<Buffer> = []
    let size = 0
    let patience: NodeJS.Timeout | undefined
    const refused = (of: Omit<Incoming, "body">) => {
      clearTimeout(patience)
      resume(Effect.succeed({ ...of, body: Buffer.concat(chunks) }))
    }
    this.#dispatcher.dispatch(optionsOf(this.#outgoing), {
      onRequestStart: (controller) => {
        this.#controller = controller
        if (this.#stopped) controller.abort(new Error("stopped"))
      },
      onResponseStart: (controller, status, headers) => {
        if (status < 200) {
          patience ??= setTimeout(() => {
            resume(Effect.fail(new DispatchError({ reason: "Timeout", detail: "only 1xx comes, and no answer" })))
            this.abort()
          }, this.#outgoing.headersTimeout)
          return
        }
        clearTimeout(patience)
        if (status !== 200 && !(status === 206 && this.#outgoing.headers["range"] !== undefined)) {
          const of = { status, headers }
          refusal = of
          patience = setTimeout(() => {
            refused(of)
            this.abort()
          }, this.#outgoing.wholeTimeout)
          return
        }
        controller.pause()
        resume(Effect.succeed({ status, headers, body: Buffer.alloc(0), stream: this }))
      },
      onResponseData: (controller, chunk) => {
        if (refusal === undefined) {
          if (this.#sink?.data(chunk) === false) controller.pause()
          return
        }
        size += chunk.length
        chunks.push(Buffer.from(chunk))
        // what a refusal says beyond the cap is of no interest, and no reason to read on
        if (size > this.#most) {
          refused(refusal)
          this.abort()
        }
      },
      onResponseEnd: () => {
        if (refusal === undefined) return this.#finish((sink) => sink.end())
        this.#ended = true
        refused(refusal)
      },
      onResponseError: (_, cause) => {
        const error = dispatchError(cause)
        clearTimeout(patience)
        resume(Effect.fail(error))
        this.#finish((sink) => sink.error(error))
      }
    })
    return Effect.sync(() => {
      clearTimeout(patience)
      this.abort()
    })
  })
}
