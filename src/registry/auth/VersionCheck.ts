// What a registry asks for at `/v2/`, where its repositories refuse without saying how one logs in: Nexus with anonymous access to
// some of it, proxies that hide what they have. Source: OCI distribution-spec, "Determining Support" (end-1), by which docker and
// podman log in. Edge: asked after a refusal with a login that nobody has seen yet, once an hour and host.
import { Clock, Effect } from "effect"
import { makeExpiringSet } from "../../collections/ExpiringSet.ts"
import type { RegistryError } from "../RegistryError.ts"
import type { Transport } from "../transport/Transport.ts"
import type { Spec } from "./Attempt.ts"
import { parseChallenges } from "./Challenge.ts"
import type { Schemes } from "./Scheme.ts"

const hourNanos = 3_600_000_000_000n

/** True where the registry has said what it wants, so that the request is worth another try. */
export type VersionCheck = (spec: Spec, endpoint: URL) => Effect.Effect<boolean, RegistryError>

export const makeVersionCheck = (schemes: Schemes, send: Transport["send"]): VersionCheck => {
  const asked = makeExpiringSet(1024, hourNanos)
  return Effect.fnUntraced(function*({ agent, most, operation, repository: { repository }, target }, endpoint) {
    if (!asked.add(endpoint.origin, yield* Clock.monotonicTimeNanos)) return false
    const answer = yield* send({
      operation,
      target,
      method: "GET",
      url: new URL("/v2/", endpoint),
      // as nobody: what it says to nobody is the question
      identity: "anonymous",
      certificate: false,
      cost: "free",
      agent,
      most,
      named: true,
      ownOrigin: true
    })
    return answer.status === 401 &&
      schemes.learn(endpoint, repository, parseChallenges(answer.headers["www-authenticate"]))
  })
}
