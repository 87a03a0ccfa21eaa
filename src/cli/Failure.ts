// How a command ends when it does not succeed: a text for people on stderr and an exit code for scripts.
import { Data, Runtime } from "effect"
import { CliError } from "effect/cli"

/** Something failed, or settings are wrong. */
export const failed = 1
/** `plan --exit-code`: there are changes to be made. */
export const pending = 2

/** The command line asks for nothing that can be done, though each word of it is understood. */
export const usage = 2

export class CommandFailed extends Data.TaggedError("CommandFailed")<{
  readonly text: string
  readonly code: typeof failed | typeof pending | typeof usage
}> {
  override readonly [Runtime.errorExitCode] = this.code
  override get message() {
    return this.text
  }
  override get [CliError.userMessage](): string {
    return this.text
  }
}
