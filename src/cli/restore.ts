// restore: puts every original back, of the cluster, of namespaces or of single workloads, and proves that nothing refers to the
// backup any more. With the rights of whoever calls it; the controller need not run.
import { Console, Effect, Layer, References, Result } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { kube, registries, rewriter } from "../App.ts"
import { restoreAll, undoMarks } from "../controller/restore/RestoreAll.ts"
import { ProcessSettings } from "../settings/ProcessSettings.ts"
import { backup, type Settings } from "../settings/Settings.ts"
import { SettingsRef } from "../settings/SettingsRef.ts"
import { extrasIn, namespacesOf, parseKey, type Scope } from "../workload/Scope.ts"
import { rewriting } from "./ControllerMode.ts"
import { CommandFailed, failed, usage } from "./Failure.ts"
import { asJson, asText, lineOf, Tally, undoneAsJson, undoneAsText } from "./RestoreReport.ts"
import { outputFlag, root } from "./root.ts"
import { everyWorkload } from "./Snapshots.ts"
import { checkLogins, settingsWithCluster } from "./Startup.ts"
import { withoutPullSecret } from "./WithoutPullSecret.ts"

const flags = {
  workloads: Argument.String("WORKLOAD").pipe(
    Argument.withDescription("Workload to restore, as Kind/namespace/name"),
    Argument.atLeast(0)
  ),
  all: Flag.Boolean("all").pipe(
    Flag.withDescription("Restore the whole cluster; refused while the controller may rewrite workloads"),
    Flag.withDefault(false)
  ),
  namespaces: Flag.String("namespace").pipe(
    Flag.withAlias("n"),
    Flag.withMetavar("NAME"),
    Flag.withDescription("Restore everything in this namespace; may be given several times"),
    Flag.atLeast(0)
  ),
  dryRun: Flag.Boolean("dry-run").pipe(
    Flag.withDescription("Say what would be done, and change nothing"),
    Flag.withDefault(false)
  ),
  undo: Flag.Boolean("undo-marks").pipe(
    Flag.withDescription("Put nothing back; take away the marks that keep the controller from rewriting"),
    Flag.withDefault(false)
  ),
  output: outputFlag()
}

interface Options {
  readonly scope: Scope
  readonly dry: boolean
  readonly output: "text" | "json"
}

const wrong = (text: string) => new CommandFailed({ text, code: usage })

/** What was named, if it was named in one way. */
const scopeOf = Effect.fnUntraced(
  function*(
    all: boolean,
    namespaces: ReadonlyArray<string>,
    workloads: ReadonlyArray<string>
  ): Effect.fn.Return<Scope, CommandFailed> {
    if ([all, namespaces.length > 0, workloads.length > 0].filter((it) => it).length !== 1) {
      return yield* wrong("name what is to be restored: either --all, or --namespace NAME, or Kind/namespace/name")
    }
    if (all) return { _tag: "All" }
    if (namespaces.length > 0) return { _tag: "Namespaces", names: new Set(namespaces) }
    const keys = workloads.map(parseKey)
    const problems = keys.flatMap((it) => Result.isFailure(it) ? [it.failure] : [])
    if (problems.length > 0) return yield* wrong(problems.join("\n"))
    return { _tag: "Named", keys: new Set(keys.flatMap((it) => Result.isSuccess(it) ? [it.success] : [])) }
  }
)

/** The controller would rewrite what has no mark yet while we are at it. */
const checkController = Effect.fnUntraced(function*({ dry, scope }: Options) {
  if (scope._tag !== "All") return
  const problem = yield* rewriting
  if (problem === undefined) return
  if (dry) return yield* Console.error(`Without --dry-run this is refused: ${problem}`)
  return yield* new CommandFailed({
    text: `--all is refused while the controller rewrites workloads: ${problem}\n`
      + "A namespace or a workload can be restored all the same: each is marked image-cloner.io/rewrite: never.",
    code: failed
  })
})

const run = Effect.fnUntraced(function*(options: Options, settings: Settings) {
  const { dry, output, scope } = options
  yield* checkController(options)
  const tally = new Tally()
  const result = yield* restoreAll({
    target: backup(settings),
    scope,
    dry,
    limit: settings.MAX_CONCURRENT_ROLLOUTS,
    look: everyWorkload(namespacesOf(scope), extrasIn(scope, settings.EXTRA_KINDS)),
    say: (event) => {
      tally.note(event)
      const line = lineOf(event)
      return output === "json" || line === undefined ? Effect.void : Console.log(line)
    }
  }).pipe(Effect.onInterrupt(() => Effect.suspend(() => Console.error(tally.text))))
  yield* Console.log(output === "json" ? asJson(result, dry) : asText(result, dry))
  if (!dry && settings.PULL_SECRET !== "" && scope._tag !== "Named") {
    const using = [...result.left, ...result.rest].map((it) => it.key)
    const after = yield* everyWorkload(namespacesOf(scope), extrasIn(scope, settings.EXTRA_KINDS))
    for (const line of yield* withoutPullSecret(settings, scope, after, using)) yield* Console.error(line)
  }
  if (result.left.length > 0) {
    return yield* new CommandFailed({ text: `${result.left.length} left`, code: failed })
  }
})

const runUndo = Effect.fnUntraced(function*({ dry, output, scope }: Options, settings: Settings) {
  const undone = yield* undoMarks({
    target: backup(settings),
    scope,
    dry,
    look: everyWorkload(namespacesOf(scope), extrasIn(scope, settings.EXTRA_KINDS))
  })
  yield* Console.log(output === "json" ? undoneAsJson(undone, dry) : undoneAsText(undone, dry))
  const problems = undone.filter((it) => it.problem !== undefined).length
  if (problems > 0) return yield* new CommandFailed({ text: `${problems} left`, code: failed })
})

export const restore = Command.make(
  "restore",
  flags,
  Effect.fnUntraced(
    function*({ all, dryRun, namespaces, output, undo, workloads }) {
      const scope = yield* scopeOf(all, namespaces, workloads)
      const { config, context, kubeconfig } = yield* root
      const cluster = kube({ context, kubeconfig })
      const settings = yield* settingsWithCluster(config, cluster)
      if (settings.DRY_RUN && !dryRun) {
        yield* Console.error("DRY_RUN is on: nothing is changed. DRY_RUN=false in the environment overrides it.")
      }
      const options = { scope, dry: dryRun || settings.DRY_RUN, output }
      const writing = Layer.provideMerge(rewriter, cluster)
      if (undo) return yield* Effect.provide(runUndo(options, settings), writing)
      yield* checkLogins(undefined)
      const sources = Layer.provide(
        registries({ privateHosts: [], sourceCredentials: "proven-public" }),
        SettingsRef.layerOf(settings)
      )
      yield* run(options, settings).pipe(
        // why a source could not be asked is said in logs alone, on standard error
        Effect.provideService(References.MinimumLogLevel, "Info"),
        Effect.provide(Layer.merge(writing, sources))
      )
    },
    Effect.provide(ProcessSettings.layer),
    (effect) =>
      Effect.mapError(
        effect,
        (error) => error._tag === "CommandFailed" ? error : new CommandFailed({ text: error.message, code: failed })
      )
  )
).pipe(
  Command.withDescription(
    "Put the originals back that rewrites replaced, and prove that nothing uses the backup any more"
  ),
  Command.withExamples([
    { command: "image-cloner restore --all --dry-run", description: "What would be restored, and what not" },
    { command: "image-cloner restore --namespace shop", description: "Everything in one namespace" },
    { command: "image-cloner restore Deployment/shop/web", description: "One workload" },
    { command: "image-cloner restore --all --undo-marks", description: "Let the controller rewrite all that again" }
  ])
)
