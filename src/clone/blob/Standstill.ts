// When a stream moves next to nothing: a drip keeps a connection alive for ever, so what counts is bytes in a window.
import { Duration, Effect } from "effect"
import type { Limits } from "../../registry/Limits.ts"

/** What a stream has done so far. */
export interface Moved {
  /** Bytes that came, whatever became of them. */
  readonly bytes: number
  /** Nanoseconds it was held back on our own account, which is no drip. */
  readonly rested: bigint
}

/** Ends when fewer than `limits.stallBytes` have come within `limits.stallWindow`, unless the stream mostly rested. */
export const standstill = Effect.fnUntraced(function*(
  limits: Pick<Limits, "stallBytes" | "stallWindow">,
  moved: () => Moved
): Effect.fn.Return<void> {
  const window = Duration.toNanosUnsafe(limits.stallWindow)
  for (let before = moved();; before = moved()) {
    yield* Effect.sleep(limits.stallWindow)
    const now = moved()
    if (now.bytes - before.bytes < limits.stallBytes && (now.rested - before.rested) * 2n <= window) return
  }
})
