// Reason: the one closed list of why something is not done, shared by plan, metrics and messages.
// Skipped is said of one image or a whole object; held is said of a workload and ends when its cause does.

/** Each skip reason with the sentence that explains it to a person. */
export const skipReasons = {
  "namespace-ignored": "its namespace is ignored by the settings",
  "opted-out": "image-cloner.io/ignore is set on it, an owner of it or its namespace",
  "image-ignored": "the image matches IMAGES_TO_IGNORE",
  "already-backup": "the image is the copy in the backup registry already",
  "under-prefix-unknown": "the image is under the backup's prefix, but nothing tells what it was copied from",
  "foreign-copy": "the image is a copy in another backup with the same prefix, or in this one by another host name",
  "pull-policy-never": "imagePullPolicy is Never: the node's own image is meant",
  "empty": "the image is empty: something else fills it in",
  "placeholder": "the image is the placeholder \"auto\": an injector replaces it",
  "localhost": "the image's registry is the node itself",
  "private": "the image is private or does not exist: it cannot be read anonymously",
  "internal": "the image's registry is at a private address: it is yours already (PRIVATE_REGISTRIES has it copied)",
  "unparsable": "the image is not a valid reference",
  "unsupported": "the image has a format that is not copied",
  "too-large": "the image is larger than MAX_IMAGE_SIZE",
  "owned": "another object controls it; that one is handled instead",
  "immutable": "its pod template cannot be changed after creation",
  "mirror-pod": "it is a static pod of a node"
} as const

/** Each hold reason with the sentence that explains it to a person. */
export const holdReasons = {
  "pending": "not all of its images are in the backup yet",
  "failed": "an image could not be copied",
  "tag-moved": "the tag no longer names what its pods run, and what they run cannot be copied",
  "digest-unknown": "its pods run, and nothing tells which digest: the copy might hold other bytes",
  "managed-by": "a tool or an operator owns its template and would undo a change",
  "critical": "it has a system-critical priority: the cluster needs it to start",
  "serves-backup": "it is in a namespace that serves the backup registry",
  "following": "another replica of the controller leads: it does what is to be done",
  "unseen": "what it runs, or who has opted it out, cannot be seen now: it is not touched",
  "unhealthy": "not all of its pods are ready",
  "rolling-out": "a rollout of it is under way",
  "no-disruption": "its rollout takes pods away, and a PodDisruptionBudget allows no disruption now",
  "paced": "as many rollouts as allowed are under way",
  "paused": "somebody has paused the Deployment",
  "stopped": "rollouts of ours are stuck, so no further ones are begun",
  "rollback": "somebody rolled it back: it is left alone until its pods have been ready for 15 minutes",
  "refused": "the API server did not take the patch: a policy, a webhook, a missing right or an outage",
  "contested": "something keeps undoing the change",
  "quarantined": "its pods did not become ready with the copy",
  "backup-down":
    "the backup registry does not answer or refuses, or a node cannot reach it: new pods start from their originals",
  "by-admission": "its template is not patched: its pods get their copies as they are made",
  "pull-unproven": "nothing has shown yet that its pods can pull from the backup registry",
  "cannot-pull": "pods that were rewritten cannot pull their copies now; nothing is changed, because others did",
  "stranded": "pods cannot pull their copies, and what they ran before was not seen at its source",
  "mode-off": "it is not to be rewritten by patching",
  "dry-run": "DRY_RUN is on"
} as const

export type SkipReason = keyof typeof skipReasons
export type HoldReason = keyof typeof holdReasons
