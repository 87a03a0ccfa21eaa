// How long a key that failed waits: twice as long every time, up to a limit, and never as long as all the others that failed with it.
export interface Backoff {
  /** Milliseconds of the first wait, before jitter. */
  readonly first: number
  readonly longest: number
}

export const standard: Backoff = { first: 500, longest: 300_000 }

/** Milliseconds to wait after so many failures before this one; `random` is in [0, 1). At least half of the full time. */
export const waitOf = (backoff: Backoff, failures: number, random: number): number =>
  Math.min(backoff.longest, backoff.first * 2 ** Math.min(failures, 40)) * (0.5 + random / 2)
