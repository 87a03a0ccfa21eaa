// explain: why a workload or an image is as it is, what happens next, and what would change it: by the controller's word, else by what
// can be seen without it. Changes nothing.
import { Clock, Console, Effect, Option, Result } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { kube } from "../App.ts"
import { KubeClient } from "../kube/KubeClient.ts"
import { ProcessSettings } from "../settings/ProcessSettings.ts"
import { type Asked, askedOf } from "../web/Asked.ts"
import type { Answer } from "../web/Explanation.ts"
import { askController } from "./AskController.ts"
import { explainAlone } from "./ExplainAlone.ts"
import { asJson, asText } from "./ExplainReport.ts"
import { CommandFailed, failed } from "./Failure.ts"
import { outputFlag, root } from "./root.ts"
import { shownText } from "./ShownText.ts"
import { workloadsOfCluster } from "./Snapshots.ts"
import { controllerNamespace, settingsWithCluster } from "./Startup.ts"
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

const direct = (url: string) =>
  URL.canParse(url) && /^https?:/.test(url)
    ? Effect.succeed(KubeClient.layerFrom({ server: url }))
    : Effect.fail(stop(`--url ${url}: wanted is http://host:port`))

export const explain = Command.make(
  "explain",
  flags,
  Effect.fnUntraced(
    function*({ controller, namespace, output, url, words }) {
      const { config, context, kubeconfig } = yield* root
      const asked = askedOf(words, Option.getOrUndefined(namespace))
      if (Result.isFailure(asked)) return yield* stop(shownText(asked.failure))
      const cluster = kube({ context, kubeconfig })
      const { podNamespace } = yield* ProcessSettings
      const place = Option.getOrElse(controller, () => controllerNamespace(podNamespace))
      const answer = yield* Effect.result(
        Option.isSome(url)
          ? Effect.provide(askController(asked.success, { _tag: "Direct", url: url.value }), yield* direct(url.value))
          : Effect.provide(askController(asked.success, { _tag: "Proxy", namespace: place }), cluster)
      )
      if (Result.isSuccess(answer)) return yield* shown(answer.success, output)
      if (answer.failure._tag !== "Unasked") return yield* answer.failure
      yield* Console.error(shownText(answer.failure.message))
      const settings = yield* settingsWithCluster(config, cluster, place)
      const store = yield* Effect.provide(workloadsOfCluster(namespaceOf(asked.success)), cluster)
      yield* shown(yield* explainAlone(asked.success, { settings, store, controllerNamespace: place }), output)
    },
    Effect.provide(ProcessSettings.layer),
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
