// ExplainRoute: `GET /api/explain?workload=Kind/namespace/name` or `?image=REFERENCE`, for the command `explain` and for scripts. Answers
// JSON by the Schema of Explanation.ts: 200 with what is known, or with why nothing is. Edge: reads only, a few at a time.
import { Effect, Layer, Schema, Semaphore } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import type { Asked } from "./Asked.ts"
import { Explainer } from "./Explainer.ts"
import { Answer } from "./Explanation.ts"

/** How many questions are answered at once: each looks through all that is known. */
const atOnce = 2
/** Characters of a name. */
const longest = 1000

const headers = { "cache-control": "no-store", "x-content-type-options": "nosniff" }

const problem = (status: number, message: string) => HttpServerResponse.jsonUnsafe({ message }, { status, headers })

const encode = Schema.encodeSync(Answer)

/** What a query asks; the text is why it asks nothing that can be answered. */
const askedBy = (query: URLSearchParams): Asked | string => {
  const workload = query.getAll("workload")
  const image = query.getAll("image")
  const [name = ""] = [...workload, ...image]
  if (workload.length + image.length !== 1 || name === "") {
    return "ask for one workload (workload=Kind/namespace/name) or one image (image=REFERENCE)"
  }
  return name.length > longest
    ? `no name has more than ${longest} characters`
    : { about: workload.length > 0 ? "workload" : "image", name }
}

export const explainRoute: Layer.Layer<never, never, HttpRouter.HttpRouter | Explainer> = Layer.unwrap(
  Effect.gen(function*() {
    const { explain } = yield* Explainer
    const turns = yield* Semaphore.make(atOnce)
    return HttpRouter.add(
      "GET",
      "/api/explain",
      Effect.gen(function*() {
        const request = yield* HttpServerRequest.HttpServerRequest
        // not by the Host header, which may be anything
        const from = request.url.indexOf("?")
        const asked = askedBy(new URLSearchParams(from === -1 ? "" : request.url.slice(from)))
        if (typeof asked === "string") return problem(400, asked)
        const answer = yield* turns.withPermits(1)(explain(asked))
        return answer === undefined
          ? problem(503, "the controller has not begun yet")
          : HttpServerResponse.jsonUnsafe(encode(answer), { headers })
      })
    )
  })
)
