// WebhookServer: HTTPS for the API server's calls, with Node's own server: Go's client needs no more than HTTP/1.1, and every pod of
// the cluster waits for an answer. The certificate changes while it runs; when it stops, it goes on answering for a while.
// Edges: decisions are the handlers'; where the certificate comes from is not known here.
import {
  Clock,
  Deferred,
  Duration,
  Effect,
  FiberSet,
  Option,
  Result,
  type Scope,
  Stream,
  SubscriptionRef
} from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import { makeNovelty } from "../../http/Warnings.ts"
import type { Run } from "../../settings/SettingsRef.ts"
import type { Check } from "../../telemetry/HealthChecks.ts"
import type { ServingPair } from "../certificates/ServingPair.ts"
import { handshakeTrouble } from "./HandshakeTrouble.ts"
import { drainAndClose, listen, type ListenError, makeServer } from "./Listening.ts"
import { contextOptions, isSamePair, judgePair, type PairInUse } from "./PairInUse.ts"
import { makeRoom } from "./RequestBody.ts"
import { type Fork, type Handler, makeExchange, type Observation } from "./ReviewExchange.ts"
import { selfCheck } from "./SelfCheck.ts"
import { type ServerLimits, serverLimits } from "./ServerLimits.ts"

export interface WebhookServerOptions {
  /** 0 takes a free one. */
  readonly port: number
  /** All addresses where it is left out. */
  readonly host?: string
  /** What is shown to clients. Nothing listens before there is a pair; one that is no pair is refused, and the old one stays. */
  readonly pair: SubscriptionRef.SubscriptionRef<Option.Option<ServingPair>>
  /** By path, to which one of the tokens is added. */
  readonly handlers: ReadonlyMap<string, Handler>
  /** May grow while it serves. */
  readonly tokens: ReadonlySet<string>
  /** How long requests are still answered once the scope closes; asked then. */
  readonly drainFor: Effect.Effect<Duration.Input>
  readonly run: Run
  /** Told of every answer. The path is empty where there is no handler. */
  readonly observe?: (it: Observation) => Effect.Effect<void>
  readonly limits?: Partial<ServerLimits>
}

export interface WebhookServer {
  /** The port, once it listens. */
  readonly port: Effect.Effect<number>
  /** Whether calls would be answered; not while it drains. */
  readonly check: Check
}

// strangers choose how they fail, and what is said of them has an end
const mostTroubles = 20

interface State {
  draining: boolean
  port: number | undefined
  inUse: PairInUse | undefined
}

// a connection that breaks is told by "close" as well; without listeners it would be an error of the process
const ignore = () => undefined

/** Whatever is begun for a request does not end without its answer, or without its connection. */
const answerRequests = (
  server: ReturnType<typeof makeServer>,
  fork: Fork,
  exchange: (request: IncomingMessage, response: ServerResponse, fork: Fork) => void
): void => {
  server.on("request", (request, response) => {
    request.on("error", ignore)
    response.on("error", ignore)
    exchange(request, response, (effect) =>
      fork(Effect.catchDefect(effect, (defect) =>
        Effect.andThen(
          Effect.logError("the admission webhook has a defect, and may have left a request without an answer", defect),
          Effect.sync(() => {
            // no answer at all is what failurePolicy is for
            if (!response.writableEnded) response.destroy()
          })
        ))))
  })
}

/** What goes wrong outside of requests, said once. */
const reportTrouble = (server: ReturnType<typeof makeServer>, fork: Fork): void => {
  const isNew = makeNovelty(mostTroubles, "known")
  server.on("error", (error: Error) => {
    // before it listens, whoever lets it listen is told
    if (server.listening && isNew(error.message)) {
      fork(Effect.logError(`the admission webhook cannot take a connection: ${error.message}`))
    }
  })
  server.on("drop", () => {
    if (isNew("drop")) {
      fork(Effect.logWarning(
        `the admission webhook has ${server.maxConnections} connections, and closes further ones: who opens so many?`
      ))
    }
  })
  server.on("tlsClientError", (error: Error & { readonly code?: string }) => {
    const trouble = handshakeTrouble(error.code)
    if (trouble !== undefined && isNew(trouble)) fork(Effect.logWarning(trouble))
  })
}

/**
 * Serves as long as the scope lives, and drains when it closes.
 *
 * Fails where the port cannot be had and there is a pair already. Where the pair comes later, the fiber that was started with
 * `run` fails with the same error.
 */
export const webhookServer = Effect.fnUntraced(function*(
  options: WebhookServerOptions
): Effect.fn.Return<WebhookServer, ListenError, Scope.Scope> {
  const limits = { ...serverLimits, ...options.limits }
  const state: State = { draining: false, port: undefined, inUse: undefined }
  const listening = yield* Deferred.make<number>()
  // before the finalizer that drains, and so closed after it: requests in flight are answered
  const fork = yield* FiberSet.makeRuntime<never, void, never>()
  const server = makeServer(limits)
  const exchange = makeExchange({
    handlers: options.handlers,
    tokens: options.tokens,
    limits,
    hold: makeRoom(limits.mostBodies),
    draining: () => state.draining,
    observe: options.observe ?? (() => Effect.void),
    clock: yield* Clock.Clock
  })
  answerRequests(server, fork, exchange)
  reportTrouble(server, fork)
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      state.draining = true
      return drainAndClose(server, options.drainFor, limits.closeWithin)
    })
  )

  const take = Effect.fnUntraced(function*(pair: ServingPair) {
    if (state.inUse !== undefined && isSamePair(state.inUse.pair, pair)) return
    const judged = judgePair(pair)
    if (Result.isFailure(judged)) {
      const instead = state.inUse === undefined
        ? "nothing listens until there is a good one"
        : "the old one stays in use"
      return yield* Effect.logError(`the admission webhook refuses its new certificate: ${judged.failure}; ${instead}`)
    }
    server.setSecureContext(contextOptions(pair))
    state.inUse = judged.success
    const until = `its certificate is valid until ${judged.success.validTo}`
    if (state.port !== undefined) {
      return yield* Effect.logInfo(`the admission webhook shows a new certificate; ${until}`)
    }
    if (state.draining) return
    const { host, port } = options
    state.port = yield* listen(server, { port, ...(host === undefined ? {} : { host }) })
    yield* Effect.logInfo(`the admission webhook listens on port ${state.port}; ${until}`)
    yield* Deferred.succeed(listening, state.port)
  })

  const takeAny = (pair: Option.Option<ServingPair>) => Option.isSome(pair) ? take(pair.value) : Effect.void

  yield* takeAny(yield* SubscriptionRef.get(options.pair))
  yield* options.run(
    "admission certificate",
    Effect.andThen(Stream.runForEach(SubscriptionRef.changes(options.pair), takeAny), Effect.never)
  )

  const check: Check = Effect.suspend(() => {
    const { draining, inUse, port } = state
    if (draining) return Effect.succeed("it is stopping")
    if (inUse === undefined || port === undefined) return Effect.succeed("it has no certificate yet")
    const { fingerprint, pair: { notAfter } } = inUse
    return selfCheck({ host: options.host ?? "127.0.0.1", port, fingerprint, notAfter })
  })
  return { port: Deferred.await(listening), check }
})
