// Commands: what a person types to change what was decided about a workload or an image, by its reason. Edge: what is advised where
// no command can do it is workload/ReasonAdvice.ts. Nothing here is ever run by us.
import { heldAnnotation } from "../workload/HeldMark.ts"
import { rewriteAnnotation } from "../workload/Marks.ts"
import { kindName, kindOfObject } from "../workload/Kinds.ts"
import type { HoldReason, SkipReason } from "../workload/Reason.ts"
import type { Workload } from "../workload/Workload.ts"
import type { Command } from "./Explanation.ts"
import type { KnownWorkload } from "./Known.ts"

/** A word as a shell takes it: names of Kubernetes and of images need no quotes, what is none of them gets them. */
export const shellWord = (text: string): string =>
  /^[\w.:/@=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

const kubectl = ({ namespace }: Workload, ...words: ReadonlyArray<string>): string =>
  ["kubectl", "-n", namespace, ...words].map(shellWord).join(" ")

/** As kubectl takes it: kinds of EXTRA_KINDS with their group. */
const objectOf = (workload: Workload): string => `${kindName(kindOfObject(workload)).toLowerCase()}/${workload.name}`

/** What kubectl does with rollouts, which it knows of its own kinds alone. */
const rollout = (workload: Workload, verb: "restart" | "status" | "resume", does: string): ReadonlyArray<Command> =>
  workload.extra === undefined ? [{ does, command: kubectl(workload, "rollout", verb, objectOf(workload)) }] : []

const annotate = (workload: Workload, mark: string, does: string): Command => ({
  does,
  command: kubectl(workload, "annotate", objectOf(workload), mark, ...(mark.endsWith("-") ? [] : ["--overwrite"]))
})

const restore = (key: string, does: string, ...flags: ReadonlyArray<string>): Command => ({
  does,
  command: ["image-cloner", "restore", key, ...flags].map(shellWord).join(" ")
})

const explain = (key: string, does: string): Command => ({
  does,
  command: `image-cloner explain ${shellWord(key)}`
})

/** Opens the settings; `does` names the key. */
const settings = ({ controllerNamespace }: KnownWorkload, does: string): Command => ({
  does,
  command: `kubectl -n ${shellWord(controllerNamespace)} edit configmap image-cloner-configuration`
})

const asked = (workload: Workload, does: string): Command => annotate(workload, `${rewriteAnnotation}=patch`, does)
const never = (workload: Workload): Command => annotate(workload, `${rewriteAnnotation}=never`, "leave it alone")

/** Who wrote the mark: the object itself, an owner, or its namespace. */
const withoutIgnore = ({ namespace, owners, plan: { workload } }: KnownWorkload): ReadonlyArray<Command> => {
  const marked = [workload, ...owners].find((it) => it.marks.ignore !== undefined)
  // an annotation counts before a label, so this takes back either
  if (marked !== undefined) return [annotate(marked, "image-cloner.io/ignore=false", "have it handled")]
  return namespace?.marks.ignore === true
    ? [annotate(workload, "image-cloner.io/ignore=false", "have it handled, and the others of its namespace not")]
    : []
}

const withoutMode = (known: KnownWorkload): ReadonlyArray<Command> => {
  const { workload } = known.plan
  const { rewrite } = workload.marks
  if (rewrite === "never" && workload.written["image-cloner.io/restored"] !== undefined) {
    return [restore(workload.key, "let the controller rewrite it again", "--undo-marks")]
  }
  if (rewrite === "never") return [asked(workload, "have it rewritten")]
  return known.namespace?.marks.rewrite === undefined
    ? [settings(known, "REWRITE_MODE, MUTATING_WEBHOOK")]
    : [asked(workload, "have it rewritten, and the others of its namespace not")]
}

const restoreStuck = ({ standing }: KnownWorkload): ReadonlyArray<Command> =>
  (standing?.stuck ?? []).slice(0, 2).map((it) => restore(it, "undo the rewrite that is stuck"))

/** The first image that holds or is skipped, for commands that take one. */
const imagesOf = (known: KnownWorkload): ReadonlyArray<Command> =>
  known.plan.images.flatMap((it) => it.hold === undefined ? [] : it.wants.slice(-1)).slice(0, 2)
    .map((it) => explain(it, "see the image"))

type Made = (known: KnownWorkload) => ReadonlyArray<Command>

/** By reason; what has none is changed by no command of ours or kubectl's. */
const byReason: Partial<Record<SkipReason | HoldReason, Made>> = {
  "namespace-ignored": (it) => [settings(it, "NAMESPACES_TO_IGNORE, NAMESPACES_TO_INCLUDE")],
  "opted-out": withoutIgnore,
  "image-ignored": (it) => [settings(it, "IMAGES_TO_IGNORE")],
  "localhost": (it) => [settings(it, "PRIVATE_REGISTRIES")],
  "internal": (it) => [settings(it, "PRIVATE_REGISTRIES")],
  "too-large": (it) => [settings(it, "MAX_IMAGE_SIZE")],
  "owned": ({ owners }) => owners.slice(-1).map((it) => explain(it.key, "see what is handled instead")),
  "immutable": (it) => [settings(it, "MUTATING_WEBHOOK has its pods get the copies")],
  "pending": imagesOf,
  "failed": (it) => [...imagesOf(it), settings(it, "IMAGES_TO_IGNORE lets the other images go on")],
  "tag-moved": ({ plan: { workload } }) => rollout(workload, "restart", "run what the tag names"),
  "managed-by": (it) => [settings(it, "MUTATING_WEBHOOK has its pods get the copies")],
  "unhealthy": ({ plan: { workload } }) => [
    { does: "see what is wrong", command: kubectl(workload, "describe", objectOf(workload)) }
  ],
  "rolling-out": ({ plan: { workload } }) => rollout(workload, "status", "watch it"),
  "no-disruption": ({ plan: { workload } }) => [asked(workload, "have it rolled all the same")],
  "paced": (it) => [settings(it, "MAX_CONCURRENT_ROLLOUTS"), never(it.plan.workload)],
  "paused": ({ plan: { workload } }) => rollout(workload, "resume", "let it roll"),
  "stopped": restoreStuck,
  "contested": ({ plan: { workload } }) => [
    annotate(workload, `${heldAnnotation}-`, "have it tried again"),
    never(workload)
  ],
  "quarantined": ({ plan: { workload } }) => [annotate(workload, `${heldAnnotation}-`, "have it tried again")],
  "cannot-pull": ({ plan: { workload } }) => [restore(workload.key, "go back to the originals")],
  "stranded": ({ plan: { workload } }) => [restore(workload.key, "go back to the originals")],
  "pull-unproven": (it) => [
    asked(it.plan.workload, "have it show that its pods can pull"),
    settings(it, "BACKUP_PULL_BY: nodes, if every node can")
  ],
  "mode-off": withoutMode,
  "dry-run": (it) => [settings(it, "DRY_RUN")]
}

/** What would change the decision about a workload; of what is rewritten, what undoes that. */
export const commandsOf = (known: KnownWorkload): ReadonlyArray<Command> => {
  const { plan: { images, workload }, standing, verdict } = known
  const isCopy = images.some((it) => it.skip === "already-backup")
  const isStuck = standing?.rollout._tag === "Stuck"
  const undo = isCopy && workload.owner === undefined && (verdict._tag === "Done" || isStuck)
    ? [restore(workload.key, "undo the rewrite")]
    : []
  if (!("reason" in verdict)) {
    const skip = images.find((it) => it.skip !== undefined && it.skip !== "already-backup")?.skip
    const forImage = skip === undefined ? [] : byReason[skip]?.(known) ?? []
    return verdict._tag === "Rewrite" ? [never(workload)] : [...undo, ...forImage]
  }
  return [...undo, ...byReason[verdict.reason]?.(known) ?? []]
}
