// Validate: warns of images that are not from the backup, or refuses them. A guard rail: while nobody answers, the API server goes
// on without, and while it is us who leave pods as they are nobody is refused. It sees pods as they will be, after all that changes
// them.
import { Effect, type Option } from "effect"
import { uptime } from "../telemetry/Uptime.ts"
import { describeForeign, foreignImages, refusal } from "../workload/ForeignImages.ts"
import { pullSetOfPod } from "../workload/PullSet.ts"
import { type AdmittedPod, admittedPod } from "./AdmittedPod.ts"
import { type Gathered, make as makeGather } from "./GatherPodFacts.ts"
import type { AdmissionAnswer, AdmissionRequest } from "./Review.ts"
import type { Surroundings } from "./Surroundings.ts"
import { type Ending, told } from "./Told.ts"

/** Makes the handler of pods and ephemeral containers that are made or changed. */
export const make = Effect.fnUntraced(
  function*(options: { readonly ownNamespace: Option.Option<string>; readonly surroundings: Surroundings }) {
    const gather = yield* makeGather(options)

    const { backupFails, failsElsewhere, learning, recreated, unshown } = options.surroundings

    /** Why a pod that names originals is not refused: nobody could do anything about it, since it is us who did not point it to copies. */
    const excuseOf = Effect.fnUntraced(
      function*({ pod }: AdmittedPod, { namespace, owners, settings, unseen }: Gathered) {
        if (settings.DRY_RUN) return "DRY_RUN is on"
        const known = unseen[0] ?? (yield* learning)
        if (known !== undefined || settings.MUTATING_WEBHOOK === "off") return known
        const left = yield* recreated(pod.workload)
        if (left !== undefined) return left
        const fails = settings.BACKUP_DOWN === "rewrite" ? undefined : (yield* backupFails) ?? (yield* failsElsewhere)
        if (fails !== undefined || settings.BACKUP_PULL_BY === "nodes") return fails
        return yield* unshown({ pod, owners, set: pullSetOfPod(pod, namespace), dryRun: true })
      }
    )

    const decide = Effect.fnUntraced(function*(
      request: AdmissionRequest
    ): Effect.fn.Return<{ readonly ending: Ending; readonly answer: AdmissionAnswer }> {
      const allowed = { ending: { _tag: "Allowed" }, answer: {} } as const
      const admitted = admittedPod(request)
      if (admitted === undefined || admitted.pod.workload.images.length === 0) return allowed
      const gathered = yield* gather(admitted)
      const { BACKUP_REGISTRY, VALIDATING_WEBHOOK } = gathered.settings
      // its namespace may be exempt: nobody is refused, or warned, for what we do not know
      if (VALIDATING_WEBHOOK === "off" || gathered.namespace === undefined) return allowed
      const { workload } = admitted.pod
      const foreign = foreignImages(workload, gathered, VALIDATING_WEBHOOK === "enforce")
      if (foreign.length === 0) return allowed
      const excuse = VALIDATING_WEBHOOK === "enforce" ? yield* excuseOf(admitted, gathered) : undefined
      const enforced = VALIDATING_WEBHOOK === "enforce" && excuse === undefined
      // who is only warned is not warned of what a warning passes over
      const images = excuse === undefined ? foreign : foreignImages(workload, gathered, false)
      if (images.length === 0) return allowed
      const missing = [...new Set(images.flatMap((it) => it.missing))]
      if (!request.dryRun && missing.length > 0) yield* options.surroundings.ask(request.namespace, missing)
      return enforced
        ? {
          ending: { _tag: "Denied" },
          answer: {
            denied: {
              code: 403,
              reason: "Forbidden",
              message: `image-cloner: ${refusal(images, BACKUP_REGISTRY)}`
            }
          }
        }
        : {
          ending: { _tag: "Warned" },
          answer: {
            warnings: [
              ...(excuse === undefined ? [] : [`image-cloner: not refused, because ${excuse}`]),
              ...images.map((it) => `image-cloner: ${describeForeign(it)}`)
            ]
          }
        }
    })

    return Effect.fnUntraced(function*(request: AdmissionRequest): Effect.fn.Return<AdmissionAnswer> {
      const started = yield* uptime
      const { answer, ending } = yield* decide(request)
      yield* told("validate", ending, (yield* uptime) - started)
      return answer
    })
  }
)
