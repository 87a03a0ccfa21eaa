// TroubleLog: says each trouble once, not at every look. What a person has to mend is news again as soon as it was mended in
// between; what passes by itself, and may come and go every few seconds, is news again after ten minutes.
import { Effect } from "effect"
import type { Reason } from "../../kube/KubeError.ts"
import { uptime } from "../../telemetry/Uptime.ts"

const passing = 10 * 60_000

/** A trouble by its name: a reason of the API server's, or a configuration that somebody else changes, or changes each time. */
export type Trouble = Reason | "Drift" | "Fight"

const lasting: ReadonlySet<Trouble> = new Set(["NotFound", "Forbidden"])

export interface TroubleLog {
  /** Runs `say` where this trouble is news. */
  readonly once: (trouble: Trouble, say: Effect.Effect<void>) => Effect.Effect<void>
  /** All is well: what is lasting has been mended. */
  readonly well: Effect.Effect<void>
}

export const makeTroubleLog = (): TroubleLog => {
  /** When each was said last. */
  const said = new Map<Trouble, number>()
  return {
    once: Effect.fnUntraced(function*(trouble, say) {
      if (said.has(trouble)) return
      said.set(trouble, yield* uptime)
      yield* say
    }),
    well: Effect.map(uptime, (now) => {
      for (const [trouble, at] of said) if (lasting.has(trouble) || now - at >= passing) said.delete(trouble)
    })
  }
}
