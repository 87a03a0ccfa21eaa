// Where a redirect leads. It is followed by a loop of our own, because each hop's address, scheme and credentials must be judged.
// Edge: addresses are judged when they are dialled (AddressPolicy.ts), credentials are dropped in Transport.ts.
import { Effect } from "effect"
import { Readable } from "node:stream"
import { firstOf } from "../../http/HeaderValues.ts"
import { type RegistryError, registryError, type RegistryReason } from "../RegistryError.ts"
import type { Answer, Request } from "./Transport.ts"

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** Host and path of a URL: queries carry signatures and tokens, so they are never shown. */
export const shown = (url: URL): string => `${url.origin}${url.pathname}`

/**
 * Why what changes something is not sent to where it was redirected; undefined: it is. What is written goes to the registry that
 * was named and nowhere else, and 301 to 303 make a GET of it in many clients (RFC 9110 §15.4).
 */
const whyNotAgain = (request: Request, answer: Answer, next: URL): string | undefined => {
  if (next.hostname === request.url.hostname && next.protocol !== request.url.protocol) {
    return next.protocol === "https:" ? "it wants TLS, and PLAIN_HTTP_REGISTRIES names it" : "it would leave TLS"
  }
  if (next.origin !== request.url.origin) {
    return "the registry is to be named by that host, if it is the one that is meant"
  }
  if (answer.status !== 307 && answer.status !== 308) return "only 307 and 308 keep what is sent"
  return request.body instanceof Readable ? "its body can be sent once only" : undefined
}

/**
 * The URL that an answer to the request leads to; undefined where it is the answer itself. Fails with `Protocol` where it
 * cannot be followed, and with `Refused` where it would leave TLS.
 */
export const redirectOf = (request: Request, answer: Answer): Effect.Effect<URL | undefined, RegistryError> => {
  const fail = (reason: RegistryReason, detail: string) =>
    Effect.fail(registryError({ operation: request.operation, target: request.target, reason, detail }))
  const location = firstOf(answer.headers["location"])
  if (!redirects.has(answer.status) || location === undefined) return Effect.undefined
  if (!URL.canParse(location, answer.url)) return fail("Protocol", "the redirect leads to no URL")
  const next = new URL(location, answer.url)
  if (request.method !== "GET" && request.method !== "HEAD") {
    const why = whyNotAgain(request, answer, next)
    if (why === undefined) return Effect.succeed(next)
    const detail = `the registry redirects a ${request.method} to ${
      shown(next)
    } (${answer.status}), which is not followed`
    return fail("Protocol", `${detail}: ${why}`)
  }
  if (request.ownOrigin === true && next.origin !== request.url.origin) return Effect.undefined
  return next.protocol === "https:" || next.protocol === answer.url.protocol
    ? Effect.succeed(next)
    : fail("Refused", `the redirect to ${shown(next)} would leave TLS`)
}
