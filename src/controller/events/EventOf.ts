// EventOf: which change of a decision is worth an Event on the workload, and what that says: reasons only, never words of a registry or
// of another tenant. Pure. Edge: whether it is written is EventLimits' and WriteEvents'; what a patch did is said by whoever sent it.
import { kindOfObject } from "../../workload/Kinds.ts"
import { type HoldReason, holdReasons } from "../../workload/Reason.ts"
import type { Workload } from "../../workload/Workload.ts"
import type { Decision } from "../Decisions.ts"

/** For machines: CamelCase, at most 128 bytes. */
export type EventReason =
  | "Rewritten"
  | "RolledOut"
  | "RolloutStuck"
  | "Held"
  | "PutBack"
  | "Contested"
  | "CopyFailed"
  | "SettingsRejected"
  | "SourceVanished"
  | "SourceBack"

/** What was about to be done. */
export type EventAction = "Rewriting" | "Copying" | "PuttingBack" | "ReadingSettings"

/** The object that an Event is about. */
export interface Regarding {
  readonly apiVersion: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
  /** Undefined where only its name is known. */
  readonly uid: string | undefined
}

export interface ToldEvent {
  readonly regarding: Regarding
  readonly type: "Normal" | "Warning"
  readonly reason: EventReason
  readonly action: EventAction
  /** For people. */
  readonly note: string
  /** Tells it from others of the same reason: those of another cause are no series. */
  readonly cause: string
}

export const regardingOf = (workload: Workload): Regarding => {
  const { apiVersion, extra, kind } = kindOfObject(workload)
  const { name, namespace, uid } = workload
  // kinds of EXTRA_KINDS are called Kind.group here
  return { apiVersion, kind: extra === undefined ? kind : extra.name.split(".")[0] ?? kind, namespace, name, uid }
}

/**
 * Holds that do not end by themselves, or that somebody should know of. What passes is said by metrics and `explain` alone; so is
 * what another workload is the cause of (`pull-unproven`, `stopped`): that one has its own Event, and would have hundreds beside it.
 */
const needsSomebody: ReadonlyMap<HoldReason, EventReason> = new Map<HoldReason, EventReason>([
  ["failed", "CopyFailed"],
  ["contested", "Contested"],
  ["quarantined", "Held"],
  ["tag-moved", "Held"],
  ["digest-unknown", "Held"],
  ["refused", "Held"],
  ["cannot-pull", "Held"],
  ["stranded", "Held"]
])

const heldFor = ({ verdict }: Decision): HoldReason | undefined => verdict._tag === "Held" ? verdict.reason : undefined

/** What helps whoever reads it further. */
const further = ({ plan: { workload } }: Decision): string => `image-cloner explain ${workload.key} says more`

/** The images that hold it: references that were parsed, so that nothing else can be in them. */
const failedImages = ({ plan: { images } }: Decision): string => {
  const sources = [...new Set(images.flatMap((it) => it.hold === "failed" ? it.wants : []))]
  const [first] = sources
  if (first === undefined) return ""
  return sources.length === 1 ? ` (${first})` : ` (${first} and ${sources.length - 1} more)`
}

/**
 * What a change of a decision says; undefined where nobody needs an Event of it.
 * @param before undefined: it is the first of this process; a hold is told then
 * @param putBack whether its originals have just been put back for it
 */
export const eventOf = (before: Decision | undefined, after: Decision, putBack = false): ToldEvent | undefined => {
  const { workload } = after.plan
  // its owner has it
  if (workload.owner !== undefined) return undefined
  const held = heldFor(after)
  if (held === undefined) return undefined
  const undone = putBack && (held === "quarantined" || held === "pull-unproven")
  const reason = undone ? "PutBack" : needsSomebody.get(held)
  if (reason === undefined) return undefined
  if (!undone && before !== undefined && heldFor(before) === held) return undefined
  const why = `${held}: ${holdReasons[held]}${held === "failed" ? failedImages(after) : ""}`
  return {
    regarding: regardingOf(workload),
    type: "Warning",
    reason,
    action: undone ? "PuttingBack" : held === "failed" ? "Copying" : "Rewriting",
    note: `${undone ? "its original images were put back; " : ""}${why}; ${further(after)}`,
    cause: held
  }
}

/** The API server has taken the patch. */
export const rewrittenEvent = (workload: Workload, images: number): ToldEvent => ({
  regarding: regardingOf(workload),
  type: "Normal",
  reason: "Rewritten",
  action: "Rewriting",
  note:
    `${images === 1 ? "1 image names its copy" : `${images} images name their copies`} in the backup registry now; ` +
    `image-cloner restore undoes it`,
  cause: ""
})

/**
 * The settings of a ConfigMap were rejected.
 * @param keys which of them are wrong; what they say stays in the log, where their owner is
 */
export const rejectedEvent = (namespace: string, keys: ReadonlyArray<string>): ToldEvent => ({
  regarding: { apiVersion: "v1", kind: "ConfigMap", namespace, name: "image-cloner-configuration", uid: undefined },
  type: "Warning",
  reason: "SettingsRejected",
  action: "ReadingSettings",
  note: `the last good settings stay in use: what is wrong with ${keys.join(", ")} is in the controller's log`,
  cause: ""
})

/** A rollout of ours has ended, or gets no further. */
export const rolloutEvent = (workload: Workload, ended: boolean): ToldEvent => ({
  regarding: regardingOf(workload),
  type: ended ? "Normal" : "Warning",
  reason: ended ? "RolledOut" : "RolloutStuck",
  action: "Rewriting",
  note: ended
    ? "all its pods run from the backup registry"
    : `the rollout that a rewrite began is stuck; no further ones are begun in its namespace; ` +
      `image-cloner explain ${workload.key} says more`,
  cause: ""
})
