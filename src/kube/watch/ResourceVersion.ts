// resourceVersion as KEP-5504 defines it: a decimal number of up to 128 bits, ordered within a kind. Never a JS number.
const decimal = /^[1-9][0-9]*$/

/** Is `one` certainly newer than `other`? False where either is not a number (aggregated APIs may be opaque). */
export const isNewer = (one: string, other: string): boolean =>
  decimal.test(one) && decimal.test(other) &&
  (one.length === other.length ? one > other : one.length > other.length)

/** The one to go on from: never an older one than we have been at, and the latest where they cannot be compared. */
export const latest = (before: string | undefined, next: string): string =>
  before !== undefined && isNewer(before, next) ? before : next
