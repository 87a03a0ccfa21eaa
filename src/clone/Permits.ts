// The places that images pass through. What is there already waits for no copy of another: it is only looked at.
// Edge: whose turn it is is queue/FairTurns.ts's, what is done in a place is CopyImage's.
import { Effect } from "effect"
import { makeResizablePermits, type ResizablePermits, type ResizablePermitsOptions } from "../queue/ResizablePermits.ts"

/** Beside the places of copies, as many for what comes before one and after it. */
export interface Ahead {
  /** Where an image's own manifest is fetched. */
  readonly fetches: ResizablePermits
  /** Where it gets its tags. */
  readonly namings: ResizablePermits
}

export interface Permits {
  readonly looks: ResizablePermits
  readonly copies: ResizablePermits
  /** Undefined: a copy's permit holds for all that belongs to the image. */
  readonly ahead: Ahead | undefined
  readonly resize: (permits: number) => Effect.Effect<void>
  /** Fewer than that, until it is called again; undefined: no fewer. */
  readonly atMost: (permits: number | undefined) => Effect.Effect<void>
  /** How many there are of each kind. */
  readonly size: () => number
  /** Images that wait for any of these places. */
  readonly waiting: Effect.Effect<number>
}

/** As many places of each kind as `permits` says. */
export const makePermits = (options: ResizablePermitsOptions & { readonly ahead: boolean }): Permits => {
  const looks = makeResizablePermits(options)
  const copies = makeResizablePermits(options)
  const ahead = options.ahead
    ? { fetches: makeResizablePermits(options), namings: makeResizablePermits(options) }
    : undefined
  let { permits } = options
  let most: number | undefined
  const all = [looks, copies, ...ahead === undefined ? [] : [ahead.fetches, ahead.namings]]
  const size = () => Math.min(permits, most ?? permits)
  const apply = Effect.suspend(() => Effect.forEach(all, (it) => it.resize(size()), { discard: true }))
  return {
    looks,
    copies,
    ahead,
    resize: (next) => Effect.andThen(Effect.sync(() => void (permits = next)), apply),
    atMost: (next) => Effect.andThen(Effect.sync(() => void (most = next)), apply),
    size,
    waiting: Effect.map(
      Effect.forEach(all, (it) => it.waiting),
      (counts) => counts.reduce((sum, it) => sum + it, 0)
    )
  }
}
