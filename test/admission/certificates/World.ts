// What the tests of certificates share.
import { Effect } from "effect"
import { SecureRandom } from "effect/crypto"

/** What a leaf is for. */
export const names = ["webhook", "webhook.cloner.svc", "127.0.0.1", "::1"]

/** With a source of randomness. */
export const made = Effect.provide(SecureRandom.layerWebCrypto)
