// AnswerReview: what one HTTP request to the webhooks is answered. Whatever is not a review gets a status and a few words; whatever is
// one is allowed where no decision comes: a pod is worth more than our opinion of its images.
import { Cause, Duration, Effect, Option, Result } from "effect"
import type { IncomingHttpHeaders } from "node:http"
import { type AdmissionAnswer, type AdmissionRequest, readReview, writeReview } from "../Review.ts"

/** Decides about a review; must not fail. */
export type Handler = (request: AdmissionRequest) => Effect.Effect<AdmissionAnswer>

/** What has become of a request: `rejected` ones were no reviews, `late` and `failed` ones were allowed as they were. */
export type Outcome = "answered" | "late" | "failed" | "rejected"

export interface HttpAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly outcome: Outcome
}

export const reject = (status: number, why: string, headers: Readonly<Record<string, string>> = {}): HttpAnswer => ({
  status,
  headers: { "content-type": "text/plain; charset=utf-8", ...headers },
  body: `${why}\n`,
  outcome: "rejected"
})

export interface Head {
  readonly method: string
  /** With the query. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
}

export interface Route {
  readonly path: string
  readonly handler: Handler
  /** How long the API server waits, as it says; undefined: it does not say. */
  readonly timeout: Duration.Duration | undefined
}

/** `5s`, as Go writes a duration of whole seconds. */
const timeoutOf = (query: string): Duration.Duration | undefined => {
  const seconds = /(?:^|&)timeout=(\d{1,3})s(?:&|$)/.exec(query)?.[1]
  return seconds === undefined ? undefined : Duration.seconds(Number(seconds))
}

/** Where a request goes, before its body is read. */
export const routeOf = (
  { headers, method, url }: Head,
  handlers: ReadonlyMap<string, Handler>
): Result.Result<Route, HttpAnswer> => {
  const [path = "", query = ""] = url.split("?", 2)
  const handler = handlers.get(path)
  if (handler === undefined) return Result.fail(reject(404, "there is nothing here"))
  if (method !== "POST") return Result.fail(reject(405, "only POST is understood", { allow: "POST" }))
  const type = headers["content-type"] ?? ""
  return /^application\/json\s*(?:;|$)/i.test(type)
    ? Result.succeed({ path, handler, timeout: timeoutOf(query) })
    : Result.fail(reject(415, "only application/json is understood"))
}

const parseJson = (text: string): Result.Result<unknown, string> =>
  Result.try({
    try: (): unknown => JSON.parse(text),
    catch: () => "the body is no JSON" // its own words would hold some of it
  })

const unchanged = (why: string): AdmissionAnswer => ({ warnings: [`image-cloner: ${why}, image left unchanged`] })

interface Decision {
  readonly outcome: Outcome
  readonly answer: AdmissionAnswer
}

/** Runs a handler; where it is late or dies, everything is allowed as it is. */
const decide = (request: AdmissionRequest, handler: Handler, within: Duration.Duration): Effect.Effect<Decision> =>
  handler(request).pipe(
    Effect.map((answer): Decision => ({ outcome: "answered", answer })),
    Effect.timeoutOption(within),
    Effect.map(Option.getOrElse((): Decision => ({ outcome: "late", answer: unchanged("no decision in time") }))),
    Effect.catchCauseIf((cause) => !Cause.hasInterruptsOnly(cause), (cause) =>
      Effect.as(
        // the object is not shown: it may hold what is nobody's business
        Effect.logError("a decision at admission failed", cause),
        { outcome: "failed" as const, answer: unchanged("the decision failed") }
      ))
  )

/**
 * Answers the body of a request.
 * @param most for a decision, whatever the API server would wait
 */
export const answerReview = Effect.fnUntraced(function*(
  text: string,
  { handler, timeout }: Route,
  most: Duration.Duration
): Effect.fn.Return<HttpAnswer> {
  const review = Result.flatMap(parseJson(text), readReview)
  if (Result.isFailure(review)) return reject(400, review.failure)
  const request = review.success
  const within = timeout === undefined ? most : Duration.min(most, Duration.times(timeout, 0.8))
  const { answer, outcome } = request.operation === "DELETE" || request.operation === "CONNECT"
    ? { answer: {}, outcome: "answered" as const }
    : yield* decide(request, handler, within)
  return {
    status: 200,
    headers: { "content-type": "application/json" },
    body: writeReview(request.uid, answer),
    outcome
  }
})
