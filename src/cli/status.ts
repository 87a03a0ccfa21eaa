// status: how much of what runs is in the backup, by the controller's word, else by a look at the cluster and the backup; it says which.
// Changes nothing. With --min for scripts: 1 where it is less.
import { Console, Effect, Option, Result } from "effect"
import { Command, Flag } from "effect/cli"
import { kube } from "../App.ts"
import { KubeClient } from "../kube/KubeClient.ts"
import { ProcessSettings } from "../settings/ProcessSettings.ts"
import type { ClusterStatus } from "../web/ClusterStatus.ts"
import { askStatus } from "./AskController.ts"
import { CommandFailed, failed, usage } from "./Failure.ts"
import { outputFlag, root } from "./root.ts"
import { shownText } from "./ShownText.ts"
import { workloadsOfCluster } from "./Snapshots.ts"
import { controllerNamespace, settingsWithCluster } from "./Startup.ts"
import { statusAlone } from "./StatusAlone.ts"
import { percent, statusText } from "./StatusTable.ts"
import { terminalWidth } from "./TerminalWidth.ts"

const flags = {
  min: Flag.Finite("min").pipe(
    Flag.withMetavar("PERCENT"),
    Flag.withDescription("Exit with 1 where fewer of the pods that can have copies have them"),
    Flag.optional
  ),
  controller: Flag.String("controller-namespace").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription("Where the controller is; default: image-cloner"),
    Flag.optional
  ),
  url: Flag.String("url").pipe(
    Flag.withMetavar("URL"),
    Flag.withDescription("Address of the controller's port 8080, instead of the API server's service proxy"),
    Flag.optional
  ),
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
    function*({ controller, min, output, url }) {
      const { config, context, kubeconfig } = yield* root
      const least = Option.getOrElse(min, () => 0)
      if (least < 0 || least > 100) {
        return yield* new CommandFailed({ text: "--min is a percentage, 0 to 100", code: usage })
      }
      if (Option.isSome(url) && !(URL.canParse(url.value) && /^https?:/.test(url.value))) {
        return yield* new CommandFailed({ text: `--url ${url.value}: wanted is http://host:port`, code: usage })
      }
      const cluster = kube({ context, kubeconfig })
      const { podNamespace } = yield* ProcessSettings
      const place = Option.getOrElse(controller, () => controllerNamespace(podNamespace))
      const answer = yield* Effect.result(
        Option.isSome(url)
          ? Effect.provide(
            askStatus({ _tag: "Direct", url: url.value }),
            KubeClient.layerFrom({ server: url.value })
          )
          : Effect.provide(askStatus({ _tag: "Proxy", namespace: place }), cluster)
      )
      if (Result.isSuccess(answer)) return yield* shown(answer.success, output, least)
      if (answer.failure._tag !== "Unasked") return yield* answer.failure
      yield* Console.error(shownText(answer.failure.message))
      const settings = yield* settingsWithCluster(config, cluster, place)
      const store = yield* Effect.provide(workloadsOfCluster(), cluster)
      yield* shown(yield* statusAlone({ settings, store, controllerNamespace: place }), output, least)
    },
    Effect.provide(ProcessSettings.layer),
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
