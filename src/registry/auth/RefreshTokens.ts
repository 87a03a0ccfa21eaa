// Refresh tokens (docker's "identity tokens"): one that the server replaces is kept for as long as the process runs, and for
// the server that gave it. Edge: config.json is the user's, and never written to.
import { Effect, type Redacted, Semaphore } from "effect"
import { makeBoundedMap } from "../../collections/BoundedMap.ts"
import type { RegistryError } from "../RegistryError.ts"
import type { Answer } from "../transport/Transport.ts"
import type { Credential } from "./DockerConfig.ts"
import { replacementIn, type TokenRequest, type TokenServer } from "./TokenServer.ts"

type IdentityToken = Extract<Credential, { readonly _tag: "IdentityToken" }>

/** What token servers say to a POST that they do not know, or to a refresh token where they want a login. */
const wantsGet: ReadonlySet<number> = new Set([400, 401, 404, 405])

/** Asks a token server with an identity token, and with its login by GET where the server will not have that. */
export const makeRefreshTokens = (
  server: TokenServer
): (request: TokenRequest, credential: IdentityToken) => Effect.Effect<Answer, RegistryError> => {
  /** What came in place of the configured ones, by realm and fingerprint. */
  const replaced = makeBoundedMap<string, Redacted.Redacted>(256)
  const turns = makeBoundedMap<string, Semaphore.Semaphore>(256)

  const ask = Effect.fnUntraced(function*(request: TokenRequest, credential: IdentityToken, key: string) {
    const newer = replaced.get(key)
    const first = yield* server.byPost(request, newer ?? credential.token)
    // the user may have put a new one in the file: ours is worth nothing then
    const again = newer !== undefined && (first.status === 400 || first.status === 401)
    if (again) replaced.delete(key)
    const answer = again ? yield* server.byPost(request, credential.token) : first
    const next = replacementIn(answer)
    if (next !== undefined) replaced.set(key, next)
    return wantsGet.has(answer.status) && credential.login !== undefined
      ? yield* server.byGet(request, credential.login)
      : answer
  })

  // one at a time: a refresh token that is replaced with every use is good for one use
  return (request, credential) =>
    Effect.suspend(() => {
      const key = `${request.realm.href} ${credential.fingerprint}`
      const turn = turns.get(key) ?? Semaphore.makeUnsafe(1)
      turns.set(key, turn)
      return turn.withPermit(ask(request, credential, key))
    })
}
