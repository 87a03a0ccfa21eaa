// A request's body, collected within limits: so many bytes of it, and so many of all bodies together, however many there are and
// whatever they announce. Edges: how long one may take is Node's requestTimeout, which ends the connection; what is in it is
// not looked at.
import { Effect } from "effect"
import { Buffer } from "node:buffer"
import type { IncomingMessage } from "node:http"
import { Rejection } from "./Rejection.ts"

/** What one request holds of the room that all share. */
export interface Holding {
  /** False, and nothing is taken, where there is no room. */
  readonly take: (bytes: number) => boolean
  readonly release: () => void
}

/** Room for so many bytes. It is counted as bytes arrive: what is merely announced would cost a client nothing. */
export const makeRoom = (most: number): () => Holding => {
  let used = 0
  return () => {
    let mine = 0
    return {
      take: (bytes) => {
        if (used + bytes > most) return false
        used += bytes
        mine += bytes
        return true
      },
      release: () => {
        used -= mine
        mine = 0
      }
    }
  }
}

const tooLarge = (most: number) =>
  new Rejection({ status: 413, text: `the body is larger than ${most} bytes`, unread: true })

const noRoom = new Rejection({
  status: 503,
  text: "too many large requests at the same time",
  headers: { "retry-after": "1" },
  unread: true
})

/** The whole body. A client that goes away before its end interrupts, since there is nobody left to answer. */
export const readBody = (
  request: IncomingMessage,
  most: number,
  holding: Holding
): Effect.Effect<Buffer, Rejection> =>
  Effect.callback<Buffer, Rejection>((resume) => {
    // Node lets no more through than was announced, and ends a request that has less; not announced is not a number
    if (Number(request.headers["content-length"]) > most) return resume(Effect.fail(tooLarge(most)))
    const chunks: Array<Buffer> = []
    let size = 0
    const finish = (result: Effect.Effect<Buffer, Rejection>) => {
      request.off("data", onData).off("end", onEnd).off("close", onClose)
      resume(result)
    }
    const onData = (chunk: Buffer) => {
      size += chunk.length
      if (size > most) finish(Effect.fail(tooLarge(most)))
      else if (!holding.take(chunk.length)) finish(Effect.fail(noRoom))
      else chunks.push(chunk)
    }
    const onEnd = () => finish(Effect.succeed(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)))
    const onClose = () => finish(Effect.interrupt)
    request.on("data", onData).on("end", onEnd).on("close", onClose)
    return Effect.sync(() => void request.off("data", onData).off("end", onEnd).off("close", onClose))
  })
