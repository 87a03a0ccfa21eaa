// Explanation: what is told of a workload or an image to whoever asks why; the one Schema that the daemon answers by and the command
// reads by. Edge: values only; what is in them is ExplainWorkload's and ExplainImage's, how they look ExplainReport's.
import { Schema } from "effect"
import { imageWords } from "../image/ImageState.ts"

/** Who knows it: the controller itself, or a command that has looked at the cluster and the backup. */
const By = Schema.Literals(["controller", "command"])

/** RFC 3339; null where nobody knows, or there is no such time. */
const Moment = Schema.NullOr(Schema.String)

export const Step = Schema.Struct({ what: Schema.String, at: Moment })
export type Step = typeof Step.Type

export const Command = Schema.Struct({
  /** What would be different after it. */
  does: Schema.String,
  command: Schema.String
})
export type Command = typeof Command.Type

export const ContainerExplained = Schema.Struct({
  container: Schema.String,
  /** As the template has it. */
  image: Schema.String,
  /** copy: it is the copy. ready: nothing of its own holds it. waits: it holds the workload. left: it stays as it is. */
  state: Schema.Literals(["copy", "ready", "waits", "left"]),
  reason: Schema.NullOr(Schema.String),
  detail: Schema.String,
  /** The copy's name; null while that cannot be said. */
  copy: Schema.NullOr(Schema.String),
  /** When the copy was last seen whole. */
  wholeAt: Moment
})
export type ContainerExplained = typeof ContainerExplained.Type

export const WorkloadExplained = Schema.TaggedStruct("Workload", {
  by: By,
  /** `Kind/namespace/name`. */
  workload: Schema.String,
  decision: Schema.Literals(["rewrite", "done", "held", "skipped"]),
  reason: Schema.NullOr(Schema.String),
  /** What the reason means, whatever the workload. */
  meaning: Schema.String,
  detail: Schema.String,
  /** Since when this process has seen it so. */
  since: Moment,
  containers: Schema.Array(ContainerExplained),
  next: Schema.Array(Step),
  /** Who or what it waits for. */
  heldUpBy: Schema.Array(Schema.String),
  advice: Schema.NullOr(Schema.String),
  commands: Schema.Array(Command)
})
export type WorkloadExplained = typeof WorkloadExplained.Type

export const ImageExplained = Schema.TaggedStruct("Image", {
  by: By,
  /** Canonical source reference. */
  source: Schema.String,
  state: Schema.Literals(imageWords),
  detail: Schema.String,
  copy: Schema.String,
  digest: Schema.NullOr(Schema.String),
  wholeAt: Moment,
  /** When it was tried last, where that failed. */
  triedAt: Moment,
  next: Schema.Array(Step),
  users: Schema.Struct({ count: Schema.Int, some: Schema.Array(Schema.String) }),
  commands: Schema.Array(Command)
})
export type ImageExplained = typeof ImageExplained.Type

/** Nothing is known of what was asked about: why, and what may have been meant. */
export const Unknown = Schema.TaggedStruct("Unknown", {
  message: Schema.String,
  candidates: Schema.Array(Schema.String)
})
export type Unknown = typeof Unknown.Type

export const Answer = Schema.Union([WorkloadExplained, ImageExplained, Unknown])
export type Answer = typeof Answer.Type

/** How many of anything are listed: an answer is read by people. */
export const mostListed = 10
/** Characters of a text that others wrote: an API server's refusal can be long. */
const longestText = 600

/** At most so much of a text that others wrote. */
export const bounded = (text: string): string => text.length <= longestText ? text : `${text.slice(0, longestText)}…`

/** The first of them, and how many there are more, in words. */
export const listed = (all: ReadonlyArray<string>): ReadonlyArray<string> =>
  all.length <= mostListed
    ? all.map(bounded)
    : [...all.slice(0, mostListed).map(bounded), `${all.length - mostListed} more`]

/** RFC 3339 of milliseconds since the epoch; null where there are none, or no clock has them. */
export const moment = (millis: number | undefined): string | null =>
  millis === undefined || !Number.isFinite(millis) || Math.abs(millis) > 8.64e15 ? null : new Date(millis).toISOString()
