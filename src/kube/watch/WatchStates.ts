// How every watch of this process is doing, for health, readiness and whoever waits for the first sync.
import { Context, Effect, Layer } from "effect"

export interface WatchState {
  readonly resource: string
  /**
   * starting: never seen whole. synced: seen whole, and followed or about to be again. refused: the kind is absent or
   * forbidden (403, 404); asked again every half minute, and whatever was seen before stays.
   */
  readonly state: "starting" | "synced" | "refused"
  /** What is wrong now; empty while all is well. */
  readonly detail: string
  /** Epoch ms of the last word from the server, or of the last attempt to get one. */
  readonly progressAt: number
  /** Uptime in ms of the last word from the server: an event, a bookmark, a list. An attempt is none. */
  readonly heardAt: number
  /** For how many ms nothing may be heard while all is well. */
  readonly patience: number
}

export class States {
  readonly #states = new Map<string, WatchState>()
  readonly #listeners = new Set<() => void>()

  /** Of every watch that was ever started. */
  get all(): ReadonlyArray<WatchState> {
    return [...this.#states.values()]
  }

  get(resource: string): WatchState | undefined {
    return this.#states.get(resource)
  }

  update(resource: string, change: Partial<Omit<WatchState, "resource">>): void {
    const before = this.#states.get(resource) ?? {
      resource,
      state: "starting",
      detail: "",
      progressAt: 0,
      heardAt: 0,
      patience: 0
    }
    this.#states.set(resource, { ...before, ...change })
    if (change.state !== undefined && change.state !== before.state) {
      for (const listener of this.#listeners) listener()
    }
  }

  /** Why what is known of a resource may be out of date; undefined: it is heard of, or is not watched here. */
  unheard(resource: string, uptime: number): string | undefined {
    const state = this.#states.get(resource)
    if (state === undefined) return undefined
    if (state.state === "refused") return `the API server does not let us see ${resource}`
    if (state.state === "starting") return `${resource} have not been seen whole yet`
    const silence = uptime - state.heardAt
    return silence > state.patience ? `nothing was heard of ${resource} for ${Math.round(silence / 1000)} s` : undefined
  }

  /** Ends once each of these resources has been seen whole or was refused; tells which were refused. */
  settled(resources: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>> {
    return Effect.callback((resume) => {
      const check = () => {
        const states = resources.map((it) => this.#states.get(it))
        if (states.some((it) => it === undefined || it.state === "starting")) return
        this.#listeners.delete(check)
        resume(Effect.succeed(resources.filter((it) => this.#states.get(it)?.state === "refused")))
      }
      this.#listeners.add(check)
      check()
      return Effect.sync(() => this.#listeners.delete(check))
    })
  }
}

/** One for the process. */
export class WatchStates extends Context.Service<WatchStates, States>()("image-cloner/kube/WatchStates") {
  static readonly layer = Layer.sync(WatchStates, () => new States())
}
