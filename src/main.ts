// Entry of the program: parse, run, exit code. With demo.ts the only file that touches the process.
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Cause, Console, Effect, Exit, Layer, Logger, Runtime } from "effect"
import { CliConfig, CliError, CliOutput, Command, GlobalFlag } from "effect/cli"
import { clone } from "./cli/clone.ts"
import { explain } from "./cli/explain.ts"
import { plan } from "./cli/plan.ts"
import { policy } from "./cli/policy.ts"
import { restore } from "./cli/restore.ts"
import { root } from "./cli/root.ts"
import { run } from "./cli/run.ts"
import { verify } from "./cli/verify.ts"
import { status } from "./cli/status.ts"
import { version } from "./telemetry/Version.ts"

// what cannot be understood is said on standard error, with the way to the help instead of all of it
const presenter: CliOutput.Presenter = {
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Console.error(
        `${event.errors.map((it) => it.message).join("\n")}\nSee '${event.commandPath.join(" ")} --help'.`
      )
      : event._tag === "Version"
      ? Console.log(`image-cloner ${event.version}`)
      : CliOutput.defaultPresenter.present(event)
}

// one line as kubectl has it, on a terminal and in a log
const formatter: CliOutput.Formatter = {
  ...CliOutput.defaultFormatter(),
  formatError: (error) => `error: ${error.message}`
}

/** Whether the command line has already said what went wrong. */
const reported = (cause: Cause.Cause<unknown>): boolean => {
  const error = Cause.squash(cause)
  return typeof error === "object" && error !== null && Runtime.errorReported in error && !error[Runtime.errorReported]
}

/** Set once the daemon is what runs: to be stopped is its way to end, and for any other command work left undone. */
let serving = false
const daemon = run({ figures: process, terminal: process.stdout.isTTY === true }).pipe(
  Command.provideEffectDiscard(Effect.sync(() => {
    serving = true
  }))
)

/**
 * Until V8's compilers in the background are done with the code of the way out. One that needs memory then waits for this thread to
 * collect garbage, and `process.exit` waits for the compiler: for ever (nodejs/node#54918). A daemon's heap is at its limit more
 * often than not, and Kubernetes would kill it after half a minute.
 */
const compiled = Effect.suspend(() => serving ? Effect.sleep("100 millis") : Effect.void)

const program = root.pipe(
  Command.withSubcommands([daemon, clone, plan, explain, status, policy, verify, restore]),
  Command.run({ version }),
  Effect.provide(Layer.mergeAll(
    NodeServices.layer,
    // LOG_LEVEL is the one way to set it
    CliConfig.layer({
      builtIns: GlobalFlag.BuiltIns.filter((it) => it !== GlobalFlag.Wizard && it !== GlobalFlag.LogLevel)
    }),
    CliOutput.layer(formatter),
    CliOutput.layerPresenter(presenter)
  )),
  Effect.tapCause((cause) => Cause.hasInterruptsOnly(cause) || reported(cause) ? Effect.void : Effect.logError(cause)),
  Effect.provideService(Logger.LogToStderr, true),
  Effect.ensuring(compiled)
)

const usage = 2
const interrupted = 130

/** Whether the command line itself was wrong. */
const isUsage = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && CliError.isCliError(Cause.squash(exit.cause))

NodeRuntime.runMain(program, {
  disableErrorReporting: true,
  // Kubernetes reads any other code than 0 after SIGTERM as an error, scripts read 0 as done
  teardown: (exit, done) =>
    Runtime.defaultTeardown(
      exit,
      (code) => done(code === interrupted && serving ? 0 : code !== 0 && isUsage(exit) ? usage : code)
    )
})
