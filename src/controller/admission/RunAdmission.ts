// RunAdmission: the webhooks beside the two loops. Their configurations are looked after as long as the program runs; certificates and
// server come with the first switch that is on, so that whoever has none pays for none. Edge: what is decided is admission/'s.
import { Clock, Effect, Layer, Metric, Option, Schedule, Stream, SubscriptionRef } from "effect"
import { Certificates } from "../../admission/certificates/ServingCertificates.ts"
import * as Mutate from "../../admission/Mutate.ts"
import { tokensOf } from "../../admission/PathTokens.ts"
import { registration } from "../../admission/registration/Registration.ts"
import { mutatingPath, serviceName, validatingPath } from "../../admission/registration/Webhooks.ts"
import { webhookServer } from "../../admission/server/WebhookServer.ts"
import type { Surroundings } from "../../admission/Surroundings.ts"
import * as Validate from "../../admission/Validate.ts"
import { Leadership } from "../../kube/lease/Leadership.ts"
import { backup, type Settings } from "../../settings/Settings.ts"
import { SettingsRef } from "../../settings/SettingsRef.ts"
import { Inventory } from "../../store/Inventory.ts"
import { WorkloadStore } from "../../store/WorkloadStore.ts"
import { Supervisor } from "../../Supervisor.ts"
import { Health } from "../../telemetry/HealthChecks.ts"
import { webhookRequests } from "../../telemetry/Metrics.ts"
import { uptime } from "../../telemetry/Uptime.ts"
import { ImageQueue, offerAll } from "../Queues.ts"
import { BackupAnswers } from "./BackupAnswers.ts"
import { CloneHints } from "./CloneHints.ts"
import * as FailedPulls from "./FailedPulls.ts"
import * as Heartbeat from "./Heartbeat.ts"
import { Learning } from "./Learning.ts"
import { NodePulls } from "./NodePulls.ts"
import * as PullShowing from "./PullShowing.ts"
import { describeFight, Recreations } from "./Recreations.ts"
import * as ReviewsFirst from "./ReviewsFirst.ts"

export interface AdmissionOptions {
  readonly ownNamespace: Option.Option<string>
  readonly port: number
  /** Where the API server finds a controller beside the cluster. */
  readonly url: Option.Option<string>
}

/** For how long calls are still answered at the end: until the Service's endpoints no longer have the pod. */
const drainFor = "10 seconds"

const isOn = ({ MUTATING_WEBHOOK, VALIDATING_WEBHOOK }: Settings): boolean =>
  MUTATING_WEBHOOK === "on" || VALIDATING_WEBHOOK !== "off"

/** Names and addresses under which the API server may find us; the cluster's own domain is its affair, `.svc` is what it asks for. */
const namesOf = (namespace: string, url: Option.Option<string>): ReadonlyArray<string> => [
  serviceName,
  `${serviceName}.${namespace}`,
  `${serviceName}.${namespace}.svc`,
  ...Option.toArray(Option.map(url, (it) => new URL(it).hostname.replace(/^\[(.*)\]$/, "$1")))
]

/** What decisions ask of the program, and what has to be looked at for that; the latter never ends. */
const makeSurroundings = Effect.gen(function*() {
  const inventory = yield* Inventory
  const store = yield* WorkloadStore
  const queue = yield* ImageQueue
  const settings = yield* SettingsRef
  const answers = new BackupAnswers()
  const hints = new CloneHints()
  const learning = new Learning()
  const { beats } = yield* Heartbeat.make(answers)
  // BACKUP_REGISTRY and BACKUP_LAYOUT change with a restart only
  const target = backup(yield* SubscriptionRef.get(settings))
  const recreations = new Recreations(target)
  const nodes = new NodePulls()
  const { look: lookAtPulls } = yield* FailedPulls.make({
    backup: target,
    nodes,
    backupFails: (now) => answers.fails(now)
  })
  const surroundings: Surroundings = {
    backupFails: Effect.map(uptime, (now) => answers.fails(now) ?? nodes.problem(now)),
    failsElsewhere: Effect.sync(() => nodes.problemElsewhere()),
    learning: Effect.sync(() => learning.problem),
    unshown: yield* PullShowing.make,
    recreated: ({ namespace, owner }) => Effect.map(uptime, (now) => recreations.problem(namespace, owner, now)),
    ask: Effect.fnUntraced(function*(namespace, sources) {
      const wish = hints.ask(namespace, sources, yield* uptime)
      if (wish !== undefined) yield* offerAll(queue, inventory.want(wish.user, wish.sources))
    })
  }
  const upkeep = Effect.gen(function*() {
    const now = yield* uptime
    for (const wish of hints.expire(now)) inventory.want(wish.user, wish.sources)
    const current = yield* SubscriptionRef.get(settings)
    // while nothing is copied there is nothing to wait for
    const images = current.DRY_RUN ? [] : inventory.all
    learning.look(images, store.isSynced("pods") && store.isSynced("namespaces"), now)
    if (isOn(current)) yield* lookAtPulls
  }).pipe(Effect.repeat(Schedule.spaced("2 seconds")), Effect.andThen(Effect.never))
  const recreated = Effect.gen(function*() {
    const { EXTRA_KINDS, MUTATING_WEBHOOK } = yield* SubscriptionRef.get(settings)
    if (MUTATING_WEBHOOK === "off") return
    const moment = { now: yield* Clock.currentTimeMillis, uptime: yield* uptime }
    for (const fight of recreations.look(store.pods, EXTRA_KINDS, moment)) {
      yield* Effect.logWarning(describeFight(fight))
    }
  }).pipe(Effect.repeat(Schedule.spaced("500 millis")), Effect.andThen(Effect.never))
  return { surroundings, beats, upkeep, recreated }
})

/** Waits until a webhook is wanted for the first time. */
const wanted = Effect.flatMap(
  SettingsRef,
  (settings) => SubscriptionRef.changes(settings).pipe(Stream.filter(isOn), Stream.runHead, Effect.asVoid)
)

const run = Effect.fnUntraced(function*(options: AdmissionOptions, ownNamespace: string) {
  const supervisor = yield* Supervisor
  const settings = yield* SettingsRef
  const health = yield* Health
  const { beats, recreated, surroundings, upkeep } = yield* makeSurroundings
  const { giveWay, reviewed } = yield* ReviewsFirst.make
  const bundle = yield* SubscriptionRef.make(Option.none<string>())
  let serves = false

  const registered = yield* registration({
    ownNamespace,
    url: Option.getOrUndefined(options.url),
    bundle,
    settings,
    leads: (yield* Leadership).mayWrite,
    serves: Effect.sync(() => serves)
  })

  const serve = Effect.gen(function*() {
    yield* wanted
    const certificates = yield* Certificates
    // an API server may ask by a path that has just been replaced: none is forgotten, and there is one a rotation
    const tokens = new Set<string>()
    const handlers = { ownNamespace: options.ownNamespace, surroundings }
    const server = yield* webhookServer({
      port: options.port,
      pair: certificates.pair,
      handlers: new Map([
        [mutatingPath, yield* Mutate.make(handlers)],
        [validatingPath, yield* Validate.make(handlers)]
      ]),
      tokens,
      // nobody calls while all is off
      drainFor: Effect.map(SubscriptionRef.get(settings), (it) => isOn(it) ? drainFor : 0),
      run: supervisor.run,
      observe: ({ outcome, path }) =>
        Effect.andThen(
          // what strangers send is no review
          outcome === "rejected" ? Effect.void : reviewed,
          Metric.update(webhookRequests({ path: path === "" ? "other" : path, outcome }), 1)
        )
    })
    yield* health.add(
      "ready",
      "webhook",
      Effect.gen(function*() {
        if (!isOn(yield* SubscriptionRef.get(settings))) return undefined
        return (yield* server.check) ?? (yield* surroundings.learning)
      })
    )
    const port = yield* server.port
    serves = true
    yield* Effect.logInfo(`the webhooks are served on port ${port}`)
    return yield* SubscriptionRef.changes(certificates.bundle).pipe(
      Stream.runForEach((it) => {
        // known here before the API server is told
        for (const token of Option.match(it, { onNone: () => [], onSome: tokensOf })) tokens.add(token)
        return SubscriptionRef.set(bundle, it)
      }),
      Effect.andThen(Effect.never)
    )
  }).pipe(
    Effect.provide(Layer.unwrap(Effect.as(
      wanted,
      Certificates.layer({
        namespace: ownNamespace,
        names: namesOf(ownNamespace, options.url),
        publishedSince: registered.publishedSince,
        run: supervisor.run
      })
    ))),
    Effect.scoped
  )

  yield* supervisor.run("webhook configurations", registered.run)
  yield* supervisor.runLast("webhooks", serve)
  yield* supervisor.run("heartbeat of the backup", beats)
  yield* supervisor.run("pods at admission", upkeep)
  yield* supervisor.run("pods that are made anew", recreated)
  yield* supervisor.run("copies that give way to reviews", giveWay)
})

/** Says once why a webhook that is wanted cannot be had. */
const withoutNamespace = wanted.pipe(
  Effect.andThen(
    Effect.logError(
      "webhooks are wanted, but not known is the controller's own namespace, where their certificates are kept: set POD_NAMESPACE"
    )
  ),
  Effect.andThen(Effect.never)
)

/** Starts what admission takes under the supervisor. */
export const runAdmission = Effect.fnUntraced(function*(options: AdmissionOptions) {
  if (Option.isSome(options.ownNamespace)) return yield* run(options, options.ownNamespace.value)
  yield* Effect.flatMap(Supervisor, (it) => it.run("webhooks", withoutNamespace))
})
