// TerminalWidth: how many columns what a command prints may have. COLUMNS says it (POSIX, 8.3), else the terminal that standard
// output is; a pipe or a file has no width.
import { Config, Effect, Option, Stdio, Terminal } from "effect"

/** Narrower is no table. */
const least = 40

/** Characters a line; undefined: as many as there are. */
export const terminalWidth = Effect.gen(function*() {
  const given = yield* Effect.orElseSucceed(Config.option(Config.Int("COLUMNS")), () => Option.none<number>())
  const isTerminal = yield* Stdio.Stdio.use((it) => it.stdoutIsTerminal)
  const columns = Option.isSome(given) ? given.value : isTerminal ? yield* Terminal.Terminal.use((it) => it.columns) : 0
  return columns > 0 ? Math.max(least, columns) : undefined
})
