// ReasonAdvice: what to do about each reason for which something is not done. The one owner of these texts: docs/operations.md has them in
// its table, and a test holds it to them. In Markdown, as they stand there. Edge: the commands that do it are web/Commands.ts.
import type { HoldReason, SkipReason } from "./Reason.ts"

/** For a person, by reason; links lead to sections of docs/operations.md. */
export const advice: Readonly<Record<SkipReason | HoldReason, string>> = {
  "namespace-ignored": "nothing, or change the setting",
  "opted-out": "nothing, or remove the mark",
  "image-ignored": "nothing, or change the setting",
  "already-backup": "nothing: this is the goal",
  "under-prefix-unknown": "find out who pushed it there; it is left alone",
  "foreign-copy": "name the source in the workload, or the copy by `BACKUP_REGISTRY`",
  "pull-policy-never": "nothing",
  "empty": "nothing; the pods that come of it are seen",
  "placeholder": "nothing",
  "localhost": "if it is a real registry: name it in `PLAIN_HTTP_REGISTRIES` or `PRIVATE_REGISTRIES`",
  "private": "copying never widens access: mirror it yourself, or make it public",
  "internal":
    "nothing; to have it copied all the same, name it in `PRIVATE_REGISTRIES`; if it is not yours, your DNS answers wrongly",
  "unparsable": "correct it in the workload",
  "unsupported": "ask its publisher for an OCI or Docker schema 2 image",
  "too-large": "free to ignore; copy it by hand with `image-cloner clone`",
  "owned": "for operators: set the image in the operator's own resource, or switch [admission](#admission) on",
  "immutable": "use the copy's name when you create it anew, or switch [admission](#admission) on",
  "mirror-pod": "use the copy's name in the node's manifest, if you want",
  "pending": "wait; `image_cloner_clones_in_flight` and the log show progress",
  "failed": "see [the next table](#why-an-image-is-not-copied)",
  "tag-moved": "roll it out to the image you want (`kubectl rollout restart`); then it is rewritten",
  "digest-unknown": "name the image by digest (`name:tag@sha256:…`) in the workload",
  "managed-by": "see [GitOps and Helm](#gitops-and-helm)",
  "critical": "nothing: on purpose",
  "serves-backup": "nothing: on purpose",
  "following": "nothing: ask the one that leads (`image_cloner_leader`)",
  "unseen": "see [ImageClonerUnseen](#imageclonerunseen)",
  "unhealthy": "mend the workload; then it is rewritten",
  "rolling-out": "wait",
  "paced": "wait, or raise `MAX_CONCURRENT_ROLLOUTS`",
  "no-disruption":
    "wait until it allows one; `image-cloner.io/rewrite: patch` on the workload has it rolled all the same",
  "paused": "nothing, or `kubectl rollout resume`",
  "stopped": "see [ImageClonerRolloutsStopped](#imageclonerrolloutsstopped)",
  "rollback": "nothing: it is rewritten once its pods have been ready for 15 minutes; see [Roll back](#roll-back)",
  "refused":
    "the reason has its words; it is tried again five minutes after a policy or a missing right, sooner after an outage, and at once when the workload changes",
  "contested": "find out what applies the old image; set `image-cloner.io/rewrite: never` or put the copy's name there",
  "cannot-pull": "see [ImageClonerNodesCannotPull](#imageclonernodescannotpull)",
  "stranded": "see [ImageClonerNodesCannotPull](#imageclonernodescannotpull)",
  "quarantined": "see [What is put back](#what-is-put-back)",
  "backup-down": "bring the backup back; see [When the backup is down](#when-the-backup-is-down)",
  "by-admission": "nothing; pods that run already get them when they are replaced, see [Admission](#admission)",
  "pull-unproven": "see [Pull secrets](#pull-secrets)",
  "mode-off": "nothing, or change it",
  "dry-run": "set it to `false`"
}

/** The same for a terminal: where a link was, its section is named. */
export const plainAdvice = (reason: SkipReason | HoldReason): string =>
  advice[reason].replaceAll(/\[([^\]]+)\]\((#[a-z0-9-]+)\)/g, "$1 (docs/operations.md$2)").replaceAll("`", "")
