// Rests: patches that are not sent again yet, whatever wakes their workload meanwhile. One that was refused rests until the
// workload changes; one that came too late rests all the same, because an object that changes all the time wakes us each time.
// Memory of this process. Edge: how long each rests is the queue's back-off; what is put back waits for refusals alone.
import type { Workload } from "../../workload/Workload.ts"

interface Rest {
  /** Of the object that was refused; undefined where the patch was late, which says nothing of the object. */
  readonly generation: number | undefined
  readonly late: boolean
  /** Why it was refused, for people. */
  readonly why: string
  /** Uptime in milliseconds. */
  readonly until: number
}

export class Rests {
  readonly #rests = new Map<string, Rest>()

  /** Somebody has to do something first, or the server asked for time. */
  refused({ generation, key }: Workload, why: string, until: number): void {
    this.#rests.set(key, { generation, late: false, why, until })
  }

  /** Others wrote to the object between our look and our patch. */
  late(key: string, until: number): void {
    this.#rests.set(key, { generation: undefined, late: true, why: "", until })
  }

  /** Why the API server refused a patch of this very object; undefined where it did not. */
  refusal({ generation, key }: Workload, uptime: number): string | undefined {
    const rest = this.#rests.get(key)
    return rest?.late === false && rest.generation === generation && rest.until > uptime ? rest.why : undefined
  }

  /** Whether its last patch came too late a moment ago. */
  isLate(key: string, uptime: number): boolean {
    const rest = this.#rests.get(key)
    return rest?.late === true && rest.until > uptime
  }

  /** For how much longer nothing is sent, in milliseconds; undefined where nothing rests. */
  left({ key }: Workload, uptime: number): number | undefined {
    const rest = this.#rests.get(key)
    return rest !== undefined && rest.until > uptime ? rest.until - uptime : undefined
  }

  forget(key: string): void {
    this.#rests.delete(key)
  }
}
