// References: the images that are named on a command line.
import { Effect, Result } from "effect"
import { parse } from "../image/ImageReference.ts"
import { CommandFailed, failed } from "./Failure.ts"

/** All of them parsed, or all that are wrong in one failure. */
export const parseAll = (texts: ReadonlyArray<string>) =>
  Effect.suspend(() => {
    const parsed = texts.map(parse)
    const problems = parsed.flatMap((it) => Result.isFailure(it) ? [it.failure.message] : [])
    return problems.length > 0
      ? Effect.fail(new CommandFailed({ text: problems.join("\n"), code: failed }))
      : Effect.succeed(parsed.flatMap((it) => Result.isSuccess(it) ? [it.success] : []))
  })
