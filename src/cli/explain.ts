// explain: why a workload or an image is as it is, what happens next, and what would change it: by the controller's word, else by what
// can be seen without it. Changes nothing.
import { Clock, Console, Effect, Option, Result } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { type Asked, askedOf } from "../web/Asked.ts"
import type { Answer } from "../web/Explanation.ts"
import { askController } from "./AskController.ts"
import { askOrLook, controllerFlags } from "./AskOrLook.ts"
import { explainAlone } from "./ExplainAlone.ts"
import { asJson, asText } from "./ExplainReport.ts"
import { CommandFailed, failed } from "./Failure.ts"
import { outputFlag } from "./root.ts"
import { shownText } from "./ShownText.ts"
import { terminalWidth } from "./TerminalWidth.ts"

const flags = {
  words: Argument.String("WORKLOAD|IMAGE").pipe(
    Argument.withDescription(
      "Workload as Kind/namespace/name, kind/name or kind name; or image, by its source's or its copy's name"
    ),
    Argument.atLeast(1)
  ),
  namespace: Flag.String("namespace").pipe(
    Flag.withAlias("n"),
    Flag.withMetavar("NAME"),
    Flag.withDescription("Where the workload is; default, unless its name says so"),
    Flag.optional
  ),
  ...controllerFlags,
  output: outputFlag()
}

const stop = (text: string) => new CommandFailed({ text, code: failed })

const shown = Effect.fnUntraced(function*(answer: Answer, output: "text" | "json") {
  const text = asText(answer, { width: (yield* terminalWidth) ?? 80, now: yield* Clock.currentTimeMillis })
  if (output === "json") yield* Console.log(asJson(answer))
  if (answer._tag === "Unknown") return yield* stop(text)
  if (output === "text") yield* Console.log(text)
})

/** A namespace that a workload's name says. */
const namespaceOf = ({ about, name }: Asked): string | undefined =>
  about === "workload" ? name.split("/").at(-2) : undefined

export const explain = Command.make(
  "explain",
  flags,
  Effect.fnUntraced(
    function*({ namespace, output, words, ...flagged }) {
      const asked = askedOf(words, Option.getOrUndefined(namespace))
      if (Result.isFailure(asked)) return yield* stop(shownText(asked.failure))
      const answer = yield* askOrLook(
        flagged,
        (way) => askController(asked.success, way),
        (given) => explainAlone(asked.success, given),
        namespaceOf(asked.success)
      )
      yield* shown(answer, output)
    },
    (effect) =>
      Effect.mapError(
        effect,
        (error) => error._tag === "CommandFailed" ? error : stop(error.message)
      )
  )
).pipe(
  Command.withDescription("Tell why a workload or an image is as it is, what happens next, and what would change it"),
  Command.withExamples([
    { command: "image-cloner explain Deployment/shop/web", description: "A workload, also as deploy/web -n shop" },
    { command: "image-cloner explain nginx:1.27", description: "An image, by its source's name or its copy's" },
    {
      command: "image-cloner explain deploy web -n shop --url http://127.0.0.1:8080",
      description: "Asked of a controller at hand, as with kubectl port-forward"
    }
  ])
)
