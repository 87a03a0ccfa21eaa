// AnswerBytes: the whole body of an answer, unpacked where the server has packed it (KEP-156, APIResponseCompression). Edge: what is
// asked for is Exchange's to say, what the bytes mean Answer's. Neither form may fill the memory.
import { Effect } from "effect"
import { promisify } from "node:util"
import { gunzip } from "node:zlib"
import type { Dispatcher } from "undici"
import { encodingOf } from "../http/ContentEncoding.ts"
import { mostBodyBytes } from "./ApiConnections.ts"
import { fromTransport, type KubeError, protocolError } from "./KubeError.ts"
import { isMutation, type KubeRequest, operationOf } from "./KubeRequest.ts"

const unpack = promisify(gunzip)

/** The bytes of an answer; given up with the fiber. */
export const bytesOf = Effect.fnUntraced(function*(
  request: KubeRequest,
  response: Dispatcher.ResponseData
): Effect.fn.Return<Buffer, KubeError> {
  const operation = operationOf(request)
  const bytes = yield* Effect.tryPromise({
    try: (signal) => {
      signal.addEventListener("abort", () => response.body.destroy(), { once: true })
      return response.body.arrayBuffer()
    },
    catch: (cause) => fromTransport(operation, isMutation(request), cause)
  })
  const encoding = encodingOf(response.headers)
  if (encoding === undefined) return Buffer.from(bytes)
  if (encoding !== "gzip") return yield* protocolError(operation, `the answer is packed by ${encoding}`)
  return yield* Effect.tryPromise({
    try: () => unpack(bytes, { maxOutputLength: mostBodyBytes }),
    catch: (cause) => protocolError(operation, `the answer cannot be unpacked: ${String(cause)}`)
  })
})
