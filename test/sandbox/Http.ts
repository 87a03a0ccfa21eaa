// Plain requests for the sandbox's tests: fetch as an Effect, and the answer's parts that tests look at.
import { Data, Effect } from "effect"

export class RequestFailed extends Data.TaggedError("RequestFailed")<{ readonly cause: unknown }> {}

/** JSON of whatever shape: a test asserts on what it reads. */
export type Answered = ReturnType<typeof JSON.parse>

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Uint8Array
  readonly text: string
  readonly json: () => Answered
}

export const send = (url: string, init: RequestInit = {}): Effect.Effect<Answer, RequestFailed> =>
  Effect.tryPromise({
    try: async (signal) => {
      const response = await fetch(url, { redirect: "manual", signal, ...init })
      const bytes = new Uint8Array(await response.arrayBuffer())
      const text = Buffer.from(bytes).toString("utf8")
      return { status: response.status, headers: response.headers, bytes, text, json: () => JSON.parse(text) }
    },
    catch: (cause) => new RequestFailed({ cause })
  })

export const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`
