// ReadBody: the body of one request, within what one and all together may have. Memory is taken as bytes come, whatever a header
// announces; what was announced too large is not read at all.
import { Effect } from "effect"
import type { IncomingMessage } from "node:http"
import type { ServerLimits } from "./ServerLimits.ts"

export type Body =
  | { readonly _tag: "Read"; readonly text: string }
  | { readonly _tag: "TooLarge" }
  /** All bodies together are as large as they may be. */
  | { readonly _tag: "Busy" }
  /** Whoever sent it has gone. */
  | { readonly _tag: "Gone" }

/** Makes the function that reads a body; it ends at the latest with the time that the server gives a request. */
export const makeReadBody = (limits: Pick<ServerLimits, "bodyBytes" | "allBodyBytes">) => {
  let held = 0

  return (request: IncomingMessage): Effect.Effect<Body> =>
    Effect.callback<Body>((resume) => {
      const announced = Number(request.headers["content-length"] ?? 0)
      if (announced > limits.bodyBytes) return resume(Effect.succeed({ _tag: "TooLarge" }))
      if (held + announced > limits.allBodyBytes) return resume(Effect.succeed({ _tag: "Busy" }))
      const chunks: Array<Buffer> = []
      let size = 0
      let ended = false
      const end = (body: Body) => {
        if (ended) return
        ended = true
        held -= size
        request.removeAllListeners("data")
        // what is left of it is thrown away, or the connection ends
        request.resume()
        resume(Effect.succeed(body))
      }
      request.on("data", (chunk: Buffer) => {
        size += chunk.length
        held += chunk.length
        if (size > limits.bodyBytes) return end({ _tag: "TooLarge" })
        if (held > limits.allBodyBytes) return end({ _tag: "Busy" })
        chunks.push(chunk)
      })
      request.once("end", () => end({ _tag: "Read", text: Buffer.concat(chunks, size).toString("utf8") }))
      request.once("error", () => end({ _tag: "Gone" }))
      request.once("close", () => end({ _tag: "Gone" }))
    })
}
