// Answer: what the API server answers, understood: an object, a KubeError, warnings that are said once.
import { Clock, Effect, Result } from "effect"
import type { Dispatcher } from "undici"
import { firstOf } from "../http/HeaderValues.ts"
import { retryAfterOf } from "../http/RetryAfter.ts"
import { makeNovelty, warningsOf } from "../http/Warnings.ts"
import { isProtobuf, readStatus, unwrap } from "./frames/Envelope.ts"
import { bytesOf } from "./AnswerBytes.ts"
import { fromStatus, protocolError } from "./KubeError.ts"
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

/** Whether an answer is in Protocol Buffers. */
const isWire = (response: Dispatcher.ResponseData): boolean => isProtobuf(firstOf(response.headers["content-type"]))

/** What an answer that is no success says: JSON, text, or what is read of Protocol Buffers. */
const problemOf = Effect.fnUntraced(function*(request: KubeRequest, response: Dispatcher.ResponseData) {
  const read = yield* Effect.result(bytesOf(request, response))
  // what it says may be packed by somebody on the way; that it says no is in its status
  if (Result.isFailure(read)) return read.failure.reason === "Protocol" ? "" : yield* read.failure
  const bytes = read.success
  if (isWire(response)) return readStatus(bytes) ?? ""
  const text = bytes.toString("utf8")
  return parse(text)?.json ?? text
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

/** The JSON of an answer, undefined where it is empty; the bytes of the object where it is in Protocol Buffers. */
export const objectOf = Effect.fnUntraced(function*(request: KubeRequest, response: Dispatcher.ResponseData) {
  const bytes = yield* bytesOf(request, response)
  const parsed = isWire(response)
    ? Result.getOrUndefined(Result.map(unwrap(bytes), (object) => ({ json: object })))
    : parse(bytes.toString("utf8"))
  if (parsed === undefined) {
    return yield* protocolError(operationOf(request), `the answer is not ${isWire(response) ? "an object" : "JSON"}`)
  }
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
