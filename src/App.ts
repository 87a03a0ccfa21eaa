// App: the layer graph. Every implementation is chosen here and nowhere else.
import { Duration, Effect, Layer, Option } from "effect"
import { SecureRandom } from "effect/crypto"
import { keepPullSecret } from "./access/KeepPullSecret.ts"
import { Cloner } from "./clone/Cloner.ts"
import { SourceTags } from "./clone/SourceTags.ts"
import { Decisions } from "./controller/Decisions.ts"
import { rejectedEvent } from "./controller/events/EventOf.ts"
import { Events, layer as telling } from "./controller/events/Events.ts"
import { writeEvents } from "./controller/events/WriteEvents.ts"
import { ImageQueue, WorkloadQueue } from "./controller/Queues.ts"
import * as Controller from "./Controller.ts"
import { format } from "./image/ImageReference.ts"
import { KubeClient } from "./kube/KubeClient.ts"
import { LeaderElection } from "./kube/lease/LeaderElection.ts"
import { elected, Leadership } from "./kube/lease/Leadership.ts"
import { WatchStates } from "./kube/watch/WatchStates.ts"
import { Credentials } from "./registry/auth/Credentials.ts"
import { copyingOnly, CurrentLimits } from "./registry/Limits.ts"
import { RegistryClient } from "./registry/RegistryClient.ts"
import { type ByHand, RegistrySettings } from "./registry/RegistrySettings.ts"
import { Pacing } from "./rewrite/Pacing.ts"
import { Rewriter } from "./rewrite/Rewriter.ts"
import { dockerFolder } from "./settings/DockerFolder.ts"
import { ProcessSettings } from "./settings/ProcessSettings.ts"
import { SettingsError } from "./settings/SettingsError.ts"
import { type Run, SettingsRef } from "./settings/SettingsRef.ts"
import { Inventory } from "./store/Inventory.ts"
import { WorkloadStore } from "./store/WorkloadStore.ts"
import { supervised, Supervisor } from "./Supervisor.ts"
import { Health } from "./telemetry/HealthChecks.ts"
import { httpServer } from "./telemetry/HttpServer.ts"
import { logging } from "./telemetry/Logging.ts"
import { layer as metrics } from "./telemetry/Metrics.ts"
import { layer as recentChanges } from "./telemetry/RecentChanges.ts"
import { type Figures, processMetrics } from "./telemetry/ProcessMetrics.ts"
import { Coverage } from "./upkeep/Coverage.ts"
import { Explainer, layer as explaining, usualNamespace } from "./web/Explainer.ts"
import { explainRoute } from "./web/ExplainRoute.ts"
import { CoverageCourse, sampleCoverage } from "./web/page/CoverageCourse.ts"
import { pageRoute } from "./web/page/PageRoute.ts"
import { PageSource, tellPage } from "./web/page/PageSource.ts"
import { Viewers } from "./web/page/Viewers.ts"
import { statusRoute, StatusSource, tellStatus } from "./web/StatusRoute.ts"

/** Copying: the cloner and the registry client below it. `run` starts fibers that run for ever: the settings of a command never change. */
export const registries = (byHand?: ByHand, run?: Run) =>
  Layer.unwrap(Effect.gen(function*() {
    const { certsDir, proxies } = yield* ProcessSettings
    const directory = yield* dockerFolder
    return Layer.merge(Cloner.layer({ shared: byHand === undefined, run }), SourceTags.layer).pipe(
      Layer.provideMerge(RegistryClient.layer({ certificates: Option.some(certsDir), proxies })),
      // whoever gives a login to tenants has to know the one that pushes
      Layer.provideMerge(Credentials.layer({ directory })),
      Layer.provide([
        RegistrySettings.layer(byHand),
        byHand?.alone === true ? Layer.succeed(CurrentLimits, copyingOnly) : Layer.empty
      ])
    )
  }))

/** The two loops with their stores and queues; what they reach the outside by is the caller's. */
export const controller = (options: Controller.ControllerOptions) =>
  Controller.layer(options).pipe(
    Layer.provideMerge(Layer.mergeAll(
      Decisions.layer,
      Coverage.layer,
      WorkloadQueue.layer,
      ImageQueue.layer,
      Pacing.layer,
      Rewriter.layer,
      Inventory.layer,
      WorkloadStore.layer,
      WatchStates.layer
    )),
    // the supervisor itself lives as long as whoever has a fiber there: longer than what the loops use
    Layer.provideMerge(Layer.effectDiscard(Effect.gen(function*() {
      const { stop } = yield* Supervisor
      const { leave } = yield* Leadership
      // the next replica need not wait until calls of the webhooks have come to their end
      yield* Effect.addFinalizer(() => stop(leave))
    }))),
    Layer.provideMerge(Supervisor.layer)
  )

export interface DaemonOptions {
  readonly directory: Option.Option<string>
  readonly kubeconfig: Option.Option<string>
  readonly context: Option.Option<string>
}

/** Where the API server is and as whom. */
export const kube = (options: Pick<DaemonOptions, "context" | "kubeconfig">) =>
  KubeClient.layer({
    kubeconfig: Option.getOrUndefined(options.kubeconfig),
    context: Option.getOrUndefined(options.context)
  })

/** Writing to workloads, for a command that does it by hand. */
export const rewriter = Rewriter.layer

/** What the process measures of itself; only main.ts can tell. */
export interface Process {
  readonly figures: Figures
  /** Whether somebody reads the log on a terminal. */
  readonly terminal: boolean
}

const logs = (terminal: boolean) =>
  Layer.unwrap(
    Effect.map(ProcessSettings, ({ logFormat, logLevel }) =>
      logging({
        format: Option.getOrElse(logFormat, () => terminal ? "pretty" : "json"),
        level: logLevel
      }))
  )

const http = Layer.unwrap(Effect.gen(function*() {
  const { httpPort } = yield* ProcessSettings
  const explainer = Layer.succeed(Explainer, yield* Explainer)
  const status = Layer.succeed(StatusSource, yield* StatusSource)
  const page = Layer.merge(Layer.succeed(PageSource, yield* PageSource), Layer.succeed(Viewers, yield* Viewers))
  const routes = Layer.mergeAll(
    Layer.provide(explainRoute, explainer),
    Layer.provide(statusRoute, status),
    Layer.provide(pageRoute, page)
  )
  return httpServer({ port: httpPort, routes })
}))

/** Of several replicas one leads; one that is alone does. */
const leadership = Layer.unwrap(Effect.gen(function*() {
  const { leaderElection, podName, podNamespace } = yield* ProcessSettings
  if (!leaderElection) return Layer.empty
  if (Option.isNone(podNamespace)) {
    const problem = "it takes POD_NAMESPACE, the namespace that the replicas have in common"
    return yield* new SettingsError({ problems: [{ key: "LEADER_ELECTION", problem }] })
  }
  const identity = `${podName}_${yield* Effect.flatMap(SecureRandom.SecureRandom, (it) => it.uuidV4())}`
  const namespace = podNamespace.value
  const health = Layer.effectDiscard(Effect.gen(function*() {
    const { check } = yield* LeaderElection
    yield* (yield* Health).add("alive", "leader", check)
  }))
  return Layer.mergeAll(elected, health).pipe(
    Layer.provide(
      supervised((run) => LeaderElection.layer({ namespace, name: "image-cloner-controller", identity, run }))
    )
  )
})).pipe(Layer.provide(SecureRandom.layerWebCrypto))

/** The pull secret in namespaces, where PULL_SECRET names one. */
const pullSecrets = (ownNamespace: Option.Option<string>) =>
  Layer.effectDiscard(Effect.gen(function*() {
    const { run } = yield* Supervisor
    const { lookup } = yield* Credentials
    const { mayWrite } = yield* Leadership
    yield* run("pull secrets", keepPullSecret({ ownNamespace, mayWrite, logins: lookup }))
  }))

/** The settings, followed; those that are rejected are an Event on their ConfigMap. */
const settingsOf = (directory: Option.Option<string>) =>
  Layer.unwrap(Effect.gen(function*() {
    const { tell } = yield* Events
    const { podNamespace } = yield* ProcessSettings
    const rejected = ({ problems }: SettingsError) =>
      Option.match(podNamespace, {
        onNone: () => Effect.void,
        onSome: (it) => tell(rejectedEvent(it, problems.map(({ key }) => key)))
      })
    return supervised((run) => SettingsRef.layer({ directory, run, rejected }))
  }))

/** The Events that are told of from anywhere. */
const events = Layer.effectDiscard(Effect.gen(function*() {
  const { run } = yield* Supervisor
  yield* run("events", writeEvents)
}))

/** The status page, with samples of what it draws. */
const statusPage = (ownNamespace: Option.Option<string>) =>
  Layer.unwrap(Effect.gen(function*() {
    const { inFlight, waiting } = yield* Cloner
    const { budgetOf, restOf } = yield* RegistryClient
    const { run } = yield* Supervisor
    const { end } = yield* Viewers
    yield* run("coverage samples", sampleCoverage)
    // before anything else does: nothing waits for those who look
    yield* Effect.addFinalizer(() => end)
    return tellPage({
      copies: Effect.map(inFlight, (all) => all.map((it) => ({ ...it, source: format(it.source) }))),
      waiting,
      budgetOf: (host) => {
        const budget = budgetOf(host)
        return budget === undefined ? undefined : { ...budget, windowMinutes: Duration.toMinutes(budget.window) }
      },
      restOf,
      controllerNamespace: Option.getOrElse(ownNamespace, () => usualNamespace)
    })
  })).pipe(Layer.provide(CoverageCourse.layer))

/** The whole daemon. Health and metrics answer before the API server is reached for the first time. */
export const daemon = (options: DaemonOptions, process: Process) =>
  Layer.unwrap(
    Effect.map(ProcessSettings, ({ podNamespace, webhookPort, webhookUrl }) =>
      Layer.mergeAll(
        Layer.unwrap(Effect.map(Cloner, (cloner) => explaining(podNamespace, cloner))),
        tellStatus,
        events,
        statusPage(podNamespace),
        pullSecrets(podNamespace)
      ).pipe(
        Layer.provideMerge(
          controller({ ownNamespace: podNamespace, webhooks: { port: webhookPort, url: webhookUrl } })
        )
      ))
  ).pipe(
    Layer.provideMerge(supervised((run) => registries(undefined, run))),
    Layer.provide(leadership),
    Layer.provide([kube(options), settingsOf(options.directory)]),
    Layer.provide(http),
    Layer.provideMerge(Health.layer),
    Layer.provide([Explainer.layer, StatusSource.layer, Layer.provideMerge(Viewers.layer, PageSource.layer), telling]),
    Layer.provide([metrics, recentChanges, processMetrics(process.figures)]),
    Layer.provide(logs(process.terminal)),
    Layer.provideMerge(ProcessSettings.layer)
  )
