// Registration: fills the webhook configurations while their switches are on, and empties them while they are off, at once when
// settings or certificate authorities change; looks every two seconds and repairs what others changed, more and more rarely what
// they change again each time. Source: k8s.io/api admissionregistration/v1. Edge: it patches two objects by name, and neither
// creates nor deletes any.
import { Duration, Effect, Option, Stream, SubscriptionRef } from "effect"
import { KubeClient } from "../../kube/KubeClient.ts"
import type { Settings } from "../../settings/Settings.ts"
import { type KeptConfiguration, keptConfiguration, type Looked, type Switched } from "./KeptConfiguration.ts"
import {
  encodeBundle,
  mutatingConfiguration,
  mutatingWebhook,
  type Target,
  validatingConfiguration,
  validatingWebhook,
  type Webhook
} from "./Webhooks.ts"

const pace = Duration.seconds(2)
/** Nothing is wanted and nothing is there: a change of the settings does not wait for this. */
const idlePace = Duration.seconds(60)

const mutating: Switched = {
  configuration: mutatingConfiguration,
  mode: (settings) => settings.MUTATING_WEBHOOK,
  effects: {
    off: "new pods are made as they are written from now on",
    on: "new pods are pointed to their copies from now on"
  }
}

const validating: Switched = {
  configuration: validatingConfiguration,
  mode: (settings) => settings.VALIDATING_WEBHOOK,
  effects: {
    off: "new pods are no longer asked whether their images are from the backup",
    warn: "whoever makes pods with images that are not from the backup is warned from now on",
    enforce: "new pods with images that are not from the backup are refused from now on"
  }
}

export interface Registration {
  /** For ever: reconciles at once on changes of settings and bundle, and every two seconds looks. */
  readonly run: Effect.Effect<never>
  /**
   * Since when, in milliseconds of uptime, every configuration that has our webhook carries this bundle (PEM); undefined: not
   * all do, or it is not known. With none filled in: since the look that found so. Later rather than too early.
   */
  readonly publishedSince: (bundle: string) => Effect.Effect<number | undefined>
  /** What was registered at the last look. */
  readonly state: Effect.Effect<{ readonly mutating: boolean; readonly validating: boolean }>
}

interface Options {
  readonly ownNamespace: string
  /** WEBHOOK_URL; undefined: the API server finds us by the Service. */
  readonly url: string | undefined
  /** PEM; none: not known yet, then nothing is filled in. */
  readonly bundle: SubscriptionRef.SubscriptionRef<Option.Option<string>>
  readonly settings: SubscriptionRef.SubscriptionRef<Settings>
  /** Whether this replica writes; others only look. */
  readonly leads: Effect.Effect<boolean>
  /** Whether the server answers by now; nothing is filled in before. */
  readonly serves: Effect.Effect<boolean>
}

/** Both configurations and what fills them. */
type Parts = ReadonlyArray<{
  readonly switched: Switched
  readonly kept: KeptConfiguration
  readonly webhook: (target: Target) => Webhook
}>

interface Given {
  readonly settings: Settings
  readonly bundle: Option.Option<string>
}

const same = (one: Given, other: Given): boolean =>
  mutating.mode(one.settings) === mutating.mode(other.settings) &&
  validating.mode(one.settings) === validating.mode(other.settings) &&
  Option.getOrUndefined(one.bundle) === Option.getOrUndefined(other.bundle)

const lookAtAll = Effect.fnUntraced(function*(options: Options, parts: Parts, { bundle, settings }: Given) {
  const leads = yield* options.leads
  const serves = yield* options.serves
  return yield* Effect.forEach(parts, ({ kept, switched, webhook }) => {
    const mode = switched.mode(settings)
    const wanted = mode === "off"
      ? Option.none()
      : Option.isNone(bundle)
      ? undefined
      : Option.some(webhook({ ownNamespace: options.ownNamespace, url: options.url, bundle: bundle.value }))
    return kept.look({ mode, webhook: wanted, leads, serves })
  }, { concurrency: parts.length }) // trouble with one must not hold the other up
})

const waitAfter = (looked: ReadonlyArray<Looked>): Duration.Duration =>
  looked.flatMap((it) => it.rest === undefined ? [] : [it.rest])
    .reduce((one, other) => Duration.max(one, other), looked.every((it) => it.idle) ? idlePace : pace)

const keep = Effect.fnUntraced(function*(options: Options, parts: Parts) {
  const given: Effect.Effect<Given> = Effect.all({
    settings: SubscriptionRef.get(options.settings),
    bundle: SubscriptionRef.get(options.bundle)
  })
  for (;;) {
    const before = yield* given
    const wait = waitAfter(yield* lookAtAll(options, parts, before))
    // both begin with what is there now, so what changed during the look is not missed
    yield* Stream.merge(SubscriptionRef.changes(options.settings), SubscriptionRef.changes(options.bundle)).pipe(
      Stream.mapEffect(() => given),
      Stream.filter((now) => !same(now, before)),
      Stream.runHead,
      Effect.timeoutOption(wait)
    )
  }
})

/** Neither fails nor ends. What it needs of rights is in manifests/overlays/admission: get and patch of the two objects. */
export const registration = Effect.fnUntraced(function*(
  options: Options
): Effect.fn.Return<Registration, never, KubeClient> {
  const client = yield* KubeClient
  const mutatingKept = keptConfiguration(client, mutating)
  const validatingKept = keptConfiguration(client, validating)
  const seen = Effect.all([mutatingKept.seen, validatingKept.seen])
  return {
    run: keep(options, [
      { switched: mutating, kept: mutatingKept, webhook: mutatingWebhook },
      { switched: validating, kept: validatingKept, webhook: validatingWebhook }
    ]),
    publishedSince: (bundle) =>
      Effect.map(seen, (all) => {
        const encoded = encodeBundle(bundle)
        const carrying = all.flatMap((it) =>
          it !== undefined && (!it.registered || it.bundle === encoded) ? [it.since] : []
        )
        return carrying.length === all.length ? Math.max(...carrying) : undefined
      }),
    state: Effect.map(seen, ([one, other]) => ({
      mutating: one?.registered === true,
      validating: other?.registered === true
    }))
  }
})
