// BackupAnswers: whether the backup may be counted on by pods that start now: it has answered within a minute, and has not failed
// for half a one. A plain data structure; times are uptime in milliseconds. Edge: who asks it is Heartbeat.

/** How long an answer counts, and how long it may fail before it counts no more. */
const counts = 60 * 1000
const failsFor = 30 * 1000

const seconds = (millis: number): string => `${Math.round(millis / 1000)} s`

export class BackupAnswers {
  #answeredAt: number | undefined
  #failing: { readonly since: number; readonly detail: string } | undefined

  answered(now: number): void {
    this.#answeredAt = now
    this.#failing = undefined
  }

  /** An attempt that began at `since` was refused, or not answered. */
  failed(since: number, detail: string): void {
    this.#failing = { since: this.#failing?.since ?? since, detail }
  }

  /** Why it may not be counted on, in words. */
  fails(now: number): string | undefined {
    if (this.#failing !== undefined && now - this.#failing.since >= failsFor) {
      return `the backup has failed for ${seconds(now - this.#failing.since)}: ${this.#failing.detail}`
    }
    if (this.#answeredAt === undefined) return "the backup has not been asked yet"
    return now - this.#answeredAt > counts
      ? `the backup has not answered for ${seconds(now - this.#answeredAt)}`
      : undefined
  }
}
