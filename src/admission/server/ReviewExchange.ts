// One request and its answer. Whatever happens to the handler, the API server is told in time that the object may pass: a failed
// or late answer of ours must not keep anybody's pod from being made. Edges: what is decided is the handlers'; connections are
// WebhookServer.ts's. Source of the query: apiserver pkg/admission/plugin/webhook, "timeout".
import { Cause, type Clock, Effect, Fiber, Option, Result } from "effect"
import { Buffer, isUtf8 } from "node:buffer"
import type { IncomingMessage, ServerResponse } from "node:http"
import { uptimeUnsafe } from "../../telemetry/Uptime.ts"
import { splitToken } from "../PathTokens.ts"
import { type AdmissionAnswer, type AdmissionRequest, decodeReview, encodeReview } from "../Review.ts"
import { Rejection } from "./Rejection.ts"
import { collectBody, type Holding } from "./RequestBody.ts"
import type { ServerLimits } from "./ServerLimits.ts"

/** Decides on an object. One that dies or is late leaves the object as it is, with a warning to whoever asked. */
export type Handler = (request: AdmissionRequest) => Effect.Effect<AdmissionAnswer>

/** What became of a request: `rejected` is one that was no review, and got a status other than 200. */
export type Outcome = "answered" | "late" | "failed" | "rejected"

export interface Observation {
  readonly path: string
  readonly outcome: Outcome
  /** From the end of the request's head to the answer. */
  readonly millis: number
}

/** Begins a fiber at once, and goes on with it as long as the server lives. */
export type Fork = (effect: Effect.Effect<void>) => Fiber.Fiber<void>

export interface ExchangeOptions {
  /** By path, without its last segment. */
  readonly handlers: ReadonlyMap<string, Handler>
  /** What the last segment of a path may be. */
  readonly tokens: ReadonlySet<string>
  readonly limits: ServerLimits
  readonly hold: () => Holding
  /** No further request is wanted on the connection. */
  readonly draining: () => boolean
  readonly observe: (it: Observation) => Effect.Effect<void>
  readonly clock: Clock.Clock
}

interface Decided {
  readonly outcome: Outcome
  readonly body: string
}

const late: AdmissionAnswer = { warnings: ["image-cloner: no decision in time, image left unchanged"] }
const failed: AdmissionAnswer = { warnings: ["image-cloner: internal error, image left unchanged"] }

// the answer needs time to arrive, too
const share = 0.8

/**
 * How long a handler may take: the API server's time, as it tells it in Go's notation ("10s"), with some left for the way back.
 * It is 30 seconds at most, so that other units than these are no use of it.
 */
export const patienceOf = (query: string, most: number): number => {
  const [, amount, unit] = /^(\d{1,6}(?:\.\d{1,9})?)(ms|s)$/.exec(new URLSearchParams(query).get("timeout") ?? "") ?? []
  return amount === undefined ? most : Math.min(most, share * Number(amount) * (unit === "ms" ? 1 : 1000))
}

// names come unchecked, before the API server's own validation, and may be of any length
const shownName = ({ name, namespace, operation, resource, uid }: AdmissionRequest): string =>
  `${operation} ${resource.resource.slice(0, 63)} ${JSON.stringify(`${namespace}/${name}`.slice(0, 317))}, request ${
    JSON.stringify(uid)
  }`

const decide = (path: string, handler: Handler, request: AdmissionRequest): Effect.Effect<Decided> => {
  if (request.operation === "DELETE" || request.operation === "CONNECT") {
    return Effect.succeed({ outcome: "answered", body: encodeReview(request.uid, {}) })
  }
  return Effect.suspend(() => handler(request)).pipe(
    // within the catch: a patch that cannot be written is the handler's failure
    Effect.map((answer): Decided => ({ outcome: "answered", body: encodeReview(request.uid, answer) })),
    Effect.catchCause((cause) =>
      Effect.as(
        // the object may hold secrets, so only its name is said
        Effect.logError(
          `the admission webhook at ${path} failed, and left the object unchanged: ${shownName(request)}`,
          Cause.pretty(cause)
        ),
        { outcome: "failed", body: encodeReview(request.uid, failed) } satisfies Decided
      )
    )
  )
}

/** Values that an object of Kubernetes never has: each costs fifty times its bytes as an object, and parsing them stops all else. */
const mostValues = 300_000

const comma = 0x2c
const brace = 0x7b
const bracket = 0x5b

/** Whether a body has no more values than could be meant; those in its strings are counted, too. */
const isParsable = (body: Uint8Array): boolean => {
  // each is a byte at least, so that most bodies need not be looked at
  if (body.length <= mostValues) return true
  let values = 0
  for (let at = 0; at < body.length; at++) {
    const byte = body[at]
    if (byte === comma || byte === brace || byte === bracket) values++
  }
  return values <= mostValues
}

const parse = (text: string): Option.Option<unknown> => {
  try {
    return Option.some(JSON.parse(text))
  } catch {
    return Option.none() // V8's message has a piece of the text in it, which may be a secret
  }
}

const badReview = (text: string) => new Rejection({ status: 400, text, unread: false })

const reviewIn = (body: Buffer): Result.Result<AdmissionRequest, Rejection> => {
  if (!isParsable(body)) return Result.fail(badReview("the body has too many values"))
  const json = isUtf8(body) ? parse(body.toString("utf8")) : Option.none()
  if (Option.isNone(json)) return Result.fail(badReview("the body is not JSON"))
  return Result.mapError(decodeReview(json.value), ({ message }) => badReview(message))
}

const isJson = (contentType: string | undefined): boolean =>
  contentType?.split(";", 1)[0]?.trim().toLowerCase() === "application/json"

const refuse = (status: Rejection["status"], text: string, headers: Readonly<Record<string, string>> = {}) =>
  Result.fail(new Rejection({ status, text, headers, unread: true }))

interface Webhook {
  readonly path: string
  readonly handler: Handler
}

/** The webhook that is asked for; undefined where there is none, or whoever asks does not know its token. */
const webhookAt = ({ handlers, tokens }: ExchangeOptions, asked: string): Webhook | undefined => {
  const { path, token } = splitToken(asked)
  const handler = handlers.get(path)
  return handler !== undefined && tokens.has(token) ? { path, handler } : undefined
}

/** Whether the head is one of a review for a webhook. */
const judgeHead = (
  webhook: Webhook | undefined,
  { headers, method }: IncomingMessage
): Result.Result<Webhook, Rejection> => {
  if (webhook === undefined) return refuse(404, "no webhook is at this path")
  if (method !== "POST") return refuse(405, "only POST is understood", { allow: "POST" })
  if (!isJson(headers["content-type"])) return refuse(415, "only application/json is understood")
  return Result.succeed(webhook)
}

const send = (response: ServerResponse, it: Decided | Rejection, close: boolean): void => {
  if (response.destroyed) return
  const rejected = it instanceof Rejection
  // text goes out in one write with the head, bytes would be a second one
  const body = rejected ? `${it.text}\n` : it.body
  response.writeHead(rejected ? it.status : 200, {
    "content-type": rejected ? "text/plain; charset=utf-8" : "application/json",
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    ...(close || (rejected && it.unread) ? { connection: "close" } : {}),
    ...(rejected ? it.headers : {})
  })
  response.end(body)
}

/** What is kept of a request until it is answered. */
interface Exchange {
  readonly webhook: Webhook
  readonly body: Result.Result<Buffer, Rejection>
  readonly holding: Holding
  /** Sends it, unless there was an answer before. */
  readonly answer: (it: Decided | Rejection) => Effect.Effect<void>
  /** How much longer the API server waits, in milliseconds. */
  readonly patience: () => number
}

/** Decides, in a fiber; another one comes to it only where the decision has to wait for something. */
const answerBody = (fork: Fork, { answer, body, holding, patience, webhook }: Exchange): Fiber.Fiber<void> => {
  let asked: AdmissionRequest | undefined
  const work = Effect.suspend(() => {
    const review = Result.flatMap(body, reviewIn)
    if (Result.isFailure(review)) return answer(review.failure)
    asked = review.success
    return Effect.flatMap(decide(webhook.path, webhook.handler, asked), answer)
  })
  // not before the answer: an object lives as long as its handler
  const fiber = fork(Effect.ensuring(work, Effect.sync(holding.release)))
  if (fiber.pollUnsafe() !== undefined || asked === undefined) return fiber
  const { uid } = asked
  // nobody waits until a handler that is late has also stopped
  const tooLate = Effect.suspend(() => {
    fiber.interruptUnsafe()
    return answer({ outcome: "late", body: encodeReview(uid, late) })
  })
  const duration = Math.max(0, patience())
  fork(Effect.timeoutOrElse(Effect.asVoid(Fiber.await(fiber)), { duration, orElse: () => tooLate }))
  return fiber
}

/** Makes the function that answers a request. What it decides ends where the client has gone. */
export const makeExchange =
  (options: ExchangeOptions) => (request: IncomingMessage, response: ServerResponse, fork: Fork): void => {
    const { clock, draining, hold, limits, observe } = options
    const begun = uptimeUnsafe(clock)
    const [asked = "", query = ""] = (request.url ?? "").split("?", 2)
    const webhook = webhookAt(options, asked)
    let answered = false
    const answer = (it: Decided | Rejection) =>
      Effect.suspend(() => {
        if (answered) return Effect.void
        answered = true
        send(response, it, draining())
        // paths that are not ours are the client's, and must not become labels of metrics
        const path = webhook?.path ?? ""
        const outcome = it instanceof Rejection ? "rejected" : it.outcome
        return observe({ path, outcome, millis: uptimeUnsafe(clock) - begun })
      })
    const judged = judgeHead(webhook, request)
    if (Result.isFailure(judged)) return void fork(answer(judged.failure))
    const holding = hold()
    collectBody(request, limits.mostBody, holding, (body) => {
      const fiber = answerBody(fork, {
        webhook: judged.success,
        body,
        holding,
        answer,
        patience: () => patienceOf(query, limits.patience) - (uptimeUnsafe(clock) - begun)
      })
      if (fiber.pollUnsafe() !== undefined) return
      response.once("close", () => {
        if (!response.writableEnded) fiber.interruptUnsafe()
      })
    })
  }
