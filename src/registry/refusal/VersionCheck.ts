// What a registry asks for at `/v2/`, where its repositories refuse without saying how one logs in: proxies that hide what they
// have, registries that anybody may read in part. Source: OCI distribution-spec, "Determining Support" (end-1), by which docker and
// podman log in. Edge: asked after a refusal, with a login that nobody has seen yet (Attempt.ts); once an hour and host.
import { Cache, Duration, Effect } from "effect"
import type { RegistryError } from "../RegistryError.ts"
import type { Transport } from "../transport/Transport.ts"
import { type Challenge, parseChallenges } from "../auth/Challenge.ts"
import { anonymous } from "../auth/Identities.ts"

/** The challenges of `/v2/` at a registry's origin, none where it is open; whoever asks meanwhile waits for the same answer. */
export type VersionCheck = (endpoint: URL) => Effect.Effect<ReadonlyArray<Challenge>, RegistryError>

const mostHosts = 1024
/** A refusal waits for it: that is as long as a registry may take that has just answered. */
const patience = Duration.seconds(10)

export const makeVersionCheck = Effect.fnUntraced(
  function*({ limits, send }: Transport): Effect.fn.Return<VersionCheck> {
    const answers = yield* Cache.makeWith(
      (origin: string) =>
        Effect.map(
          send({
            operation: "GET /v2/",
            target: origin,
            method: "GET",
            url: new URL("/v2/", origin),
            // what it says to nobody is the question
            identity: anonymous.name,
            certificate: false,
            cost: "free",
            agent: "control",
            most: limits.errorBytes,
            named: true,
            ownOrigin: true,
            timeout: Duration.min(patience, limits.answerTimeout)
          }),
          ({ headers, status }) => status === 401 ? parseChallenges(headers["www-authenticate"]) : []
        ),
      // one that gave no answer is left alone for a moment, too
      { capacity: mostHosts, timeToLive: (exit) => exit._tag === "Success" ? "1 hour" : "30 seconds" }
    )
    return ({ origin }) => Cache.get(answers, origin)
  }
)
