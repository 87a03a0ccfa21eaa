import { assert, describe, it } from "@effect/vitest"
import { Cause, Console, Effect, Layer, Redacted } from "effect"
import { logging } from "../../src/telemetry/Logging.ts"

/** What is written by `effect`, line by line. */
const written = Effect.fnUntraced(function*(
  options: Parameters<typeof logging>[0],
  effect: Effect.Effect<void>
) {
  const lines: Array<string> = []
  const capture: Console.Console = { ...console, log: (line: unknown) => void lines.push(String(line)) }
  yield* effect.pipe(Effect.provide(logging(options)), Effect.provideService(Console.Console, capture))
  return lines
})

const json = (effect: Effect.Effect<void>) =>
  Effect.map(written({ format: "json", level: "Info" }, effect), (lines) => lines.map((line) => JSON.parse(line)))

describe("logging", () => {
  it.effect("writes one JSON object a line, with a text as message and annotations as fields", () =>
    Effect.gen(function*() {
      const lines = yield* json(
        Effect.logInfo("cloned", 3, { a: 1 }).pipe(Effect.annotateLogs({ image: "nginx", bytes: 12, on: true }))
      )
      assert.deepStrictEqual(lines, [{
        timestamp: "1970-01-01T00:00:00.000Z",
        level: "info",
        message: "cloned 3 {\"a\":1}",
        image: "nginx",
        bytes: 12,
        on: true
      }])
    }))

  it.effect("writes the cause of a failure beside the message", () =>
    Effect.gen(function*() {
      const [line] = yield* json(Effect.logError("it failed", Cause.fail(new Error("why"))))
      assert.strictEqual(line.message, "it failed")
      assert.match(line.error, /why/)
    }))

  it.effect("keeps its own fields whatever the annotations are called", () =>
    Effect.gen(function*() {
      const [line] = yield* json(Effect.logInfo("a").pipe(Effect.annotateLogs({ message: "b", level: "c" })))
      assert.deepStrictEqual([line.message, line.level, line["message_"], line["level_"]], ["a", "info", "b", "c"])
    }))

  it.effect("never shows what is redacted", () =>
    Effect.gen(function*() {
      const secret = Redacted.make("hunter2")
      const lines = yield* written(
        { format: "json", level: "Info" },
        Effect.logInfo("login", secret, { secret }).pipe(Effect.annotateLogs({ secret }))
      )
      assert.notInclude(lines.join(), "hunter2")
    }))

  it.effect("leaves out what is below its level", () =>
    Effect.gen(function*() {
      const lines = yield* written(
        { format: "logfmt", level: "Warn" },
        Effect.andThen(Effect.logInfo("quiet"), Effect.logWarning("loud"))
      )
      assert.lengthOf(lines, 1)
      assert.match(lines[0] ?? "", /level=WARN.*message=loud/)
    }))

  it.effect("is readable where people read", () =>
    Effect.gen(function*() {
      const lines = yield* written({ format: "pretty", level: "Info" }, Effect.logInfo("hello"))
      assert.match(lines.join(" "), /INFO.*hello/)
    }).pipe(Effect.provide(Layer.empty)))
})
