// PageRoute: `GET /`, its style and its script: the status page for people. Reads only, sets no cookie, takes nothing from the request.
// Edge: what is newer than the page comes by Viewers.ts.
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { pageHtml } from "./PageHtml.ts"
import { pageScript } from "./PageScript.ts"
import { PageSource } from "./PageSource.ts"
import { pageStyle } from "./PageStyle.ts"

/** Nothing from elsewhere, nothing inline, in no frame; relative addresses, for the API server's proxy has a path before them. */
export const pageHeaders = {
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

export const pageRoute: Layer.Layer<never, never, HttpRouter.HttpRouter | PageSource> = Layer.unwrap(
  Effect.map(PageSource, ({ look }) =>
    Layer.mergeAll(
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
      fixed("/status.css", "text/css; charset=utf-8", pageStyle),
      fixed("/status.js", "text/javascript; charset=utf-8", pageScript)
    ))
)
