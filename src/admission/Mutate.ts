// Mutate: points the images of a pod that is about to be made to their copies. It reads the stores and asks nobody; what it does
// not know is left as it is, and asked for. Edge: what is decided is workload/PlanPod's, how it is served server/'s.
import { Effect, type Option } from "effect"
import { uptime } from "../telemetry/Uptime.ts"
import { writeOriginals } from "../workload/Originals.ts"
import { admissionPatch } from "../workload/Patch.ts"
import { planPod, type PodPlan } from "../workload/PlanPod.ts"
import { pullSetOfPod } from "../workload/PullSet.ts"
import { type AdmittedPod, admittedPod } from "./AdmittedPod.ts"
import { type Gathered, make as makeGather } from "./GatherPodFacts.ts"
import type { AdmissionAnswer, AdmissionRequest } from "./Review.ts"
import type { Surroundings } from "./Surroundings.ts"
import { told } from "./Told.ts"

/** Holds that whoever makes a pod is warned of: nothing else would tell them why it starts from the originals. */
const said: ReadonlySet<string> = new Set(["unseen"])

const warningsOf = ({ verdict }: PodPlan): ReadonlyArray<string> =>
  verdict._tag === "Held" && said.has(verdict.reason)
    ? [`image-cloner: images are left as they are: ${verdict.detail}`]
    : []

const answerOf = ({ ephemeral, pod }: AdmittedPod, planned: PodPlan, { backup }: Gathered): AdmissionAnswer => {
  const { replacements } = planned
  const warnings = warningsOf(planned)
  if (replacements.length === 0) return { warnings }
  return {
    warnings,
    patch: admissionPatch(pod.workload, replacements, backup, !ephemeral),
    // metadata of an update of ephemeral containers is dropped (registry/core/pod/strategy.go)
    ...(ephemeral
      ? {
        auditAnnotations: {
          "original-images": writeOriginals(new Map(replacements.map(({ slot }) => [slot.container, slot.image])))
        }
      }
      : {})
  }
}

/** Makes the handler of pods that are made and of ephemeral containers that are added. */
export const make = Effect.fnUntraced(
  function*(options: { readonly ownNamespace: Option.Option<string>; readonly surroundings: Surroundings }) {
    const gather = yield* makeGather(options)
    const { ask, backupFails, recreated, unshown } = options.surroundings

    const plan = Effect.fnUntraced(function*({ pod }: AdmittedPod, gathered: Gathered, dryRun: boolean) {
      const fails = gathered.settings.BACKUP_DOWN === "rewrite" ? undefined : yield* backupFails
      const facts = { ...gathered, backupFails: fails, unshown: undefined, recreated: yield* recreated(pod.workload) }
      const planned = planPod(pod.workload, facts)
      // a pod of which nothing is to be rewritten must not become the one that shows it
      if (planned.verdict._tag !== "Rewrite" || gathered.settings.BACKUP_PULL_BY === "nodes") return planned
      const set = pullSetOfPod(pod, gathered.namespace)
      const why = yield* unshown({ pod, owners: gathered.owners, set, dryRun })
      return why === undefined ? planned : planPod(pod.workload, { ...facts, unshown: why })
    })

    return Effect.fnUntraced(function*(request: AdmissionRequest): Effect.fn.Return<AdmissionAnswer> {
      const started = yield* uptime
      const admitted = admittedPod(request)
      if (admitted === undefined || admitted.pod.workload.images.length === 0) return {}
      const gathered = yield* gather(admitted)
      const planned = yield* plan(admitted, gathered, request.dryRun)
      if (!request.dryRun && gathered.namespace !== undefined && planned.missing.length > 0) {
        yield* ask(request.namespace, planned.missing)
      }
      yield* told("mutate", planned.verdict, (yield* uptime) - started)
      return answerOf(admitted, planned, gathered)
    })
  }
)
