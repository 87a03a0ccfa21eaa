// run: the daemon. Everything wrong with its settings is said at once and ends it; an API server that cannot be reached is
// tried again for ever, not ready meanwhile.
import { Effect } from "effect"
import { Command } from "effect/cli"
import { daemon, type Process } from "../App.ts"
import { Supervisor } from "../Supervisor.ts"
import { CommandFailed, failed } from "./Failure.ts"
import { root } from "./root.ts"
import { checkAll } from "./Startup.ts"

const startErrors = ["SettingsError", "KubeError", "CredentialsError", "ListenError"] as const

export const run = (process: Process) =>
  Command.make(
    "run",
    {},
    Effect.fnUntraced(function*() {
      const { config, context, kubeconfig } = yield* root
      yield* checkAll(config)
      return yield* Effect.flatMap(Supervisor, (it) => it.join).pipe(
        Effect.provide(daemon({ directory: config, context, kubeconfig }, process))
      )
    }, (effect) =>
      Effect.catchTag(effect, startErrors, (error) =>
        new CommandFailed({ text: error.message, code: failed })))
  ).pipe(Command.withDescription("Run the controller: in a cluster, or beside one with a kubeconfig"))
