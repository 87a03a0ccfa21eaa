// A request's body, collected within limits: so many bytes of it, and so many of all bodies together, however many there are and
// whatever they announce. Edges: how long one may take is Node's requestTimeout, which ends the connection; what is in it is
// not looked at.
import { Result } from "effect"
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

/**
 * Collects the whole body, and hands it over, or why there is none. Of a client that goes away before its end nothing is heard, and what
 * was held is given back. Callbacks, and not an effect: a fiber that waits for its bytes would be some percent of a review.
 */
export const collectBody = (
  request: IncomingMessage,
  most: number,
  holding: Holding,
  then: (body: Result.Result<Buffer, Rejection>) => void
): void => {
  // Node lets no more through than was announced, and ends a request that has less; not announced is not a number
  if (Number(request.headers["content-length"]) > most) return then(Result.fail(tooLarge(most)))
  const chunks: Array<Buffer> = []
  let size = 0
  const finish = (body: Result.Result<Buffer, Rejection>) => {
    request.off("data", onData).off("end", onEnd).off("close", holding.release)
    then(body)
  }
  const onData = (chunk: Buffer) => {
    size += chunk.length
    if (size > most) finish(Result.fail(tooLarge(most)))
    else if (!holding.take(chunk.length)) finish(Result.fail(noRoom))
    else chunks.push(chunk)
  }
  const onEnd = () => finish(Result.succeed(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)))
  request.on("data", onData).on("end", onEnd).on("close", holding.release)
}
