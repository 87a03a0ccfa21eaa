// OwnVariable: a variable of the process's environment by which a cloud says who we are. Edge: read once, at the start, as the
// clouds' own libraries do; what it names may change.
import { Config, Effect, Option } from "effect"

/** Undefined where it is not set, or empty. */
export const ownVariable = (name: string): Effect.Effect<string | undefined> =>
  Config.option(Config.String(name)).pipe(
    Effect.orElseSucceed(() => Option.none<string>()),
    Effect.map((it) => Option.getOrUndefined(Option.filter(it, (text) => text !== "")))
  )
