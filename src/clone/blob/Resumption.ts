// When a download that broke off is worth taking up again: while it comes further. Source: the rule is containers/image's.
// Edge: how it is taken up is Download.ts'.
import type { RegistryReason } from "../../registry/RegistryError.ts"

/** A connection that broke. */
export interface Break {
  readonly reason: RegistryReason
  /** Bytes of the blob that had arrived in all. */
  readonly arrived: number
  /** Monotonic time, in nanoseconds. */
  readonly at: bigint
}

/** A connection that breaks again is taken up again after so many further bytes, or so much time. */
const progressBytes = 1024 * 1024
const progressNanos = 60_000_000_000n

/** @param last the break before, of a download that was taken up before */
export const isWorthResuming = ({ arrived, at, reason }: Break, last: Break | undefined): boolean => {
  if (reason !== "Timeout" && reason !== "Unreachable") return false
  if (last === undefined) return true
  const further = arrived - last.arrived
  // one that stood still has had its time already
  return further >= progressBytes || (reason !== "Timeout" && further > 0 && at - last.at >= progressNanos)
}
