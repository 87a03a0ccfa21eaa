// StatusRoute: `GET /api/status`, for the command `status` and for scripts: JSON by the Schema of ClusterStatus.ts. Edge: reads only,
// one at a time, and nothing before the whole cluster was seen: a share of a part would be taken for the share of all.
import { Context, Effect, Layer, Schema, Semaphore } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { Inventory } from "../store/Inventory.ts"
import { Coverage } from "../upkeep/Coverage.ts"
import { ClusterStatus, statusOf } from "./ClusterStatus.ts"

const headers = { "cache-control": "no-store", "x-content-type-options": "nosniff" }

const encode = Schema.encodeSync(ClusterStatus)

type Look = Effect.Effect<ClusterStatus | undefined>

/** Who is asked by the HTTP server, which is there before the controller is. */
export class StatusSource extends Context.Service<StatusSource, {
  /** Undefined while nobody can tell. */
  readonly look: Look
  readonly answerBy: (look: Look) => Effect.Effect<void>
}>()("image-cloner/web/StatusSource") {
  static readonly layer: Layer.Layer<StatusSource> = Layer.sync(StatusSource, () => {
    let by: Look = Effect.undefined
    return StatusSource.of({
      look: Effect.suspend(() => by),
      answerBy: (look) => Effect.sync(() => void (by = look))
    })
  })
}

/** Has the controller answer. */
export const tellStatus = Layer.effectDiscard(Effect.gen(function*() {
  const coverage = yield* Coverage
  const inventory = yield* Inventory
  const { answerBy } = yield* StatusSource
  yield* answerBy(
    Effect.sync(() => coverage.isComplete ? statusOf("controller", { coverage, inventory }) : undefined)
  )
}))

export const statusRoute: Layer.Layer<never, never, HttpRouter.HttpRouter | StatusSource> = Layer.unwrap(
  Effect.gen(function*() {
    const { look } = yield* StatusSource
    const turn = yield* Semaphore.make(1)
    return HttpRouter.add(
      "GET",
      "/api/status",
      Effect.map(turn.withPermits(1)(look), (status) =>
        status === undefined
          ? HttpServerResponse.jsonUnsafe(
            { message: "the controller has not seen the whole cluster yet" },
            { status: 503, headers }
          )
          : HttpServerResponse.jsonUnsafe(encode(status), { headers }))
    )
  })
)
