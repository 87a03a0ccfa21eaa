// KeptConfiguration: one of the two webhook configurations as it was seen last, and one look at it: read it, and where this
// replica leads, make it say what the settings want. Edge: never fails; what goes wrong is said once, and the next look tries again.
import { Duration, Effect, Option, Schema } from "effect"
import type { KubeClient, KubeRequest } from "../../kube/KubeClient.ts"
import { isLost, type KubeError, protocolError, timedOut } from "../../kube/KubeError.ts"
import { isMutation, jsonPatch, operationOf } from "../../kube/KubeRequest.ts"
import type { Settings } from "../../settings/Settings.ts"
import { uptime } from "../../telemetry/Uptime.ts"
import { fieldManager } from "../../workload/Marks.ts"
import type { Operation } from "../../workload/Patch.ts"
import { makeInsistence } from "./Insistence.ts"
import { makeTroubleLog } from "./TroubleLog.ts"
import {
  changed,
  type Configuration,
  difference,
  FoundConfiguration,
  isSelector,
  ourWebhook,
  type Webhook
} from "./Webhooks.ts"

/** How long one request may take: a look has two, and a switch is to be in force within seconds. */
const patience = Duration.seconds(5)
/** A server that asks for more rest than this is asked again all the same. */
const longestRest = Duration.seconds(30)

type Mode = Settings["MUTATING_WEBHOOK"] | Settings["VALIDATING_WEBHOOK"]

/** What is particular to one of the two. */
export interface Switched {
  readonly configuration: Configuration
  /** The setting. */
  readonly mode: (settings: Settings) => Mode
  /** What becomes true for people with each value that it has. */
  readonly effects: Readonly<Partial<Record<Mode, string>>>
}

/** What the settings want now. */
export interface Wanted {
  readonly mode: Mode
  /** None: off. Undefined: on, and what to fill in is not known yet. */
  readonly webhook: Option.Option<Webhook> | undefined
  readonly leads: boolean
  readonly serves: boolean
}

/** What a configuration says of us. */
export interface Seen {
  readonly registered: boolean
  /** As the API has it; empty where our entry has none, undefined where there is no entry. */
  readonly bundle: string | undefined
  /** Since when, milliseconds of uptime. */
  readonly since: number
}

/** What a look tells of when the next should be. */
export interface Looked {
  /** Off, and nothing of ours is there, or it cannot be there. */
  readonly idle: boolean
  readonly rest: Duration.Duration | undefined
}

export interface KeptConfiguration {
  readonly look: (wanted: Wanted) => Effect.Effect<Looked>
  /** Undefined before the first look that succeeds. */
  readonly seen: Effect.Effect<Seen | undefined>
}

const decode = Schema.decodeUnknownOption(FoundConfiguration)

const send = Effect.fnUntraced(function*(client: KubeClient["Service"], request: KubeRequest) {
  const answer = yield* client.request(request).pipe(
    Effect.timeoutOrElse({
      duration: patience,
      orElse: () => Effect.fail(timedOut(operationOf(request), Duration.format(patience), isMutation(request)))
    })
  )
  const found = decode(answer)
  return Option.isSome(found)
    ? found.value
    : yield* protocolError(operationOf(request), "the answer is no webhook configuration")
})

const bundleOf = (webhook: Readonly<Record<string, unknown>> | undefined): string | undefined => {
  if (webhook === undefined) return undefined
  const config = webhook["clientConfig"]
  const bundle = typeof config === "object" && config !== null && "caBundle" in config ? config.caBundle : undefined
  return typeof bundle === "string" ? bundle : ""
}

/** What a person reads of an error. */
const describe = ({ configuration: { kind, name } }: Switched, error: KubeError): string => {
  switch (error.reason) {
    case "NotFound":
      return `${kind} ${name} does not exist: apply manifests/overlays/admission`
    case "Forbidden":
      return `${kind} ${name} cannot be read or patched, the right is missing: apply manifests/overlays/admission ` +
        `(${error.detail})`
    default:
      return `${kind} ${name} cannot be brought to what the settings say, it is tried again: ${error.message}`
  }
}

/** What never waits: off is people's way out, and with `Fail` no pod would start while we are down. */
const isUrgent = (differences: ReadonlyArray<string>, desired: Webhook | undefined): boolean =>
  desired === undefined || differences.includes("failurePolicy")

/** What a person reads where somebody else changed it. */
const describeDrift = (
  { configuration: { kind, name } }: Switched,
  differences: ReadonlyArray<string>,
  inVain: boolean
): string => {
  const what = differences.join(", ")
  const wayOut = differences.some(isSelector)
    ? "; if it is the Admissions Enforcer of AKS, label the configuration `admissions.enforcer/disabled: \"true\"`"
    : ""
  return inVain
    ? `${kind} ${name} is changed again and again by somebody else (${what}), so it is brought back more and more rarely, ` +
      `every five minutes in the end; find out who does it, and have it leave the webhooks of this configuration alone${wayOut}`
    : `${kind} ${name} was changed by somebody else (${what}), and says what it should again; ` +
      `whatever applies it must leave its webhooks out${wayOut}`
}

export const keptConfiguration = (client: KubeClient["Service"], switched: Switched): KeptConfiguration => {
  const { configuration: { kind, name, path }, configuration, effects } = switched
  const troubles = makeTroubleLog()
  const insistence = makeInsistence()
  let seen: Seen | undefined
  /** What the configuration was seen to say as it was wanted: a difference from this is somebody else's. */
  let inForce: string | undefined
  let announced: Mode | undefined

  const read: Effect.Effect<FoundConfiguration, KubeError> = send(client, { method: "GET", path, once: true })

  const write = (operations: ReadonlyArray<Operation>) => send(client, jsonPatch(path, fieldManager, operations))

  const note = Effect.fnUntraced(function*(webhook: Readonly<Record<string, unknown>> | undefined) {
    const bundle = bundleOf(webhook)
    if (seen !== undefined && seen.bundle === bundle) return
    seen = { registered: webhook !== undefined, bundle, since: yield* uptime }
  })

  /** Says what a switch has come to, once; that nothing is there at the start is what everybody expects. */
  const announce = Effect.fnUntraced(function*(mode: Mode) {
    if (announced === mode) return
    const silent = announced === undefined && mode === "off"
    announced = mode
    if (!silent) yield* Effect.logInfo(`${effects[mode] ?? mode} (${kind} ${name})`)
  })

  const settle = Effect.fnUntraced(function*(wanted: Wanted) {
    const found = yield* read
    yield* note(ourWebhook(configuration, found))
    if (wanted.webhook === undefined) return
    const desired = Option.getOrUndefined(wanted.webhook)
    const operations = difference(configuration, found, desired)
    const text = JSON.stringify(desired ?? null)
    if (operations.length === 0) {
      insistence.atRest()
    } else {
      // who cannot be reached must not be filled in; to be taken out needs no server
      if (!wanted.leads || (desired !== undefined && !wanted.serves)) return
      const drifted = inForce === text
      const differences = changed(configuration, found, desired)
      if (drifted && !isUrgent(differences, desired) && !(yield* insistence.mayBringBack)) return
      yield* note(ourWebhook(configuration, yield* write(operations)))
      yield* insistence.written
      if (drifted) {
        const inVain = insistence.inVain()
        const warning = describeDrift(switched, differences, inVain)
        yield* troubles.once(inVain ? "Fight" : "Drift", Effect.logWarning(warning))
      }
    }
    inForce = text
    yield* announce(wanted.mode)
  })

  const trouble = Effect.fnUntraced(function*(wanted: Wanted, error: KubeError) {
    // somebody changed it a moment ago
    if (isLost(error)) return { idle: false, rest: undefined }
    if (error.reason === "NotFound") yield* note(undefined)
    const concerns = wanted.mode !== "off" || seen?.registered === true
    const text = describe(switched, error)
    yield* concerns ? troubles.once(error.reason, Effect.logWarning(text)) : Effect.logDebug(text)
    const rest = error.retryAfter === undefined ? undefined : Duration.min(error.retryAfter, longestRest)
    // without the overlay there is neither the object nor the right
    return { idle: !concerns && (error.reason === "NotFound" || error.reason === "Forbidden"), rest }
  })

  return {
    look: (wanted) =>
      settle(wanted).pipe(
        Effect.andThen(troubles.well),
        Effect.map((): Looked => ({ idle: wanted.mode === "off" && seen?.registered === false, rest: undefined })),
        Effect.catch((error) => trouble(wanted, error))
      ),
    seen: Effect.sync(() => seen)
  }
}
