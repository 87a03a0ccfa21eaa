// What is wrong with the settings, all of it at once: whoever starts the program mends everything in one go.
import { Data } from "effect"

export interface Problem {
  /** The key as the user wrote it, or the folder that cannot be read. */
  readonly key: string
  /** What is wrong and what is allowed. */
  readonly problem: string
}

/** The settings cannot be used. Never worth a retry: the user must change them. */
export class SettingsError extends Data.TaggedError("SettingsError")<{
  /** At least one, in the order of the documentation. */
  readonly problems: ReadonlyArray<Problem>
}> {
  override get message() {
    const lines = this.problems.map((it) => `  ${it.key}: ${it.problem}`)
    return `${lines.length === 1 ? "1 setting is" : `${lines.length} settings are`} wrong:\n${lines.join("\n")}`
  }
}
