// One event of a watch in Protocol Buffers, told apart as WatchEvent.ts tells lines. Source: apimachinery meta/v1 generated.proto,
// WatchEvent; the object has its own envelope, and is a Status where the watch fails.
import { Result } from "effect"
import * as P from "../../protobuf/Message.ts"
import { read } from "../../protobuf/Read.ts"
import { readStatus, unwrap } from "../frames/Envelope.ts"
import { eventOf, type WatchEvent } from "./WatchEvent.ts"

/** An object that was read by a table, and not from JSON. */
export class WireObject {
  readonly fields: Readonly<Record<string, unknown>>
  constructor(fields: Readonly<Record<string, unknown>>) {
    this.fields = fields
  }
}

const watchEvent = P.message({ type: [1, P.text], object: [2, P.one(P.message({ raw: [1, P.bytes] }))] })

const rawOf = (object: unknown): Buffer | undefined => {
  const raw = typeof object === "object" && object !== null && "raw" in object ? object.raw : undefined
  return Buffer.isBuffer(raw) ? raw : undefined
}

/**
 * The event of a frame, or why it is none: the stream is corrupt then.
 * @param message the table of the resource
 */
export const readEvent = (frame: Buffer, message: P.Message): Result.Result<WatchEvent, string> =>
  Result.flatMap(read(watchEvent, frame), ({ object, type }) => {
    const raw = rawOf(object)
    if (raw === undefined) return Result.fail("an event without an object")
    if (type === "ERROR") return Result.succeed<WatchEvent>({ _tag: "Error", status: readStatus(raw) })
    return Result.flatMap(unwrap(raw), (bytes) =>
      Result.flatMap(read(message, bytes), (fields) => {
        const event = eventOf(type, fields, new WireObject(fields))
        if (event === undefined) return Result.fail(`an event that is none: ${String(type)}`)
        return Result.succeed(event)
      }))
  })
