// Why a request gets no AdmissionReview for an answer: what is wrong with it as HTTP, in a short text that repeats nothing of it.
import { Data } from "effect"

export class Rejection extends Data.TaggedError("Rejection")<{
  readonly status: 400 | 404 | 405 | 413 | 415 | 503
  readonly text: string
  readonly headers?: Readonly<Record<string, string>>
  /** Part of the request has not been read, so that no other can follow on the connection. */
  readonly unread: boolean
}> {
  override get message() {
    return `${this.status}: ${this.text}`
  }
}
