// Envelope: what the API server wraps an object into in Protocol Buffers: four bytes and a message with its kind. Source: apimachinery
// pkg/runtime/serializer/protobuf, API concepts "Alternate representations of resources".
import { Result } from "effect"
import * as P from "../../protobuf/Message.ts"
import { read } from "../../protobuf/Read.ts"

/** What is asked for where objects are read in Protocol Buffers; whoever has none answers in JSON. */
export const protobufOrJson = "application/vnd.kubernetes.protobuf, application/json"

/** Whether an answer's content type says that it is in Protocol Buffers. */
export const isProtobuf = (contentType: string | undefined): boolean =>
  contentType?.startsWith("application/vnd.kubernetes.protobuf") === true

const magic = [0x6b, 0x38, 0x73, 0x00] // "k8s" and a zero

const unknown = P.message({ raw: [2, P.bytes], contentEncoding: [3, P.text] })

/** The bytes of the object itself, or what is wrong with its envelope. */
export const unwrap = (bytes: Buffer): Result.Result<Buffer, string> => {
  if (magic.some((it, at) => bytes[at] !== it)) return Result.fail("an object without its prefix")
  return Result.flatMap(
    read(unknown, bytes, magic.length),
    ({ contentEncoding, raw }) =>
      contentEncoding !== undefined
        ? Result.fail("an object that is encoded once more")
        // an object without any field has no bytes
        : Result.succeed(Buffer.isBuffer(raw) ? raw : Buffer.alloc(0))
  )
}

/** `Status`: why something was not done. */
export const statusMessage = P.message({
  status: [2, P.text],
  message: [3, P.text],
  reason: [4, P.text],
  details: [
    5,
    P.one(P.message({
      name: [1, P.text],
      group: [2, P.text],
      kind: [3, P.text],
      causes: [4, P.many(P.message({ reason: [1, P.text], message: [2, P.text], field: [3, P.text] }))],
      retryAfterSeconds: [5, P.positive]
    }))
  ],
  code: [6, P.positive]
})

/** A `Status` as JSON has it; undefined where it is none. */
export const readStatus = (bytes: Buffer): unknown =>
  Result.getOrUndefined(Result.flatMap(unwrap(bytes), (it) => read(statusMessage, it)))
