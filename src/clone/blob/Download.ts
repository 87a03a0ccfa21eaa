// One blob from its source to the last byte, however often the connection breaks: it is taken up where it broke off, by
// Range, at the registry's own URL (what a redirect led to may have expired). Source: RFC 9110 §14.
// Edge: bytes in order and no more than there should be; their digest is Transfer's, when it is worth it is Resumption's.
import { Clock, Duration, Effect, Latch, Metric, Random, type Scope } from "effect"
import type { OpenBlob } from "../../registry/api/Blobs.ts"
import type { Limits } from "../../registry/Limits.ts"
import { type RegistryError, registryError, type RegistryReason } from "../../registry/RegistryError.ts"
import { retrying } from "../../registry/Retry.ts"
import * as Metrics from "../../telemetry/Metrics.ts"
import { type Break, isWorthResuming } from "./Resumption.ts"
import { standstill } from "./Standstill.ts"

/** Which side is to blame, as the error channel of a transfer. */
export type TransferError =
  | { readonly side: "source"; readonly error: RegistryError }
  | { readonly side: "backup"; readonly error: RegistryError }

export interface DownloadOptions {
  readonly limits: Limits
  /** Opened already, at its first byte. */
  readonly first: OpenBlob
  /** Opens it again at an offset; the registry may begin at 0 all the same. */
  readonly reopen: (offset: number) => Effect.Effect<OpenBlob, RegistryError, Scope.Scope>
  readonly size: number
  /** For messages. */
  readonly target: string
  /** Takes the next bytes; false pauses the download until `resume`. */
  readonly data: (chunk: Buffer) => boolean
  /** Is it the receiver that pauses? Then a standstill is not the source's fault. */
  readonly blocked: () => boolean
}

export interface Download {
  /** Ends when all bytes were handed on. */
  readonly run: Effect.Effect<void, TransferError, Scope.Scope>
  readonly resume: () => void
}

/** A registry that knows no ranges sends again what we have: so much of it is thrown away rather than giving up. */
const mostDiscarded = 64 * 1024 * 1024
/** For so long the end of an answer may come behind its last byte: its connection can be used again then. */
const endWait = Duration.seconds(1)

export const makeDownload = (options: DownloadOptions): Download => {
  const { limits, size } = options
  let current = options.first
  /** Bytes handed on. */
  let arrived = 0
  /** Bytes that came, thrown away ones included: what a standstill is measured by. */
  let received = 0
  /** Opens when all bytes were handed on. */
  const all = Latch.makeUnsafe(size === 0)

  const failure = (side: TransferError["side"], reason: RegistryReason, detail: string): TransferError => ({
    side,
    error: registryError({ operation: "copy blob", target: options.target, reason, detail })
  })

  const read = (blob: OpenBlob, known: number) =>
    Effect.callback<void, TransferError>((resume) => {
      let skip = known
      const fail = (reason: RegistryReason, detail: string) => resume(Effect.fail(failure("source", reason, detail)))
      blob.start({
        data: (chunk) => {
          received += chunk.length
          const dropped = Math.min(skip, chunk.length)
          skip -= dropped
          if (dropped > 0 && dropped === chunk.length) return true
          const fresh = dropped === 0 ? chunk : chunk.subarray(dropped)
          arrived += fresh.length
          if (arrived === size) all.openUnsafe()
          if (arrived <= size) return options.data(fresh)
          fail("Corrupt", `the blob has more than the ${size} bytes that its manifest says${blob.labels ?? ""}`)
          return false
        },
        end: () =>
          arrived === size
            ? resume(Effect.void)
            : fail("Unreachable", `the connection ended after ${arrived} of ${size} bytes`),
        error: (error) =>
          arrived === size
            ? resume(Effect.void)
            : fail(error.reason, `${error.detail} after ${arrived} of ${size} bytes`)
      })
    })

  // a chunked answer may never come to its end: it is not waited for, and its connection is closed
  const complete = Effect.andThen(all.await, Effect.sleep(endWait))

  const watch = Effect.andThen(
    standstill(limits, () => ({ bytes: received, rested: current.rested() })),
    Effect.suspend(() =>
      // all that comes behind the last byte is the end, which is not waited for long
      arrived === size ? Effect.never : Effect.fail(
        failure(options.blocked() ? "backup" : "source", "Timeout", `stalled after ${arrived} of ${size} bytes`)
      )
    )
  )

  /** The blob from where it broke off, or from a little before. */
  const takenUp = Effect.fnUntraced(function*(broken: TransferError) {
    const pause = Duration.toMillis(limits.retryBase) * (0.5 + (yield* Random.next))
    yield* Effect.sleep(Duration.millis(pause))
    const blob = yield* retrying(limits)(options.reopen(arrived)).pipe(
      // it gives nothing from there on, or something else: the connection broke, and the blob is begun anew
      Effect.mapError((error): TransferError => error.reason === "Protocol" ? broken : { side: "source", error })
    )
    // offset 0: it knows no ranges
    if (arrived - blob.offset > mostDiscarded) return yield* Effect.fail(broken)
    yield* Metric.update(Metrics.blobResumes, 1)
    yield* Effect.logDebug("a download broke off and is taken up again").pipe(
      Effect.annotateLogs({ blob: options.target, arrived, size, why: broken.error.detail })
    )
    return blob
  })

  const run = Effect.gen(function*() {
    let last: Break | undefined
    for (;;) {
      const blob = current
      const broken = yield* Effect.raceAllFirst([read(blob, arrived - blob.offset), complete, watch]).pipe(
        Effect.ensuring(Effect.sync(blob.abort)),
        Effect.as(undefined),
        Effect.catch((error) => Effect.succeed(error))
      )
      if (broken === undefined) return
      const now: Break = { reason: broken.error.reason, arrived, at: yield* Clock.monotonicTimeNanos }
      if (broken.side === "backup" || !isWorthResuming(now, last)) return yield* Effect.fail(broken)
      last = now
      current = yield* takenUp(broken)
    }
  })

  return { run, resume: () => current.resume() }
}
