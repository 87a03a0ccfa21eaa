// The certificates of the admission webhooks, as the rest of the program sees them: what this replica serves with, and what the API
// server is to trust. Edge: the Secret behind them is FollowAuthority.ts's, the certificate in memory Leaf.ts's.
import { Context, Effect, Layer, Option, SubscriptionRef } from "effect"
import { SecureRandom } from "effect/crypto"
import type { KubeClient } from "../../kube/KubeClient.ts"
import type { Run } from "../../settings/SettingsRef.ts"
import type { Authority } from "./Authority.ts"
import { followAuthority } from "./FollowAuthority.ts"
import { Leadership } from "../../kube/lease/Leadership.ts"
import { keepLeaf } from "./Leaf.ts"
import type { ServingPair } from "./ServingPair.ts"

export class Certificates extends Context.Service<Certificates, {
  /** What this replica serves with; none before the authority is known. */
  readonly pair: SubscriptionRef.SubscriptionRef<Option.Option<ServingPair>>
  /** PEM of every authority that the API server is to trust; none before it is known. */
  readonly bundle: SubscriptionRef.SubscriptionRef<Option.Option<string>>
}>()("image-cloner/admission/certificates/Certificates") {
  /**
   * Is there at once, with nothing in it; whatever is wrong then is logged, and tried again.
   * @param options.namespace of the Secret
   * @param options.names DNS names and IP addresses of the leaf
   * @param options.publishedSince since when (uptime in ms, telemetry/Uptime.ts) every webhook configuration has carried this bundle;
   *   undefined: not all do
   * @param options.run starts the fibers that run for ever
   */
  static readonly layer = (options: {
    readonly namespace: string
    readonly names: ReadonlyArray<string>
    readonly publishedSince: (bundle: string) => Effect.Effect<number | undefined>
    readonly run: Run
  }): Layer.Layer<Certificates, never, KubeClient> =>
    Layer.effect(
      Certificates,
      Effect.gen(function*() {
        const authority = yield* SubscriptionRef.make(Option.none<Authority>())
        const bundle = yield* SubscriptionRef.make(Option.none<string>())
        const pair = yield* SubscriptionRef.make(Option.none<ServingPair>())
        const { namespace, names, publishedSince, run } = options
        const { mayWrite } = yield* Leadership
        yield* run("webhook authority", followAuthority({ namespace, publishedSince, mayWrite, authority, bundle }))
        yield* run("webhook certificate", keepLeaf({ authority, pair, names }))
        return { pair, bundle }
      })
    ).pipe(Layer.provide(SecureRandom.layerWebCrypto))
}
