// ReconcileWorkload: the actor of one workload. Look, plan, say what is wanted, and rewrite if everything is there and
// nothing holds it. It waits for nothing: whatever it lacks wakes it when it comes.
import { Clock, Duration, Effect, type Option, SubscriptionRef } from "effect"
import { makeFairPermits, unclaimed } from "../queue/FairPermits.ts"
import type { Backup } from "../image/BackupName.ts"
import type { KubeError } from "../kube/KubeError.ts"
import { Pacing } from "../rewrite/Pacing.ts"
import { Rewriter } from "../rewrite/Rewriter.ts"
import { backup, type Settings } from "../settings/Settings.ts"
import { SettingsRef } from "../settings/SettingsRef.ts"
import { Inventory } from "../store/Inventory.ts"
import { WorkloadStore } from "../store/WorkloadStore.ts"
import { pullFailureOf } from "../workload/OurRollout.ts"
import { restorePatch, rewritePatch } from "../workload/Patch.ts"
import { type Plan, plan, type Verdict } from "../workload/Plan.ts"
import { describeReplacements, freshness, replacementsOf } from "../workload/PlanImages.ts"
import { livePods } from "../workload/Rollout.ts"
import type { Pod, Workload } from "../workload/Workload.ts"
import { Decisions } from "./Decisions.ts"
import { gatherFacts } from "./GatherFacts.ts"
import { ImageQueue, offerAll, WorkloadQueue } from "./Queues.ts"

/** How long a workload rests after a policy or a missing right refused its patch: somebody has to do something first. */
const afterRefusal = Duration.minutes(5)

/** How many patches are on their way at once; namespaces take turns, because a webhook of one can make each take half a minute. */
const patchesAtOnce = 8

/** Makes the function that works on one key. */
export const make = (options: { readonly ownNamespace: Option.Option<string> }) =>
  Effect.gen(function*() {
    const store = yield* WorkloadStore
    const inventory = yield* Inventory
    const decisions = yield* Decisions
    const images = yield* ImageQueue
    const workloads = yield* WorkloadQueue
    const pacing = yield* Pacing
    const rewriter = yield* Rewriter
    const settingsRef = yield* SettingsRef
    // BACKUP_REGISTRY and BACKUP_LAYOUT change with a restart only
    const target: Backup = backup(yield* SubscriptionRef.get(settingsRef))
    const permits = makeFairPermits({ permits: patchesAtOnce, reserve: false })
    /** Patches that were refused: until when the same one is not sent again, whatever happens to the pods meanwhile. */
    const refusals = new Map<string, { readonly generation: number | undefined; readonly until: number }>()

    const apply: Rewriter["Service"]["apply"] = (workload, operations, purpose) =>
      permits.withPermit({ lane: workload.namespace, ...unclaimed })(rewriter.apply(workload, operations, purpose))

    const isRefused = ({ generation, key }: Workload, now: number) => {
      const refusal = refusals.get(key)
      return refusal !== undefined && refusal.generation === generation && refusal.until > now
    }

    const forget = (key: string) =>
      Effect.gen(function*() {
        inventory.want(key, [])
        decisions.forget(key)
        refusals.delete(key)
        yield* pacing.forget(key, key.split("/")[1] ?? "")
      })

    /** While pulling is unproven: whether a Deployment that rolls still waits for its images. */
    const preferredComing = () => {
      for (const { plan: { workload }, verdict } of decisions.all) {
        const waits = verdict._tag === "Held" && verdict.reason === "pending"
        if (waits && workload.kind === "Deployment" && workload.strategy !== "Recreate") return true
      }
      return false
    }

    const rewrite = Effect.fnUntraced(
      function*(of: Plan, idle: boolean, settings: Settings): Effect.fn.Return<Verdict, KubeError> {
        const { workload } = of
        const { key } = workload
        const request = {
          idle,
          limit: settings.MAX_CONCURRENT_ROLLOUTS,
          preferredComing: (yield* pacing.isProvenAnywhere) ? false : preferredComing()
        }
        const admission = yield* pacing.admit(workload, request)
        if (admission._tag === "Held") return admission
        const replacements = replacementsOf(of.images)
        const outcome = yield* apply(workload, rewritePatch(workload, replacements, target), "rewritten").pipe(
          Effect.onError(() => pacing.release(key))
        )
        if (outcome._tag !== "Applied") {
          yield* pacing.release(key)
          // the watch brings the newer object; a look a moment later covers a watch that is behind
          yield* workloads.offerAfter(key, "1 second")
          return of.verdict
        }
        yield* outcome.after === undefined ? pacing.release(key) : pacing.patched(outcome.after, idle)
        const [waiting] = workload.kind === "StatefulSet" && idle ? livePods(store.podsOf(workload)) : []
        const hint = waiting === undefined ? "" : stuckPod(workload, waiting)
        yield* Effect.logInfo(`rewritten: ${describeReplacements(replacements)}${hint}`)
        return of.verdict
      }
    )

    /** Puts the originals back where pods cannot pull and nothing in that namespace ever pulled from the backup. */
    const putBack = Effect.fnUntraced(function*({ patchable, workload }: Plan, pods: ReadonlyArray<Pod>) {
      // what another object controls carries our annotation too; and a template's owner would undo it again and again
      if (!patchable) return false
      const failure = pullFailureOf(workload, pods, target)
      if (failure === undefined || (yield* pacing.isProven(workload.namespace))) return false
      const detail = pullProblem(workload, failure.pod, failure.container.message, target)
      yield* pacing.pullFailed(workload.namespace, detail)
      const outcome = yield* apply(workload, restorePatch(workload, target), "restored")
      if (outcome._tag === "Applied") {
        yield* Effect.logError(`${detail}; its original images were put back${stuckPod(workload, failure.pod)}`)
      }
      yield* pacing.forget(workload.key, workload.namespace)
      return true
    })

    /** A tag may have moved since it was looked at for others: who newly uses it gets what it names now. */
    const compareAgain = (sources: ReadonlyArray<string>, now: number) =>
      Effect.forEach(sources, (source) => {
        const state = inventory.state(source)
        if (source.includes("@") || state?._tag !== "BackedUp" || now - state.verifiedAt <= freshness) {
          return Effect.void
        }
        return Effect.andThen(offerAll(workloads, inventory.set(source, { _tag: "Pending" })), images.offer(source))
      }, { discard: true })

    const refused = (of: Plan) => (error: KubeError) =>
      Effect.gen(function*() {
        yield* Effect.logWarning(`the patch was refused: ${error.message}`)
        const patience = error.reason === "Denied" || error.reason === "Forbidden" ? afterRefusal : Duration.zero
        const { generation, key } = of.workload
        const wait = yield* workloads.offerFailed(key, { atLeast: error.retryAfter ?? patience })
        refusals.set(key, { generation, until: (yield* Clock.currentTimeMillis) + Duration.toMillis(wait) })
        return of.verdict
      })

    return Effect.fn("reconcileWorkload")(function*(key: string) {
      const workload = store.get(key)
      if (workload === undefined) return yield* forget(key)
      const settings = yield* SubscriptionRef.get(settingsRef)
      const pods = store.podsOf(workload)
      yield* pacing.observe(workload, pods, target)
      const pod = store.pod(key)
      if (pod !== undefined) yield* pacing.observePod(pod, target)
      // its namespace may opt it out; the watch that brings it in a moment wakes everything in it
      if (store.isSynced("namespaces") && store.namespace(workload.namespace) === undefined) return
      const now = yield* Clock.currentTimeMillis
      const planned = plan(
        workload,
        gatherFacts(store, workload, {
          settings,
          backup: target,
          ownNamespace: options.ownNamespace,
          now,
          state: (source) => inventory.state(source),
          assumeCopied: settings.DRY_RUN
        })
      )
      yield* offerAll(images, inventory.want(key, planned.wants))
      const before = decisions.get(key)?.plan.wants ?? []
      // pods that come and go are no new users: what they run is what their workload names
      if (workload.owner === undefined) yield* compareAgain(planned.wants.filter((it) => !before.includes(it)), now)
      yield* offerAll(images, planned.stale)
      yield* reportForged(decisions.get(key)?.plan, planned)
      if (!settings.DRY_RUN && (yield* putBack(planned, pods))) return
      const may = planned.verdict._tag === "Rewrite" && !isRefused(workload, now)
      if (!may && !planned.onlyStale) yield* pacing.withdraw(key, workload.namespace)
      const verdict: Verdict = planned.verdict._tag === "Rewrite" && may
        ? yield* Effect.catchTag(rewrite(planned, planned.verdict.idle, settings), "KubeError", refused(planned))
        : planned.verdict
      yield* decisions.set({ plan: planned, verdict })
    }, (effect, key) => Effect.annotateLogs(effect, { workload: key }))
  })

/** Says once that somebody else wrote an entry of the originals annotation. */
const reportForged = (before: Plan | undefined, now: Plan): Effect.Effect<void> => {
  if (before?.images.some((it) => it.forged) === true) return Effect.void
  const forged = now.images.filter((it) => it.forged)
  return Effect.forEach(
    forged,
    (it) => Effect.logWarning(`the originals annotation of container ${it.slot.container} is not ours: ${it.detail}`),
    { discard: true }
  )
}

/** A StatefulSet waits for a pod that never becomes ready, even when its template is mended (kubernetes#67250). */
const stuckPod = (workload: Workload, pod: Pod): string =>
  workload.kind === "StatefulSet"
    ? `, but a StatefulSet does not replace a pod that is not ready: kubectl -n ${workload.namespace} delete pod ${pod.workload.name}`
    : ""

/** What stands in the way of pulling, and what to do about it. */
const pullProblem = (workload: Workload, pod: Pod, message: string | undefined, target: Backup): string => {
  const secrets = pod.workload.pullSecrets
  const account = pod.workload.serviceAccount ?? "default"
  const remedy = secrets.length === 0
    ? `its pods name no pull secret: make one of type kubernetes.io/dockerconfigjson for ${target.registry} in namespace `
      + `${workload.namespace} and add it to the imagePullSecrets of ServiceAccount ${account}`
    : `its pods name the pull secret ${secrets.join(", ")}: see that it exists in namespace ${workload.namespace} and `
      + `holds a login for ${target.registry}`
  return `pods of ${workload.key} cannot pull from the backup (${message ?? "no message"}): ${remedy}`
}
