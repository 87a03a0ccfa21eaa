// Every metric of the program: what is counted, in which unit, with which labels. Names follow Prometheus' rules (`promtool check
// metrics` is a test); a label never carries what a tenant chose: reasons are closed lists, hosts go through HostLabel.
import { Effect, Layer, Metric } from "effect"
import { type HoldReason, holdReasons, type SkipReason, skipReasons } from "../workload/Reason.ts"
import { counter, counters, gauge, gauges, histograms, seconds } from "./MetricMakers.ts"
import { open, series } from "./Series.ts"

const fast = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const slow = [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600]

// --- program -------------------------------------------------------------------------------------------------------
export const buildInfo = series(gauges("build_info", "Always 1; the labels say what is running"), {
  version: open,
  node: open
})

export const processFigures = {
  residentBytes: gauge("process_resident_memory_bytes", "Memory of the process"),
  heapBytes: gauge("process_heap_used_bytes", "Memory of JavaScript objects"),
  externalBytes: gauge("process_external_memory_bytes", "Memory of buffers outside of the heap"),
  cpuSeconds: counter("process_cpu_seconds_total", "Processor time that was used"),
  openFiles: gauge("process_open_fds", "Files and connections that are open"),
  startTime: gauge("process_start_time_seconds", "When the process was started, as Unix time"),
  eventLoopDelay: gauge("event_loop_delay_p99_seconds", "How late timers came: 99th percentile of 15 s or longer")
}

// --- settings ------------------------------------------------------------------------------------------------------
export const settingsReloads = series(counters("settings_reloads_total", "Times that changed settings were read"), {
  result: ["applied", "rejected"]
})
export const settingsRejected = gauge(
  "settings_rejected",
  "1 while the settings that are there are wrong and the last good ones are in use"
)
export const settingsRestartRequired = gauge(
  "settings_restart_required",
  "1 while a setting has changed that takes effect with a restart only"
)

// --- images: the inventory and the cloner --------------------------------------------------------------------------
export const images = series(gauges("images", "Source images in use by the cluster, by the state of their copy"), {
  state: ["pending", "backed-up", "failed", "not-found", "private", "internal", "too-large", "unsupported"]
})
const cloneEnds = ["copied", "up-to-date", "rate-limited", "tag-in-use", "unwanted", "unavailable"] as const
const cloneRefusals = ["private", "internal", "not-found", "too-large", "unsupported"] as const
const cloneFailures = ["corrupt", "refused", "denied"] as const
export const clones = series(counters("clones_total", "Attempts to clone an image, by how they ended"), {
  result: [...cloneEnds, ...cloneRefusals, ...cloneFailures]
})
export const cloneSeconds = seconds("clone_duration_seconds", "How long an attempt to clone an image took", slow)
export const clonesInFlight = gauge("clones_in_flight", "Images being cloned at this moment")
export const clonesWaiting = gauge("clones_waiting", "Images waiting for a permit to be cloned")
export const clonesAllowed = gauge(
  "clones_allowed",
  "Images that may be cloned at the same time now: as many as the settings say, or fewer while reviews of pods keep the program busy"
)
export const blobs = series(counters("blobs_total", "Blobs brought to the backup, by how they got there"), {
  how: ["uploaded", "mounted", "present"]
})
export const blobBytes = series(counters("blob_bytes_total", "Bytes of blobs, by how they got to the backup"), {
  how: ["uploaded", "mounted", "present"]
})
export const blobResumes = counter(
  "blob_resumes_total",
  "Downloads of a blob that were taken up again where they broke off"
)
export const manifests = counter("manifests_total", "Manifests and indexes pushed to the backup")

export const referrers = series(
  counters("referrers_total", "Signatures, SBOMs and attestations found with images that were copied"),
  { result: ["copied", "present", "failed"] }
)

export const tagComparisons = series(
  counters("tag_comparisons_total", "Tags of copies that were compared with their sources', by what that told"),
  { result: ["same", "moved", "drifted", "gone", "unanswered"] }
)
export const tagMoves = counter("tag_moves_total", "Tags of copies that were moved to what their sources' name by now")
export const tagsDrifted = gauge(
  "tags_drifted",
  "Tags of copies that TAG_POLICY keeps at another digest than their sources' name"
)
export const tagComparedTime = gauge(
  "tag_compared_time_seconds",
  "When a source last said what a tag names, in a comparison, as Unix time"
)
export const vanishedSources = series(gauges("vanished_sources", "Images in use that have lost their source"), {
  cause: ["not-found", "unreachable"],
  copy: ["kept", "none"]
})
const covered = ["pods", "images"] as const
export const coverageRatio = series(gauges("coverage_ratio", "Share that has a copy, of what can have one"), {
  by: covered
})

// --- workloads: the plan and the rewriter --------------------------------------------------------------------------
export const workloads = series(
  gauges(
    "workloads",
    "Workloads seen, by what has become of them; what another workload made, and static pods, are none"
  ),
  { state: ["rewritten", "wanted", "held", "skipped"] }
)
// the keys of two closed lists, which TypeScript widens to strings
export const reasons = Object.keys({ ...skipReasons, ...holdReasons }) as ReadonlyArray<SkipReason | HoldReason>
export const workloadReasons = series(
  gauges("workloads_not_rewritten", "Workloads with at least one image that is not rewritten, by the reason"),
  { reason: reasons }
)
export const rewrites = series(counters("rewrites_total", "Patches of workloads, by how they ended"), {
  result: [
    "rewritten",
    "restored",
    "marked",
    "refused",
    "precondition-lost",
    "gone",
    "denied",
    "failed",
    "disowned",
    "disown-failed"
  ]
})
export const rolloutsInFlight = gauge("rollouts_in_flight", "Rollouts of ours under way at this moment")

// --- admission -----------------------------------------------------------------------------------------------------
export const admissionReviews = series(
  counters("admission_reviews_total", "Pods that were reviewed as they were made, by how that ended and why"),
  {
    operation: ["mutate", "validate"],
    outcome: ["rewritten", "left", "allowed", "warned", "denied"],
    reason: open
  }
)
export const webhookRequests = series(
  counters(
    "webhook_requests_total",
    "Requests to the webhooks: answered, allowed because no decision came, or not understood"
  ),
  {
    path: open,
    outcome: ["answered", "late", "failed", "rejected"]
  }
)
export const admissionSeconds = seconds(
  "admission_duration_seconds",
  "How long a decision about a pod took; 0.2 s of it may be waiting for the cache",
  fast
)

// --- Kubernetes ----------------------------------------------------------------------------------------------------
export const kubeRequests = series(
  counters("kube_requests_total", "Requests to the API server (watches aside), by the class of the answer's status"),
  {
    method: ["GET", "POST", "PUT", "PATCH", "DELETE"],
    code: ["2xx", "3xx", "4xx", "5xx", "none"]
  }
)
export const eventsWritten = series(
  counters("events_total", "Events on objects, by what became of them; a series is counted where its count is told"),
  { result: ["written", "counted", "limited", "dropped", "resting", "gone", "refused", "failed"] }
)
export const kubeRequestSeconds = seconds(
  "kube_request_duration_seconds",
  "How long the API server took to answer, watches aside",
  fast
)
const watchRestartReasons = ["closed", "silent", "expired", "throttled", "unavailable", "refused", "protocol"] as const
export const watchEvents = series(counters("watch_events_total", "Changes received by watches"), { resource: open })
export const watchRestarts = series(counters("watch_restarts_total", "Watches started again, by why the last ended"), {
  resource: open,
  reason: watchRestartReasons
})
export const watchSynced = series(
  gauges("watch_synced", "1 once everything that exists of the resource has been seen"),
  { resource: open }
)
export const watchProgress = series(
  gauges("watch_last_progress_timestamp_seconds", "When the watch last heard from the API server, as Unix time"),
  { resource: open }
)

// --- leader election -----------------------------------------------------------------------------------------------
export const leader = gauge("leader", "1 while this replica leads")
export const leaderTransitions = counter(
  "leader_transitions_total",
  "Times that this replica began to lead or ceased to"
)

// --- queues --------------------------------------------------------------------------------------------------------
export const queueDepth = series(gauges("queue_depth", "Keys ready to be worked on"), { queue: open })
export const queueDelayed = series(gauges("queue_delayed", "Keys waiting for their time"), { queue: open })
export const queueBusy = series(gauges("queue_busy", "Keys being worked on"), { queue: open })
export const queueAdds = series(counters("queue_adds_total", "Keys made ready, duplicates aside"), { queue: open })
export const queueRetries = series(counters("queue_retries_total", "Keys put back after a failure"), { queue: open })
export const queueWaitSeconds = series(
  histograms("queue_wait_seconds", "How long ready keys waited to be worked on", fast),
  { queue: open }
)
export const queueWorkSeconds = series(histograms("queue_work_seconds", "How long the work on a key took", slow), {
  queue: open
})

// --- registries ----------------------------------------------------------------------------------------------------
const registryCodes = ["2xx", "3xx", "4xx", "429", "5xx", "none"] as const
export const registryRequests = series(
  counters("registry_requests_total", "Requests to registries, by host and the class of the answer's status"),
  { host: open, code: registryCodes }
)
export const registryRests = series(
  counters("registry_rests_total", "Times that a host was left alone because of its rate limit"),
  { host: open }
)

// --- clouds --------------------------------------------------------------------------------------------------------
const cloudResults = ["obtained", "failed"] as const
export const cloudTokens = series(
  counters("cloud_tokens_total", "Times that a cloud was asked for a login to its registries, by how that ended"),
  { cloud: open, result: cloudResults }
)
export const cloudTokenTime = series(
  gauges("cloud_token_timestamp_seconds", "When a cloud gave us a login last, as Unix time; 0: never yet"),
  { cloud: open }
)
export const cloudRepositories = series(
  counters("cloud_repositories_created_total", "Repositories that were made in a cloud's registry"),
  { cloud: open }
)

/** Every series whose labels are known beforehand. */
const known: ReadonlyArray<Metric.Metric<never, unknown>> = [
  ...settingsReloads.known,
  settingsRejected,
  settingsRestartRequired,
  ...images.known,
  ...clones.known,
  cloneSeconds,
  clonesInFlight,
  clonesWaiting,
  clonesAllowed,
  ...blobs.known,
  ...blobBytes.known,
  blobResumes,
  ...tagComparisons.known,
  tagMoves,
  tagsDrifted,
  tagComparedTime,
  ...vanishedSources.known,
  manifests,
  ...referrers.known,
  ...workloads.known,
  ...workloadReasons.known,
  ...rewrites.known,
  rolloutsInFlight,
  admissionSeconds,
  ...kubeRequests.known,
  ...eventsWritten.known,
  kubeRequestSeconds,
  leader,
  leaderTransitions
]

/** Makes the series exist without changing them: reading a metric creates it. */
export const touch = (metrics: ReadonlyArray<Metric.Metric<never, unknown>>): Effect.Effect<void> =>
  Effect.forEach(metrics, (metric) => Metric.value(metric), { discard: true })

/** Makes the series of one watched resource exist. */
export const touchWatch = (resource: string): Effect.Effect<void> =>
  touch([
    watchEvents({ resource }),
    ...watchRestartReasons.map((reason) => watchRestarts({ resource, reason })),
    watchSynced({ resource }),
    watchProgress({ resource })
  ])

/** Makes the series of one queue exist, its gauges aside: those are read of the queue itself. */
export const touchQueue = (queue: string): Effect.Effect<void> =>
  touch(
    [queueAdds, queueRetries, queueWaitSeconds, queueWorkSeconds].map((it) => it({ queue }))
  )

/** Makes the series of one registry's host (a configured one) exist. */
export const touchRegistry = (host: string): Effect.Effect<void> =>
  touch([...registryCodes.map((code) => registryRequests({ host, code })), registryRests({ host })])

/** Makes the series of one cloud exist. */
export const touchCloud = (cloud: string): Effect.Effect<void> =>
  touch([
    ...cloudResults.map((result) => cloudTokens({ cloud, result })),
    cloudTokenTime({ cloud }),
    cloudRepositories({ cloud })
  ])

/** Every series with known labels exists from the start, so that a rate over the first failure is right. */
export const layer: Layer.Layer<never> = Layer.effectDiscard(Effect.andThen(touch(known), touchRegistry("other")))
