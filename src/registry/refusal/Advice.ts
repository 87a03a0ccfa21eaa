// Advice: as whom a request was asked that was refused, and what people can do about it. Edge: it shows no login to anybody.
import { Effect } from "effect"
import type { makeAuthorization } from "../auth/Authorization.ts"
import type { Spec } from "../auth/Attempt.ts"
import type { Access, Identity } from "../auth/Identities.ts"

export const makeAdvice = (options: {
  /** Where a registry is. */
  readonly endpoint: (registry: string) => URL | undefined
  readonly withheldFrom: ReturnType<typeof makeAuthorization>["withheldFrom"]
  readonly access: Access
}) => {
  const { access, endpoint, withheldFrom } = options

  /** The pair of registry and token server that TRUSTED_TOKEN_SERVERS would have to name for the login to be shown, if so. */
  const withheld = (spec: Spec, identity: Identity) => {
    const at = endpoint(spec.repository.registry)
    return at === undefined ? Effect.undefined : withheldFrom(spec.repository, at, identity)
  }

  /** As whom a refused request was asked, and what can be done about it. */
  const adviceOn = Effect.fnUntraced(function*(spec: Spec, identity: Identity) {
    const pair = yield* withheld(spec, identity)
    if (pair === undefined) return yield* access.advise(spec.repository, identity)
    const realm = pair.slice(pair.indexOf("=") + 1)
    const text = `its token server ${realm} is on another domain and was not shown the login; `
      + `TRUSTED_TOKEN_SERVERS=${pair} allows it`
    return { text, shown: false }
  })

  return { withheld, adviceOn }
}
