// An upload: a place where one blob can be put, as the registry gives it. Source: OCI distribution-spec, "Pushing blobs".
import { Effect } from "effect"
import { firstOf, numberOf } from "../../http/HeaderValues.ts"
import type { Repository } from "../../image/Repository.ts"
import type { Spec } from "../auth/Attempt.ts"
import type { Identity } from "../auth/Identities.ts"
import type { SessionAnswer } from "../auth/Session.ts"
import { type RegistryError, registryError } from "../RegistryError.ts"

export interface Upload {
  readonly repository: Repository
  readonly location: URL
  /** The least size of a chunk, the last one aside (OCI-Chunk-Min-Length); 0 where the registry does not say. */
  readonly chunkMin: number
  /** Who has begun it, and goes on with it. */
  readonly by: Identity
}

/**
 * Where an answer says that the blob can be put, or the next part of it. Fails with `Protocol` where it says nothing that can
 * be used, and with `Refused` where it would leave TLS.
 */
export const locationIn = (of: Spec, answer: SessionAnswer): Effect.Effect<URL, RegistryError> => {
  const text = firstOf(answer.headers["location"])
  if (text === undefined || !URL.canParse(text, answer.url)) {
    return Effect.fail(
      registryError({
        ...of,
        reason: "Protocol",
        detail: "the upload has no usable Location: a proxy before the registry may have dropped it"
      })
    )
  }
  const location = new URL(text, answer.url)
  // never sent, and a query behind it would not be either
  location.hash = ""
  // a registry behind a proxy may not know that it is spoken to over TLS
  if (location.protocol !== answer.url.protocol && location.hostname === answer.url.hostname) {
    location.protocol = answer.url.protocol
    location.port = answer.url.port
  }
  return location.protocol === "https:" || location.protocol === answer.url.protocol
    ? Effect.succeed(location)
    : Effect.fail(registryError({
      ...of,
      reason: "Refused",
      detail: `the upload's Location, at ${location.host}, would leave TLS: the registry has to know its own URL`
    }))
}

/** The upload that an answer has opened; fails like `locationIn`. */
export const openedBy = (of: Spec, answer: SessionAnswer): Effect.Effect<Upload, RegistryError> =>
  Effect.map(locationIn(of, answer), (location) => ({
    repository: of.repository,
    location,
    chunkMin: numberOf(firstOf(answer.headers["oci-chunk-min-length"])) ?? 0,
    by: answer.identity
  }))
