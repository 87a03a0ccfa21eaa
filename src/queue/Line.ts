// Line: keys that wait for a permit without a fiber of their own, of which thousands would fill the memory. Each is called when its
// permit is there, which is kept until it comes for it or leaves. Edge: whose turn it is is FairTurns'.
import { Effect, type Scope } from "effect"
import type { Claim, FairTurns, Waiter } from "./FairTurns.ts"

export class Line {
  readonly #turns: FairTurns
  readonly #called: (key: string) => void
  readonly #waiting = new Map<string, Waiter>()
  readonly #kept = new Map<string, Claim>()

  /** @param called hears of each key whose permit is kept for it from now on; whoever is called comes, or leaves */
  constructor(turns: FairTurns, called: (key: string) => void) {
    this.#turns = turns
    this.#called = called
  }

  /** Whether the key waits, or has been called and has not come yet. */
  has(key: string): boolean {
    return this.#waiting.has(key) || this.#kept.has(key)
  }

  /** Whether the key waits; its claim is this one from now on. */
  renew(key: string, claim: Claim): boolean {
    const waiter = this.#waiting.get(key)
    if (waiter === undefined) return false
    this.#turns.renew(waiter, claim)
    return true
  }

  /** Whether a permit is kept for the key. */
  keeps(key: string): boolean {
    return this.#kept.has(key)
  }

  /**
   * Takes the permit that is kept for the key, or one that is free, until the scope ends. False: it waits, if it did not before, and
   * is called.
   */
  take(key: string, claim: Claim): Effect.Effect<boolean, never, Scope.Scope> {
    return Effect.uninterruptible(Effect.suspend(() => {
      const granted = this.#takeKept(key) ?? this.#join(key, claim)
      if (granted === undefined) return Effect.succeed(false)
      return Effect.as(Effect.addFinalizer(() => Effect.sync(() => this.#turns.giveBack(granted))), true)
    }))
  }

  /** Waits no more, and has no use for what is kept for it. */
  leave(key: string): void {
    const waiter = this.#waiting.get(key)
    if (waiter !== undefined) {
      this.#waiting.delete(key)
      this.#turns.leave(waiter)
    }
    const kept = this.#takeKept(key)
    if (kept !== undefined) this.#turns.giveBack(kept)
  }

  #takeKept(key: string): Claim | undefined {
    const claim = this.#kept.get(key)
    this.#kept.delete(key)
    return claim
  }

  #join(key: string, claim: Claim): Claim | undefined {
    if (this.renew(key, claim)) return this.#takeKept(key)
    let joining = true
    const waiter: Waiter = {
      claim,
      grant: () => {
        this.#waiting.delete(key)
        this.#kept.set(key, waiter.claim)
        if (!joining) this.#called(key)
      }
    }
    this.#waiting.set(key, waiter)
    this.#turns.join(waiter)
    joining = false
    return this.#takeKept(key)
  }
}
