// PageRoute: `GET /`, its style and its script: the status page for people. Reads only, sets no cookie, takes nothing from the request.
// Edge: what is newer than the page comes by Viewers.ts.
import { NodeHttpServerRequest } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { pageHtml } from "./PageHtml.ts"
import { pageScript } from "./PageScript.ts"
import { PageSource } from "./PageSource.ts"
import { pageStyle } from "./PageStyle.ts"
import { mostViewers, Viewers } from "./Viewers.ts"

/** Nothing from elsewhere, nothing inline, in no frame; relative addresses, for the API server's proxy has a path before them. */
const pageHeaders = {
  "content-security-policy":
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    + "frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store"
}

const fixed = (path: `/${string}`, contentType: string, text: string) =>
  HttpRouter.add("GET", path, HttpServerResponse.text(text, { contentType, headers: pageHeaders }))

const events = Effect.fnUntraced(function*(viewers: Viewers["Service"]) {
  const request = yield* HttpServerRequest.HttpServerRequest
  // a connection that nobody reads from ends by being closed only
  const close = Effect.sync(() => void NodeHttpServerRequest.toIncomingMessage(request).socket.destroy())
  const stream = yield* viewers.join(close)
  return stream === undefined
    ? HttpServerResponse.text(
      `as many look as are kept up to date (${mostViewers}), or the controller ends: reload the page to see what is new\n`,
      { status: 503, headers: pageHeaders }
    )
    : HttpServerResponse.stream(stream, { contentType: "text/event-stream", headers: pageHeaders })
})

export const pageRoute: Layer.Layer<never, never, HttpRouter.HttpRouter | PageSource | Viewers> = Layer.unwrap(
  Effect.gen(function*() {
    const { look } = yield* PageSource
    const viewers = yield* Viewers
    return Layer.mergeAll(
      HttpRouter.add(
        "GET",
        "/",
        Effect.map(look, (view) =>
          HttpServerResponse.text(pageHtml(view), {
            status: view === undefined ? 503 : 200,
            contentType: "text/html; charset=utf-8",
            headers: pageHeaders
          }))
      ),
      HttpRouter.add("GET", "/status.events", events(viewers)),
      fixed("/status.css", "text/css; charset=utf-8", pageStyle),
      fixed("/status.js", "text/javascript; charset=utf-8", pageScript)
    )
  })
)
