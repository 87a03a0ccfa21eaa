// One HTTP exchange over undici's dispatch: collected whole and bounded, or opened as a paused stream.
// Edge: no redirects, no credentials, no retries; a failure is a DispatchError that knows why, but not for whom.
import { Data, Effect, type Scope } from "effect"
import { Readable } from "node:stream"
import type { Dispatcher } from "undici"
import { AddressRefused } from "./AddressPolicy.ts"
import type { RegistryReason } from "../RegistryError.ts"
import { ProxyFailed } from "./Tunnels.ts"

export type ResponseHeaders = Readonly<Record<string, string | Array<string> | undefined>>

/** No usable answer. */
export class DispatchError extends Data.TaggedError("DispatchError")<{
  readonly reason: RegistryReason
  readonly detail: string
  /** It never came to a connection on which something could be asked. */
  readonly noConnection?: boolean
  readonly cause?: unknown
}> {}

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

const optionsOf = (outgoing: Outgoing): Dispatcher.DispatchOptions => ({
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

const codeOf = (error: unknown): string => {
  if (error instanceof AggregateError) return codeOf(error.errors[0])
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : ""
}

const timeouts: ReadonlySet<string> = new Set([
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_BODY_TIMEOUT",
  "ETIMEDOUT"
])
// refused, no way there, no such name: whatever the code, Node says at what it happened
const reaching: ReadonlySet<string> = new Set(["connect", "getaddrinfo"])
// Node gives a handshake that the other side ends the code of a connection that breaks later
const cutHandshake = /before secure TLS connection was established/
// what the other side says of ours
const wantsCertificate = /_ALERT_(?:.*CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)/
const certificate = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/

/** It has not come to a connection that a request could be sent on. */
const isUnconnected = (error: unknown): boolean => {
  if (error instanceof AggregateError) return isUnconnected(error.errors[0])
  if (!(error instanceof Error)) return false
  return codeOf(error) === "UND_ERR_CONNECT_TIMEOUT" || cutHandshake.test(error.message) ||
    ("syscall" in error && typeof error.syscall === "string" && reaching.has(error.syscall))
}

/** Why there was no answer, from undici's and Node's error codes. */
const dispatchError = (cause: unknown): DispatchError => {
  if (cause instanceof AddressRefused) {
    return new DispatchError({ reason: "Refused", detail: cause.message, cause })
  }
  if (cause instanceof ProxyFailed) {
    return new DispatchError({ reason: "Unreachable", detail: cause.message, noConnection: true, cause })
  }
  const code = codeOf(cause)
  const text = cause instanceof Error ? cause.message : String(cause)
  const noConnection = isUnconnected(cause)
  const make = (reason: RegistryReason, detail: string) => new DispatchError({ reason, detail, noConnection, cause })
  if (timeouts.has(code)) return make("Timeout", `no answer in time (${code})`)
  if (wantsCertificate.test(code)) {
    return make(
      "Unauthorized",
      `the host wants a client certificate that it trusts (${code}); it goes to certs.d/<host> in CERTS_DIR`
    )
  }
  if (certificate.test(code)) {
    return make("Certificate", `the certificate is not trusted (${code}); extra authorities go to CERTS_DIR`)
  }
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "ERR_SSL_PACKET_LENGTH_TOO_LONG") {
    return make("Certificate", "the host does not speak TLS; hosts without TLS are named in PLAIN_HTTP_REGISTRIES")
  }
  // undici's parser has names for some of what it finds wrong
  const unparsable = cause instanceof Error && cause.name === "HTTPParserError"
  if (unparsable || code.startsWith("HPE_") || code === "UND_ERR_HEADERS_OVERFLOW") {
    // without its cause, which has the answer's bytes
    return new DispatchError({ reason: "Protocol", detail: `the answer is not HTTP (${code === "" ? text : code})` })
  }
  return make("Unreachable", `no answer (${code === "" ? text : code})`)
}

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

/**
 * Sends a GET and returns when its headers are there: a 200 (or the 206 that a Range asks for) with its body as a paused
 * stream, anything else collected up to `most` bytes. The request is aborted with the scope.
 */
export const open = (
  dispatcher: Dispatcher,
  outgoing: Outgoing,
  most: number
): Effect.Effect<Incoming & { readonly stream?: BodyStream }, DispatchError, Scope.Scope> =>
  Effect.gen(function*() {
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
