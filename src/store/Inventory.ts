// Inventory: every source image that the cluster uses, by whom, and its state. The image loop writes states, the workload
// loop writes users; neither keeps another truth. Rebuilt from the cluster and the backup registry at every start.
import { Context, Effect, Layer, Result } from "effect"
import { type ImageReference, parse } from "../image/ImageReference.ts"
import type { ImageState } from "../image/ImageState.ts"

/** Why a source is counted as vanished. */
export type VanishedCause = "not-found" | "unreachable"

export interface InventoryEntry {
  /** Canonical source reference. */
  readonly source: string
  readonly users: ReadonlySet<string>
  /** Those of them that pull it anew for every container that starts. */
  readonly pullers?: ReadonlySet<string>
  readonly state: ImageState
  /** When its source first and last said that it does not have it, and never otherwise in between: uptime in milliseconds. */
  readonly gone?: { readonly since: number; readonly last: number } | undefined
  /** Its source has vanished; when that is said is ReportVanished's. */
  readonly vanished?: VanishedCause | undefined
}

/** Whether pods cannot pull a copy: `due`, all of it is to be looked at; `at`, when that was said last: uptime in milliseconds. */
interface Suspicion {
  readonly due: boolean
  readonly at: number
}

const unsuspected: Suspicion = { due: false, at: -Infinity }

/** How soon all of a copy is looked at again while pods cannot pull it: it may be their nodes. Milliseconds. */
const suspectedAgain = 10 * 60 * 1000

interface Entry {
  readonly source: string
  readonly users: Set<string>
  readonly pullers: Set<string>
  state: ImageState
  asked: boolean
  suspected: Suspicion
  gone: InventoryEntry["gone"]
  vanished: VanishedCause | undefined
}

/** What the inventory calls an image is a formatted reference; what is none was never wanted. */
export const referenceOf = (source: string): Effect.Effect<ImageReference> =>
  Effect.suspend(() => {
    const reference = parse(source)
    return Result.isFailure(reference) ? Effect.die(reference.failure) : Effect.succeed(reference.success)
  })

const nothing: ReadonlySet<string> = new Set()

const pending: ImageState = { _tag: "Pending" }

/** The inventory itself: plain maps; no effects, because nothing here can fail or wait. */
export class Images {
  readonly #entries = new Map<string, Entry>()
  readonly #wants = new Map<string, ReadonlyArray<string>>()

  get(source: string): InventoryEntry | undefined {
    return this.#entries.get(source)
  }

  state(source: string): ImageState | undefined {
    return this.#entries.get(source)?.state
  }

  get all(): ReadonlyArray<InventoryEntry> {
    return [...this.#entries.values()]
  }

  /**
   * Says all that a user wants, in place of what it wanted before; an image that nobody wants any more is dropped.
   * Answers the sources that are to be looked at: the new ones, and those that somebody pulls anew at every start for the first time.
   * @param pulled those of them that the user does
   */
  want(user: string, sources: ReadonlyArray<string>, pulled: ReadonlySet<string> = nothing): ReadonlyArray<string> {
    const before = this.#wants.get(user) ?? []
    const fresh: Array<string> = []
    for (const source of sources) {
      const entry = this.#entries.get(source)
      if (entry === undefined) {
        const pullers = new Set(pulled.has(source) ? [user] : [])
        const users = new Set([user])
        const unknown = { asked: false, suspected: unsuspected, gone: undefined, vanished: undefined }
        this.#entries.set(source, { source, users, pullers, state: pending, ...unknown })
        fresh.push(source)
        continue
      }
      entry.users.add(user)
      if (!pulled.has(source)) entry.pullers.delete(user)
      else {
        if (entry.pullers.size === 0) fresh.push(source)
        entry.pullers.add(user)
      }
    }
    for (const source of before) {
      if (!sources.includes(source)) this.#leave(user, source)
    }
    if (sources.length === 0) this.#wants.delete(user)
    else this.#wants.set(user, sources)
    return fresh
  }

  /** Whether `want` would answer any source of these. */
  hasNews(sources: ReadonlyArray<string>, pulled: ReadonlySet<string>): boolean {
    return sources.some((source) => {
      const entry = this.#entries.get(source)
      return entry === undefined || (pulled.has(source) && entry.pullers.size === 0)
    })
  }

  /** Sets the state of an image that is still wanted; answers its users, none when nobody wants it. */
  set(source: string, state: ImageState): ReadonlyArray<string> {
    const entry = this.#entries.get(source)
    if (entry === undefined) return []
    entry.state = state
    return [...entry.users]
  }

  /** Has the tag of an image compared with its source soon: whoever offers it then has it looked at. */
  ask(source: string): void {
    const entry = this.#entries.get(source)
    if (entry !== undefined) entry.asked = true
  }

  /** Whether that was said since this was called last. */
  takeAsked(source: string): boolean {
    const entry = this.#entries.get(source)
    if (entry?.asked !== true) return false
    entry.asked = false
    return true
  }

  /** Pods cannot pull its copy: whoever offers it then has all of it looked at. False: that was said in the last ten minutes. */
  suspect(source: string, now: number): boolean {
    const entry = this.#entries.get(source)
    if (entry === undefined || now - entry.suspected.at < suspectedAgain) return false
    entry.suspected = { due: true, at: now }
    return true
  }

  /** Whether that was said since this was called last. */
  takeSuspected(source: string): boolean {
    const entry = this.#entries.get(source)
    if (entry?.suspected.due !== true) return false
    entry.suspected = { ...entry.suspected, due: false }
    return true
  }

  /** Its source has said that it does not have it; undefined: that it has. */
  noteGone(source: string, now: number | undefined): void {
    const entry = this.#entries.get(source)
    if (entry === undefined) return
    entry.gone = now === undefined ? undefined : { since: entry.gone?.since ?? now, last: now }
  }

  /** Says which sources have vanished; all others have not. Undefined: nobody can tell, and what they have said is forgotten. */
  setVanished(causes: ReadonlyMap<string, VanishedCause> | undefined): void {
    for (const entry of this.#entries.values()) {
      entry.vanished = causes?.get(entry.source)
      if (causes === undefined) entry.gone = undefined
    }
  }

  #leave(user: string, source: string): void {
    const entry = this.#entries.get(source)
    entry?.users.delete(user)
    entry?.pullers.delete(user)
    if (entry?.users.size === 0) this.#entries.delete(source)
  }
}

export class Inventory extends Context.Service<Inventory, Images>()("image-cloner/store/Inventory") {
  static readonly layer = Layer.effect(Inventory, Effect.sync(() => new Images()))
}
