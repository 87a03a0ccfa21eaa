// Judge: what a patch of ours must be, on the model's truth: what it names was whole ten minutes before at most and has the bytes
// that run, or those that the tag means now where nothing runs; nobody is begun while short of pods, against its owner's word, a
// moment after a person went back, or again and again; what is put back is at its source, and served nobody.
import type { ModelWorkload } from "./ModelWorkload.ts"
import { isCopy, type Registries } from "./Registries.ts"

/** A workload as it was when a patch of it was sent, whatever takes long afterwards. */
export interface Sent {
  readonly image: string
  readonly runs: ReadonlySet<string>
  readonly ready: number
  readonly failing: boolean
  /** When the last of its pods became ready. */
  readonly readySince: number
  /** Whether none of its pods has started. */
  readonly idle: boolean
  readonly desired: number
  /** Whether it was not to be rewritten, by a word that a watch has brought. */
  readonly never: boolean
  /** What its image means at the source, where that answers; undefined where it does not, or was pushed a moment ago. */
  readonly means: string | undefined
}

const minutes = 60_000
/** How long the program sees nothing of what has happened, at most. */
export const tick = 5000
/** Releases and restarts are steps of a run, and a handful an hour; who is rewritten more often is fought with. */
const mostInAnHour = 12

export class Judge {
  /** What was done wrong, for people. */
  readonly wrongs: Array<string> = []
  readonly counts = { patches: 0, putBacks: 0, restarts: 0, marks: 0 }
  /** When somebody wrote the mark of a workload last. */
  readonly marked = new Map<string, number>()
  /** When somebody went back to a revision before the present one, and nobody has changed it since. */
  readonly wentBack = new Map<string, number>()
  readonly #rewritten = new Map<string, ReadonlyArray<number>>()
  readonly #registries: Registries

  constructor(registries: Registries) {
    this.#registries = registries
  }

  #wrong(it: ModelWorkload, what: string, now: number): void {
    this.wrongs.push(`at ${now / 1000} s: ${it.key}: ${what}`)
  }

  /** A workload at one moment. */
  look(it: ModelWorkload, now: number): void {
    // later the tag may mean something else; while it is rolled all its pods get the same, unless the backup has lost it and a
    // program that has just started cannot know what it was
    const runs = new Set(it.current.flatMap((pod) => isCopy(pod.image) && pod.pulled ? pod.digest ?? [] : []))
    if (it.ours && !this.#registries.hasLost && it.reached !== it.newest.number && runs.size > 1) {
      this.#wrong(it, `was rolled to ${[...runs].join(" and ")}`, now)
    }
  }

  /** A patch of an image that was taken. */
  patch(it: ModelWorkload, to: string, sent: Sent, now: number): void {
    if (!isCopy(to)) return this.#putBack(it, to, now)
    this.counts.patches++
    for (const wrong of [...this.#whether(it, sent, now), ...this.#bytes(to, sent, now)]) this.#wrong(it, wrong, now)
  }

  /** Whether it might be rewritten at all. */
  #whether(
    it: ModelWorkload,
    { desired, failing, idle, never, ready, readySince }: Sent,
    now: number
  ): ReadonlyArray<string> {
    const times = [...this.#rewritten.get(it.key) ?? [], now].filter((at) => at > now - 60 * minutes)
    this.#rewritten.set(it.key, times)
    const back = this.wentBack.get(it.key)
    const rules: ReadonlyArray<readonly [boolean, string]> = [
      [times.length > mostInAnHour, `was rewritten ${times.length} times in an hour`],
      [never, "was rewritten against its owner's word"],
      [
        !failing && !idle && it.shape.kind !== "DaemonSet" && ready < desired,
        `was begun with ${ready} of ${desired} pods ready`
      ],
      [
        back !== undefined && back < now - tick && now - readySince < 13 * minutes && !failing && desired > 0,
        `was rewritten ${(now - readySince) / 1000} s after what somebody went back to was ready`
      ]
    ]
    return rules.flatMap(([broken, wrong]) => broken ? [wrong] : [])
  }

  /** Whether the copy has the bytes. */
  #bytes(to: string, { image, means, runs }: Sent, now: number): ReadonlyArray<string> {
    const seen = this.#registries.seen(to)
    if (seen === undefined) return [`pointed to ${to}, which was never whole`]
    return [
      ...(now - seen.at > 10 * minutes + 30_000
        ? [`pointed to ${to}, which was whole ${(now - seen.at) / 1000} s ago`]
        : []),
      ...[...runs].flatMap((it) => it === seen.digest ? [] : [`runs ${it}, and ${to} is ${seen.digest}`]),
      ...(runs.size === 0 && means !== undefined && means !== seen.digest
        ? [`runs nothing, ${image} means ${means}, and ${to} is ${seen.digest}`]
        : [])
    ]
  }

  #putBack(it: ModelWorkload, to: string, now: number): void {
    this.counts.putBacks++
    // what came up a moment ago no watch has brought yet
    const served = it.current.filter((pod) => pod.state !== "running" || (pod.readyAt ?? 0) < now - 6 * tick)
    const states = new Set(served.map((pod) => pod.state))
    // what others of its revision could pull is an outage; what crashes does not come up, whoever else serves
    if (states.has("running") && !states.has("crashed")) {
      this.#wrong(it, `was put back to ${to} while a pod of its copies served`, now)
    }
    if (this.#registries.atSource(to) === undefined) {
      this.#wrong(it, `was put back to ${to}, which is not at its source`, now)
    }
  }
}
