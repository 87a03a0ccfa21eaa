// ReportClone: what is counted and said of every copy, well or not.
import { Effect, Metric, Result } from "effect"
import { format } from "../image/ImageReference.ts"
import * as Metrics from "../telemetry/Metrics.ts"
import { RecentChanges } from "../telemetry/RecentChanges.ts"
import type { CloneError } from "./CloneError.ts"
import type { Copied } from "./steps/Tag.ts"

/** @param seconds what the copy took, waiting for its turns not counted */
export const reportClone = Effect.fnUntraced(
  function*(outcome: Result.Result<Copied, CloneError>, seconds: number): Effect.fn.Return<void> {
    const changes = yield* RecentChanges
    if (Result.isFailure(outcome)) {
      const { detail, image, reason, side } = outcome.failure
      // it has not begun
      if (reason === "in-line") return
      yield* Metric.update(Metrics.cloneSeconds, seconds)
      yield* Metric.update(Metrics.clones({ result: reason }), 1)
      // nobody wanted it any more, which is no failure
      if (reason !== "unwanted") yield* changes.note("copy failed", image, `${reason}, ${side}: ${detail}`)
      return
    }
    yield* Metric.update(Metrics.cloneSeconds, seconds)
    const copied = outcome.success
    yield* Metric.update(Metrics.clones({ result: copied.upToDate ? "up-to-date" : "copied" }), 1)
    yield* Metric.update(Metrics.manifests, copied.manifests)
    for (const how of ["uploaded", "mounted", "present"] as const) {
      yield* Metric.update(Metrics.blobs({ how }), copied.blobs[how])
      yield* Metric.update(Metrics.blobBytes({ how }), copied.bytes[how])
    }
    if (copied.upToDate) return
    yield* changes.note("copied", format(copied.source), format(copied.backup))
    yield* Effect.logInfo("image copied").pipe(Effect.annotateLogs({
      image: format(copied.source),
      backup: format(copied.backup),
      digest: copied.digest,
      ...(copied.original === undefined ? {} : { "converted-from": copied.original }),
      uploaded: copied.bytes.uploaded,
      mounted: copied.bytes.mounted,
      present: copied.bytes.present,
      seconds: Math.round(copied.seconds * 1000) / 1000
    }))
  }
)
