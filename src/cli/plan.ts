// plan: what the controller would do with a cluster, or with manifests, and why. Changes nothing; asks no registry unless
// told to, because every look at Docker Hub's manifests counts.
import { Clock, Console, Effect, Layer, Option, Result } from "effect"
import { Command, Flag } from "effect/cli"
import { kube, registries } from "../App.ts"
import { wanted } from "../controller/Wanted.ts"
import { inspect } from "../clone/Inspect.ts"
import { format, parse } from "../image/ImageReference.ts"
import type { ImageState } from "../image/ImageState.ts"
import type { Budget } from "../registry/RateLimitHeaders.ts"
import { RegistryClient } from "../registry/RegistryClient.ts"
import { load } from "../settings/Load.ts"
import { ProcessSettings } from "../settings/ProcessSettings.ts"
import { SettingsRef } from "../settings/SettingsRef.ts"
import { backup, type Settings } from "../settings/Settings.ts"
import type { Workloads } from "../store/WorkloadStore.ts"
import { CommandFailed, failed, pending } from "./Failure.ts"
import { manifestFlags, manifestOptions } from "./manifests/ManifestFlags.ts"
import type { ManifestElsewhere } from "./manifests/ManifestReading.ts"
import { despiteUnread, readManifests } from "./manifests/ReadManifests.ts"
import { notHandledLine } from "./NotHandled.ts"
import { type Given, type Report, report } from "./PlanReport.ts"
import { asNames, asText } from "./PlanTable.ts"
import { root } from "./root.ts"
import { controllerNamespace, settingsWithCluster } from "./Startup.ts"
import { shownText } from "./ShownText.ts"
import { workloadsOfCluster } from "./Snapshots.ts"
import { tagDrifts } from "./TagDrifts.ts"
import { terminalWidth } from "./TerminalWidth.ts"

const flags = {
  ...manifestFlags("Plan these manifests instead of the cluster"),
  check: Flag.Boolean("check").pipe(
    Flag.withDescription("Ask the registries: which images can be read, and how large they are"),
    Flag.withDefault(false)
  ),
  output: Flag.Literals("output", ["table", "wide", "name", "json"]).pipe(
    Flag.withAlias("o"),
    Flag.withDescription(
      "How to print: a table as wide as the terminal, with nothing shortened, names of workloads alone, or all as JSON"
    ),
    Flag.withDefault("table")
  ),
  exitCode: Flag.Boolean("exit-code").pipe(
    Flag.withDescription("Exit with 2 if something would be cloned, rewritten or pointed to its copy at admission"),
    Flag.withDefault(false)
  ),
  strict: Flag.Boolean("strict").pipe(
    Flag.withDescription("With --exit-code: images that are not handled, in custom resources, count as well"),
    Flag.withDefault(false)
  )
}

type Output = "table" | "wide" | "name" | "json"

const printed = Effect.fnUntraced(function*(result: Report, output: Output) {
  if (output === "json") return yield* Console.log(JSON.stringify(result, null, 2))
  if (output !== "name") {
    return yield* Console.log(asText(result, { width: yield* terminalWidth, wide: output === "wide" }))
  }
  for (const it of result.notHandled) yield* Console.error(shownText(notHandledLine(it)))
  if (result.rows.length > 0) yield* Console.log(asNames(result))
})

const failures: ReadonlySet<string> = new Set(["private", "internal", "not-found", "too-large", "unsupported"])

/** What one look tells, failures included: a report has room for both. */
const lookAt = Effect.fnUntraced(function*(source: string, now: number) {
  const seen = yield* Effect.fromResult(parse(source)).pipe(Effect.flatMap(inspect), Effect.result)
  if (Result.isSuccess(seen)) {
    const { bytes, contents, converts, digest, manifests } = seen.success
    const state: ImageState = {
      _tag: "BackedUp",
      digest,
      original: converts ? digest : undefined,
      contents,
      verifiedAt: now
    }
    return { digest, bytes, manifests, problem: null, state }
  }
  const reason = "reason" in seen.failure && failures.has(seen.failure.reason)
    ? seen.failure.reason as "private" // one of the names just asked for
    : "failed"
  const problem = "detail" in seen.failure ? seen.failure.detail : seen.failure.message
  const state: ImageState = { _tag: "Failed", reason, message: problem, retryAt: now }
  return { digest: null, bytes: null, manifests: null, problem, state }
})

/** Looks at every image that the plan names, five at a time; then at the digests that pods of moved tags turn out to run. */
const lookAll = Effect.fnUntraced(function*(store: Workloads, given: Omit<Given, "looked">) {
  const looked = new Map<string, Effect.Success<ReturnType<typeof lookAt>>>()
  for (;;) {
    const images = report(store, { ...given, looked }).images.filter((it) => !looked.has(it.source))
    if (images.length === 0) return looked
    yield* Effect.forEach(
      images,
      ({ source }) => Effect.map(lookAt(source, given.now), (it) => looked.set(source, it)),
      { concurrency: 5, discard: true }
    )
  }
})

/** What the registries say of the images, and of what may be read of them. */
const checkAll = Effect.fnUntraced(function*(store: Workloads, given: Omit<Given, "looked">) {
  const looked = yield* lookAll(store, given)
  const { budgetOf } = yield* RegistryClient
  const budgets = new Map<string, Budget>()
  for (const source of looked.keys()) {
    const reference = parse(source)
    const budget = Result.isSuccess(reference) ? budgetOf(reference.success.registry) : undefined
    if (Result.isSuccess(reference) && budget !== undefined) budgets.set(reference.success.registry, budget)
  }
  // what is to be cloned has been looked at; the rest is in use by its copies
  const copies = wanted(store, { ...given, backup: backup(given.settings), state: () => undefined })
    .filter((it) => it.source !== undefined && !looked.has(format(it.source)))
  const drifts = yield* tagDrifts(copies)
  return { looked, budgets, drifts }
})

const run = Effect.fnUntraced(
  function*(
    options: {
      readonly check: boolean
      readonly output: Output
      readonly exitCode: boolean
      readonly strict: boolean
      /** Images that manifests name in other objects. */
      readonly elsewhere?: ReadonlyArray<ManifestElsewhere>
      /** Whether the store is a cluster's, where the controller has a namespace. */
      readonly cluster: boolean
    },
    settings: Settings,
    store: Workloads
  ) {
    const { podNamespace } = yield* ProcessSettings
    const ownNamespace = options.cluster ? Option.some(controllerNamespace(podNamespace)) : podNamespace
    const given = { settings, ownNamespace, elsewhere: options.elsewhere ?? [], now: yield* Clock.currentTimeMillis }
    const checked: Pick<Given, "looked" | "budgets" | "drifts"> = options.check
      ? yield* checkAll(store, given).pipe(Effect.provide(
        Layer.provide(registries(), SettingsRef.layerOf(settings))
      ))
      : { looked: new Map() }
    const result = report(store, { ...given, ...checked })
    yield* printed(result, options.output)
    const { admission, clone, rewrite } = result.summary
    const counted = rewrite + admission + clone + (options.strict ? result.notHandled.length : 0)
    if (options.exitCode && counted > 0) {
      return yield* new CommandFailed({ text: "there are changes to be made", code: pending })
    }
  },
  Effect.provide(ProcessSettings.layer)
)

export const plan = Command.make(
  "plan",
  flags,
  Effect.fnUntraced(
    function*({ check, exitCode, output, strict, ...manifests }) {
      const { config, context, kubeconfig } = yield* root
      const asked = manifestOptions(manifests)
      if (asked.files.length > 0) {
        const settings = yield* load(config)
        const { elsewhere, store, unread } = yield* readManifests(asked, settings.EXTRA_KINDS)
        return yield* run({ check, output, exitCode, strict, elsewhere, cluster: false }, settings, store).pipe(
          despiteUnread(unread)
        )
      }
      const cluster = kube({ context, kubeconfig })
      const settings = yield* settingsWithCluster(config, cluster)
      yield* Effect.gen(function*() {
        yield* run(
          { check, output, exitCode, strict, cluster: true },
          settings,
          yield* workloadsOfCluster(asked.namespace, settings.EXTRA_KINDS)
        )
      }).pipe(Effect.provide(cluster))
    },
    (effect) =>
      Effect.mapError(
        effect,
        (error) => error._tag === "CommandFailed" ? error : new CommandFailed({ text: error.message, code: failed })
      )
  )
).pipe(
  Command.withDescription("Show what would be cloned, rewritten and left alone, and why"),
  Command.withExamples([
    { command: "image-cloner plan", description: "Plan for the cluster of the current context" },
    { command: "image-cloner plan -f manifests.yaml --output json", description: "Plan for manifests, in CI" },
    {
      command: "image-cloner plan -R -f deploy -n shop",
      description: "Plan for a folder of manifests, and those below it"
    },
    { command: "helm template chart | image-cloner plan -f -", description: "Plan for what a chart makes" },
    { command: "image-cloner plan --check", description: "Also ask the registries" }
  ])
)
