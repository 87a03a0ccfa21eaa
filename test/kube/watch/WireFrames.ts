// Events of a watch as an API server writes them in Protocol Buffers.
import { statusMessage } from "../../../src/kube/frames/Envelope.ts"
import type { Message } from "../../../src/protobuf/Message.ts"
import { bytesField, encode } from "../../protobuf/Encode.ts"

/** An object in its envelope; its kind is no matter here. */
export const wrap = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from("k8s\0"), bytesField(2, bytes)])

/** The message of an event, without its length. */
export const frameOf = (message: Message, event: { readonly type: string; readonly object: unknown }): Buffer =>
  Buffer.concat([
    bytesField(1, event.type),
    bytesField(2, bytesField(1, wrap(encode(event.type === "ERROR" ? statusMessage : message, event.object))))
  ])

/** As it goes over the wire. */
export const framed = (frame: Buffer): Buffer => {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(frame.length)
  return Buffer.concat([length, frame])
}
