// status: how much of what runs is in the backup, by the controller's word, else by a look at the cluster and the backup; it says which.
// Changes nothing. With --min for scripts: 1 where it is less.
import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import type { ClusterStatus } from "../web/ClusterStatus.ts"
import { askStatus } from "./AskController.ts"
import { askOrLook, controllerFlags } from "./AskOrLook.ts"
import { CommandFailed, failed, usage } from "./Failure.ts"
import { outputFlag } from "./root.ts"
import { statusAlone } from "./StatusAlone.ts"
import { statusText } from "./StatusTable.ts"
import { percent } from "../upkeep/Coverage.ts"
import { terminalWidth } from "./TerminalWidth.ts"

const flags = {
  min: Flag.Finite("min").pipe(
    Flag.withMetavar("PERCENT"),
    Flag.withDescription("Exit with 1 where fewer of the pods that can have copies have them"),
    Flag.optional
  ),
  ...controllerFlags,
  output: outputFlag()
}

const shown = Effect.fnUntraced(function*(status: ClusterStatus, output: "text" | "json", min: number) {
  const width = (yield* terminalWidth) ?? 80
  yield* Console.log(output === "json" ? JSON.stringify(status, null, 2) : statusText(status, width))
  if (status.ratio * 100 < min) {
    const text = `${percent(status.ratio)} of the pods have their copies, less than --min ${min}`
    return yield* new CommandFailed({ text, code: failed })
  }
})

export const status = Command.make(
  "status",
  flags,
  Effect.fnUntraced(
    function*({ min, output, ...flagged }) {
      const least = Option.getOrElse(min, () => 0)
      if (least < 0 || least > 100) {
        return yield* new CommandFailed({ text: "--min is a percentage, 0 to 100", code: usage })
      }
      yield* shown(yield* askOrLook(flagged, askStatus, statusAlone), output, least)
    },
    (effect) =>
      Effect.mapError(
        effect,
        (error) => error._tag === "CommandFailed" ? error : new CommandFailed({ text: error.message, code: failed })
      )
  )
).pipe(
  Command.withDescription("Show how much of what runs is in the backup, and what is at risk"),
  Command.withExamples([
    { command: "image-cloner status", description: "All on one screen" },
    { command: "image-cloner status --min 95", description: "In CI or a CronJob: exits with 1 below 95 percent" }
  ])
)
