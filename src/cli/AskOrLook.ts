// AskOrLook: what the commands have in common that ask the controller, and look by themselves where it cannot be asked: their flags, and
// the two ways. Edge: what is asked, and how one looks, is the command's.
import { Console, Effect, Option, Result } from "effect"
import { Flag } from "effect/cli"
import { kube } from "../App.ts"
import { KubeClient } from "../kube/KubeClient.ts"
import { ProcessSettings } from "../settings/ProcessSettings.ts"
import type { Unasked, Way } from "./AskController.ts"
import { CommandFailed, usage } from "./Failure.ts"
import type { Alone } from "./LookAlone.ts"
import { root } from "./root.ts"
import { shownText } from "./ShownText.ts"
import { workloadsOfCluster } from "./Snapshots.ts"
import { controllerNamespace, settingsWithCluster } from "./Startup.ts"

export const controllerFlags = {
  controller: Flag.String("controller-namespace").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription("Where the controller is; default: image-cloner"),
    Flag.optional
  ),
  url: Flag.String("url").pipe(
    Flag.withMetavar("URL"),
    Flag.withDescription("Address of the controller's port 8080, instead of the API server's service proxy"),
    Flag.optional
  )
}

interface Flags {
  readonly controller: Option.Option<string>
  readonly url: Option.Option<string>
}

const isAddress = (url: string): boolean => URL.canParse(url) && /^https?:/.test(url)

/**
 * The controller's answer; where it cannot be asked, why is said on standard error, and what a look tells is the answer.
 * @param namespace all that the look needs of the cluster; undefined: the whole of it
 */
export const askOrLook = Effect.fnUntraced(function*<A, E, R>(
  { controller, url }: Flags,
  ask: (way: Way) => Effect.Effect<A, Unasked, KubeClient>,
  look: (given: Alone) => Effect.Effect<A, E, R>,
  namespace?: string
) {
  const { config, context, kubeconfig } = yield* root
  if (Option.isSome(url) && !isAddress(url.value)) {
    return yield* new CommandFailed({ text: `--url ${url.value}: wanted is http://host:port`, code: usage })
  }
  const cluster = kube({ context, kubeconfig })
  const { podNamespace } = yield* ProcessSettings
  const place = Option.getOrElse(controller, () => controllerNamespace(podNamespace))
  const answer = yield* Effect.result(
    Option.isSome(url)
      ? Effect.provide(ask({ _tag: "Direct", url: url.value }), KubeClient.layerFrom({ server: url.value }))
      : Effect.provide(ask({ _tag: "Proxy", namespace: place }), cluster)
  )
  if (Result.isSuccess(answer)) return answer.success
  if (answer.failure._tag !== "Unasked") return yield* answer.failure
  yield* Console.error(shownText(answer.failure.message))
  const settings = yield* settingsWithCluster(config, cluster, place)
  const store = yield* Effect.provide(workloadsOfCluster(namespace, settings.EXTRA_KINDS), cluster)
  return yield* look({ settings, store, controllerNamespace: place })
}, Effect.provide(ProcessSettings.layer))
