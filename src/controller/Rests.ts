// Rests: patches that are not sent again yet, whatever wakes their workload meanwhile. One that was refused rests until the
// workload changes; one that came too late rests all the same, because an object that changes all the time wakes us each time.
// Memory of this process. Edge: how long each rests is the queue's back-off; what is put back waits for refusals alone.
import type { Workload } from "../workload/Workload.ts"

interface Rest {
  /** Of the object that was refused; undefined where the patch was late, which says nothing of the object. */
  readonly generation: number | undefined
  readonly late: boolean
  /** Milliseconds since the epoch. */
  readonly until: number
}

export class Rests {
  readonly #rests = new Map<string, Rest>()

  /** Somebody has to do something first, or the server asked for time. */
  refused({ generation, key }: Workload, until: number): void {
    this.#rests.set(key, { generation, late: false, until })
  }

  /** Others wrote to the object between our look and our patch. */
  late(key: string, until: number): void {
    this.#rests.set(key, { generation: undefined, late: true, until })
  }

  /** Whether the API server refused this very object. */
  isRefused({ generation, key }: Workload, now: number): boolean {
    const rest = this.#rests.get(key)
    return rest?.late === false && rest.generation === generation && rest.until > now
  }

  /** Whether its last patch came too late a moment ago. */
  isLate(key: string, now: number): boolean {
    const rest = this.#rests.get(key)
    return rest?.late === true && rest.until > now
  }

  forget(key: string): void {
    this.#rests.delete(key)
  }
}
