// Where a redirect leads. It is followed by a loop of our own, because each hop's address, scheme and credentials must be judged.
// Edge: addresses are judged when they are dialled (AddressPolicy.ts), credentials are dropped in Transport.ts.
import { Effect } from "effect"
import { firstOf } from "../../http/HeaderValues.ts"
import { type RegistryError, registryError, type RegistryReason } from "../RegistryError.ts"
import type { Answer, Request } from "./Transport.ts"

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** Host and path of a URL: queries carry signatures and tokens, so they are never shown. */
export const shown = (url: URL): string => `${url.origin}${url.pathname}`

/**
 * The URL that an answer to the request leads to; undefined where it is the answer itself. Fails with `Protocol` where it
 * cannot be followed, and with `Refused` where it would leave TLS.
 */
export const redirectOf = (request: Request, answer: Answer): Effect.Effect<URL | undefined, RegistryError> => {
  const fail = (reason: RegistryReason, detail: string) =>
    Effect.fail(registryError({ operation: request.operation, target: request.target, reason, detail }))
  const location = firstOf(answer.headers["location"])
  if (!redirects.has(answer.status) || location === undefined) return Effect.undefined
  if (request.method !== "GET" && request.method !== "HEAD") {
    return fail("Protocol", `the registry redirects a ${request.method}, which is not followed`)
  }
  if (!URL.canParse(location, answer.url)) return fail("Protocol", "the redirect leads to no URL")
  const next = new URL(location, answer.url)
  if (request.ownOrigin === true && next.origin !== request.url.origin) return Effect.undefined
  return next.protocol === "https:" || next.protocol === answer.url.protocol
    ? Effect.succeed(next)
    : fail("Refused", `the redirect to ${shown(next)} would leave TLS`)
}
