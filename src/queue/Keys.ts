// Which keys are to be worked on, in which order: the rules of client-go's work queue (util/workqueue) with priorities as in
// controller-runtime (pkg/controller/priorityqueue). Pure but for its own state; time comes in as epoch milliseconds.
//
// A key is pending at most once, now or at a time, and worked on at most once. What is added while it is worked on stays pending and
// comes back when the work is done. Adding again takes the earlier time and the higher priority.
import { Heap } from "./Heap.ts"

/** How many milliseconds of waiting weigh as much as one point of priority, so that nothing starves. */
export const ageing = 1000

interface Pending<K> {
  readonly key: K
  readonly priority: number
  /** When it became, or becomes, ready. */
  readonly readyAt: number
  /** Smaller is first. All ready keys age alike, so waiting never changes their order. */
  readonly rank: number
  readonly order: number
  /** held: its time has come, but it is being worked on. gone: replaced, and left behind in a heap. */
  place: "later" | "ready" | "held" | "gone"
}

/** Whether a key is worked on now, and when it is taken next; undefined where it is not waiting. */
export interface Outlook {
  readonly busy: boolean
  /** At or before now where it is ready already. */
  readonly nextAt: number | undefined
}

export interface Taken<K> {
  readonly key: K
  readonly priority: number
  /** Milliseconds between becoming ready and being taken. */
  readonly waited: number
}

export class Keys<K extends string> {
  readonly #pending = new Map<K, Pending<K>>()
  readonly #busy = new Map<K, number>()
  readonly #ready = new Heap<Pending<K>>((a, b) => a.rank === b.rank ? a.order < b.order : a.rank < b.rank)
  readonly #later = new Heap<Pending<K>>((a, b) => a.readyAt < b.readyAt)
  readonly #count = { later: 0, ready: 0, held: 0, gone: 0 }
  #order = 0

  /** Keys that can be taken, as of the last call. */
  get ready(): number {
    return this.#count.ready
  }

  /** Keys that can be taken now. */
  readyAt(now: number): number {
    this.#promote(now)
    return this.#count.ready
  }

  /** Keys whose time has not come. */
  get delayed(): number {
    return this.#count.later
  }

  /** Keys being worked on. */
  get busy(): number {
    return this.#busy.size
  }

  /** The priority that the key is being worked on with. */
  priorityOf(key: K): number | undefined {
    return this.#busy.get(key)
  }

  outlookOf(key: K): Outlook {
    return { busy: this.#busy.has(key), nextAt: this.#pending.get(key)?.readyAt }
  }

  /** When the next delayed key becomes ready. */
  get nextAt(): number | undefined {
    return this.#top(this.#later, "later")?.readyAt
  }

  /** Makes the key pending at `readyAt` (now, if that is over). True if it has become ready by that. */
  add(key: K, readyAt: number, priority: number, now: number): boolean {
    this.#promote(now)
    const before = this.#pending.get(key)
    const wasReady = before !== undefined && before.place !== "later"
    // what is ready already keeps the time it has waited
    const at = wasReady ? before.readyAt : readyAt <= now ? now : Math.min(readyAt, before?.readyAt ?? readyAt)
    const level = Math.max(priority, before?.priority ?? priority)
    if (before !== undefined && at === before.readyAt && level === before.priority) return false
    if (before !== undefined) this.#move(before, "gone")
    const next: Pending<K> = {
      key,
      priority: level,
      readyAt: at,
      rank: at - level * ageing,
      order: this.#order++,
      place: "gone"
    }
    this.#pending.set(key, next)
    this.#put(next, now)
    return !wasReady && at <= now
  }

  /** The first of the ready keys; it is busy until `done`. */
  take(now: number): Taken<K> | undefined {
    this.#promote(now)
    const next = this.#top(this.#ready, "ready")
    if (next === undefined) return undefined
    this.#ready.pop()
    this.#move(next, "gone")
    this.#pending.delete(next.key)
    this.#busy.set(next.key, next.priority)
    return { key: next.key, priority: next.priority, waited: now - next.readyAt }
  }

  /** The work is over; what was added meanwhile can be taken. */
  done(key: K, now: number): void {
    this.#busy.delete(key)
    const waiting = this.#pending.get(key)
    if (waiting?.place === "held") this.#put(waiting, now)
  }

  #put(pending: Pending<K>, now: number): void {
    if (pending.readyAt > now) {
      this.#move(pending, "later")
      this.#later.push(pending)
      this.#compact(this.#later, "later")
    } else if (this.#busy.has(pending.key)) {
      this.#move(pending, "held")
    } else {
      this.#move(pending, "ready")
      this.#ready.push(pending)
      this.#compact(this.#ready, "ready")
    }
  }

  #promote(now: number): void {
    for (let next = this.#top(this.#later, "later"); next !== undefined; next = this.#top(this.#later, "later")) {
      if (next.readyAt > now) return
      this.#later.pop()
      this.#put(next, now)
    }
  }

  #move(pending: Pending<K>, place: Pending<K>["place"]): void {
    this.#count[pending.place]--
    this.#count[place]++
    pending.place = place
  }

  #top(heap: Heap<Pending<K>>, place: Pending<K>["place"]): Pending<K> | undefined {
    while (heap.peek() !== undefined && heap.peek()?.place !== place) heap.pop()
    return heap.peek()
  }

  // what is left behind must not outnumber what is there
  #compact(heap: Heap<Pending<K>>, place: "later" | "ready"): void {
    if (heap.size > 64 && heap.size > 2 * this.#count[place]) heap.retain((it) => it.place === place)
  }
}
