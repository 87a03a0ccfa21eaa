// WriteEvents: writes the Events that were told, one at a time, as the one replica that leads and not in DRY_RUN. Nobody waits for it and
// nothing depends on it: what fails is said once for each cause and dropped. Edge: which and how many is EventOf's and EventLimits'.
import { Duration, Effect, Metric, Result, SubscriptionRef } from "effect"
import { makeNovelty } from "../../http/Warnings.ts"
import { KubeClient } from "../../kube/KubeClient.ts"
import type { KubeError } from "../../kube/KubeError.ts"
import { Leadership } from "../../kube/lease/Leadership.ts"
import { ProcessSettings } from "../../settings/ProcessSettings.ts"
import { SettingsRef } from "../../settings/SettingsRef.ts"
import { eventsWritten } from "../../telemetry/Metrics.ts"
import { uptime } from "../../telemetry/Uptime.ts"
import { countEvent, createEvent } from "./EventObject.ts"
import { Events, type WaitingEvent } from "./Events.ts"

/** How long nothing is written where the right is missing: somebody has to give it first. Milliseconds. */
export const refusalRest = Duration.toMillis(Duration.hours(1))

/** What became of one, as the metric counts it. */
type Fate = "written" | "counted" | "gone" | "refused" | "failed" | "resting"

/** Causes that are remembered as said: the reasons of KubeError and their statuses. */
const mostSaid = 100

/** Its namespace is going, somebody else has written the same, or the API server does not have the kind: nobody misses it. */
const isGone = ({ causes, reason }: KubeError): boolean =>
  reason === "NotFound" || reason === "Conflict" || causes.some((it) => it.reason === "NamespaceTerminating")

/** A quota of the namespace on its Events answers 403 as well, and says nothing of the right. */
const isRight = ({ detail, reason }: KubeError): boolean => reason === "Forbidden" && !detail.includes("exceeded quota")

const cause = ({ reason, status }: KubeError): string => {
  switch (reason) {
    case "Forbidden":
      return "a quota of a namespace on its Events is used up"
    case "Denied":
      return "an admission webhook or policy refuses them"
    default:
      return `${status ?? reason}`
  }
}

const noRight =
  "Events are not written: the right to make them is missing (403): apply manifests/base, whose ClusterRole " +
  "has create and patch of events.k8s.io; nothing else depends on it"

/** Makes the function that writes one, or drops it. */
const makeWriteEvent = Effect.gen(function*() {
  const client = yield* KubeClient
  const events = yield* Events
  const settings = yield* SettingsRef
  const { podName } = yield* ProcessSettings
  const { mayWrite } = yield* Leadership
  const isNew = makeNovelty(mostSaid, "known")
  let restsUntil = 0

  const send = (waiting: WaitingEvent): Effect.Effect<Fate, KubeError> => {
    const { count, event, name, now } = waiting
    const moment = { name, instance: podName, now }
    const create = Effect.as(client.request(createEvent(event, moment, count)), "written" as const)
    return count === 1 ? create : client.request(countEvent(event, moment, count)).pipe(
      Effect.as("counted" as const),
      // Events are kept for an hour, or as long as the cluster's owner likes
      Effect.catchTag("KubeError", (error) =>
        error.reason !== "NotFound"
          ? Effect.fail(error)
          : Effect.flatMap(mayWrite, (leads) => leads ? create : Effect.succeed("gone" as const)))
    )
  }

  /** Says once what is wrong with what cannot be written. */
  const failed = Effect.fnUntraced(function*(error: KubeError): Effect.fn.Return<Fate> {
    if (isGone(error)) {
      yield* Effect.logDebug(`an Event is not written: ${error.message}`)
      return "gone"
    }
    if (isRight(error)) {
      restsUntil = (yield* uptime) + refusalRest
      if (isNew(noRight)) yield* Effect.logWarning(noRight)
      return "refused"
    }
    const why = cause(error)
    if (isNew(why)) yield* Effect.logWarning(`an Event could not be written, and is dropped: ${why}`)
    return "failed"
  })

  return Effect.fnUntraced(function*(waiting: WaitingEvent): Effect.fn.Return<void> {
    const { DRY_RUN } = yield* SubscriptionRef.get(settings)
    if (DRY_RUN || !(yield* mayWrite)) return yield* events.forget(waiting.event)
    const rests = (yield* uptime) < restsUntil
    const sent = rests ? Result.succeed<Fate>("resting") : yield* Effect.result(send(waiting))
    const fate = Result.isSuccess(sent) ? sent.success : yield* failed(sent.failure)
    yield* Metric.update(eventsWritten({ result: fate }), 1)
    if (fate !== "written" && fate !== "counted") yield* events.forget(waiting.event)
  })
})

/** Writes what is told, for ever. */
export const writeEvents = Effect.gen(function*() {
  const { take } = yield* Events
  const write = yield* makeWriteEvent
  return yield* Effect.forever(Effect.flatMap(take, write))
})
