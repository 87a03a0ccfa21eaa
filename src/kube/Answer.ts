// Answer: what the API server answers, understood: JSON, a KubeError, warnings that are said once.
import { Clock, Effect } from "effect"
import type { Dispatcher } from "undici"
import { firstOf } from "../http/HeaderValues.ts"
import { retryAfterOf } from "../http/RetryAfter.ts"
import { makeNovelty, warningsOf } from "../http/Warnings.ts"
import { isProtobuf, readStatus } from "./frames/Envelope.ts"
import { fromStatus, fromTransport, protocolError } from "./KubeError.ts"
import { isMutation, type KubeRequest, operationOf } from "./KubeRequest.ts"

// deprecated kinds, unknown fields; names of objects can be part of a text, so not every one can be remembered
const mostWarnings = 1000

const parse = (text: string): { readonly json: unknown } | undefined => {
  if (text === "") return { json: undefined }
  try {
    return { json: JSON.parse(text) }
  } catch {
    return undefined // the caller says what it is instead
  }
}

/** The whole of an answer. */
const textOf = (request: KubeRequest, response: Dispatcher.ResponseData) =>
  Effect.tryPromise({
    try: (signal) => {
      signal.addEventListener("abort", () => response.body.destroy(), { once: true })
      return response.body.text()
    },
    catch: (cause) => fromTransport(operationOf(request), isMutation(request), cause)
  })

/** What an answer that is no success says: JSON, text, or what is read of Protocol Buffers. */
const problemOf = Effect.fnUntraced(function*(request: KubeRequest, response: Dispatcher.ResponseData) {
  if (!isProtobuf(firstOf(response.headers["content-type"]))) {
    const text = yield* textOf(request, response)
    return parse(text)?.json ?? text
  }
  const bytes = yield* Effect.tryPromise({
    try: () => response.body.arrayBuffer(),
    catch: (cause) => fromTransport(operationOf(request), isMutation(request), cause)
  })
  return readStatus(Buffer.from(bytes)) ?? ""
})

/** Why the server did not do it. */
export const failureOf = Effect.fnUntraced(function*(request: KubeRequest, response: Dispatcher.ResponseData) {
  const body = yield* problemOf(request, response)
  const now = yield* Clock.currentTimeMillis
  return fromStatus({
    operation: operationOf(request),
    mutation: isMutation(request),
    status: response.statusCode,
    body,
    retryAfter: retryAfterOf(firstOf(response.headers["retry-after"]), now)
  })
})

/** The JSON of an answer; undefined where it is empty. */
export const jsonOf = Effect.fnUntraced(function*(request: KubeRequest, response: Dispatcher.ResponseData) {
  const parsed = parse(yield* textOf(request, response))
  if (parsed === undefined) return yield* protocolError(operationOf(request), "the answer is not JSON")
  return parsed.json
})

/** Makes the function that logs what the server warns of, each text once. */
export const makeWarner = () => {
  const isNew = makeNovelty(mostWarnings, "new")
  return (response: Dispatcher.ResponseData): Effect.Effect<void> =>
    Effect.forEach(
      warningsOf(response.headers["warning"]).filter(({ text }) => isNew(text)),
      ({ text }) => Effect.logWarning(`the API server warns: ${text}`),
      { discard: true }
    )
}
