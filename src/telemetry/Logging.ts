// How the program logs: JSON with one line an event for collectors, something readable for people. What a line is about (workload,
// image) is in its fields, by Effect.annotateLogs, not in its text.
import { Cause, Effect, Inspectable, Layer, Logger, type LogLevel, References } from "effect"

export type Format = "json" | "logfmt" | "pretty"

const reserved = new Set(["timestamp", "level", "message", "error"])

const textOf = (part: unknown): string =>
  typeof part === "string" ? part : part instanceof Error ? part.message : Inspectable.toStringUnknown(part, 0)

const valueOf = (value: unknown): unknown =>
  typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : textOf(value)

/** One JSON object a line: timestamp, level, message, the annotations as fields, and the cause of a failure as `error`. */
const json: Logger.Logger<unknown, string> = Logger.make(({ cause, date, fiber, logLevel, message }) => {
  const fields: Record<string, unknown> = {
    timestamp: date.toISOString(),
    level: logLevel.toLowerCase(),
    message: (Array.isArray(message) ? message : [message]).map(textOf).join(" ")
  }
  for (const [name, value] of Object.entries(fiber.getRef(References.CurrentLogAnnotations))) {
    fields[reserved.has(name) ? `${name}_` : name] = valueOf(value)
  }
  if (cause.reasons.length > 0) fields["error"] = Cause.pretty(cause)
  return JSON.stringify(fields)
})

const loggerOf = (format: Format): Logger.Logger<unknown, void> =>
  format === "json" ? Logger.withConsoleLog(json) : format === "logfmt" ? Logger.consoleLogFmt : Logger.consolePretty()

/** Logs of this level and above, in this format. */
export const logging = (options: { readonly format: Format; readonly level: LogLevel.LogLevel }): Layer.Layer<never> =>
  Layer.merge(
    Logger.layer([loggerOf(options.format)]),
    Layer.effect(References.MinimumLogLevel, Effect.succeed(options.level))
  )
