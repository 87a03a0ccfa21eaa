// verify: is the backup whole? Looks at every image the cluster uses, or at those that are named, to the last blob; with
// --repair copies again what is not right. Contacts no cluster where images are named and BACKUP_REGISTRY is.
import { Clock, Console, Effect, Layer, Option, References } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { kube, registries } from "../App.ts"
import { makeVerifier, type Target, type Verified } from "../clone/verify/Verify.ts"
import { copyNamed, wanted } from "../controller/Wanted.ts"
import { format, type ImageReference } from "../image/ImageReference.ts"
import type { ImageState } from "../image/ImageState.ts"
import { load } from "../settings/Load.ts"
import { ProcessSettings } from "../settings/ProcessSettings.ts"
import { backup, type Settings } from "../settings/Settings.ts"
import { SettingsRef } from "../settings/SettingsRef.ts"
import type { Workloads } from "../store/WorkloadStore.ts"
import { CommandFailed, failed } from "./Failure.ts"
import { manifestFlags, manifestOptions } from "./manifests/ManifestFlags.ts"
import { despiteUnread, readManifests } from "./manifests/ReadManifests.ts"
import { notHandled, notHandledLine } from "./NotHandled.ts"
import { withProgress } from "./ProgressBars.ts"
import { parseAll } from "./References.ts"
import { outputFlag, root } from "./root.ts"
import { shownText } from "./ShownText.ts"
import { workloadsOfCluster } from "./Snapshots.ts"
import { checkLogins, controllerNamespace, settingsWithCluster } from "./Startup.ts"
import { asJson, linesOf, notWhole, totalLine } from "./VerifyReport.ts"

const flags = {
  images: Argument.String("REF").pipe(
    Argument.withDescription(
      "Image to look at, by its source's name or by its name in the backup; default: all of the cluster"
    ),
    Argument.atLeast(0)
  ),
  ...manifestFlags("Look at the images of these manifests instead of the cluster's"),
  deep: Flag.Boolean("deep").pipe(
    Flag.withDescription("Read and hash every blob, instead of asking whether it is there and how large it is"),
    Flag.withDefault(false)
  ),
  repair: Flag.Boolean("repair").pipe(
    Flag.withDescription("Copy again what is not whole, and look at it once more"),
    Flag.withDefault(false)
  ),
  output: outputFlag()
}

interface Options {
  readonly deep: boolean
  readonly repair: boolean
  readonly output: "text" | "json"
}

/** What the command was told to look at. */
interface Asked {
  readonly named: ReadonlyArray<ImageReference>
  /** Undefined where only names are looked at. */
  readonly store: Workloads | undefined
  /** Whether the store is a cluster's, where the controller has a namespace. */
  readonly cluster: boolean
}

const keyOf = (target: Target): string => format(target.backup)

const verifyAll = Effect.fnUntraced(function*(options: Options, settings: Settings, asked: Asked) {
  const { podNamespace } = yield* ProcessSettings
  const verifier = yield* makeVerifier(options)
  const started = yield* Clock.monotonicTimeNanos
  const now = yield* Clock.currentTimeMillis
  const ownNamespace = asked.cluster ? Option.some(controllerNamespace(podNamespace)) : podNamespace
  const seen = new Map<string, Verified>()
  const states = new Map<string, ImageState>()
  yield* withProgress(verifier.inFlight, (say) => {
    const visit = (targets: ReadonlyArray<Target>) =>
      Effect.forEach(targets, (target) =>
        Effect.flatMap(verifier.verify(target), (it) => {
          const { contents, digest, status } = it
          seen.set(keyOf(target), it)
          if (target.source !== undefined && status === "whole" && digest !== undefined) {
            states.set(format(target.source), { _tag: "BackedUp", digest, contents, verifiedAt: now })
          }
          return options.output === "json" ? Effect.void : say(linesOf(it))
        }), { concurrency: settings.MAX_CONCURRENT_RECONCILES, discard: true })
    return Effect.gen(function*() {
      yield* visit(asked.named.map((it) => copyNamed(backup(settings), it)))
      for (;;) {
        if (asked.store === undefined) return
        // what is known of tags can show that pods run other digests of them: those are looked at next
        const given = {
          settings,
          backup: backup(settings),
          ownNamespace,
          now,
          state: (source: string) => states.get(source)
        }
        const next = wanted(asked.store, given).filter((it) => !seen.has(keyOf(it)))
        if (next.length === 0) return
        yield* visit(next)
      }
    })
  })
  const seconds = Number((yield* Clock.monotonicTimeNanos) - started) / 1e9
  const all = [...seen].toSorted(([a], [b]) => a.localeCompare(b)).map(([, it]) => it)
  const effort = { ...verifier.totals(), seconds }
  yield* Console.log(options.output === "json" ? asJson(all, effort) : totalLine(all, effort))
  return all
})

const run = Effect.fnUntraced(function*(options: Options, settings: Settings, asked: Asked) {
  yield* checkLogins(settings)
  const dry = options.repair && settings.DRY_RUN
  if (dry) yield* Console.error("DRY_RUN is on: nothing is repaired.")
  const named = asked.named.map((it) => copyNamed(backup(settings), it).source ?? it)
  const all = yield* verifyAll({ ...options, repair: options.repair && !dry }, settings, asked).pipe(
    // the lines of the result say it all; logs would stand between them
    Effect.provideService(References.MinimumLogLevel, "Warn"),
    Effect.provide(Layer.provide(
      registries({ privateHosts: named.map((it) => it.registry), sourceCredentials: "proven-public" }),
      SettingsRef.layerOf(settings)
    ))
  )
  const count = notWhole(all)
  if (count > 0) {
    const text = `${count} of ${all.length} ${all.length === 1 ? "image" : "images"} ${
      count === 1 ? "is" : "are"
    } not whole`
    return yield* new CommandFailed({ text, code: failed })
  }
}, Effect.provide(ProcessSettings.layer))

export const verify = Command.make(
  "verify",
  flags,
  Effect.fnUntraced(
    function*({ files, images, namespace, recursive, ...options }) {
      const named = yield* parseAll(images)
      const { config, context, kubeconfig } = yield* root
      const asked = manifestOptions({ files, namespace, recursive })
      if (files.length > 0) {
        const settings = yield* load(config)
        const { elsewhere, store, unread } = yield* readManifests(asked, settings.EXTRA_KINDS)
        for (const it of notHandled(elsewhere, settings)) yield* Console.error(shownText(notHandledLine(it)))
        return yield* run(options, settings, { named, store, cluster: false }).pipe(despiteUnread(unread))
      }
      const cluster = kube({ context, kubeconfig })
      const settings = yield* settingsWithCluster(config, cluster)
      if (named.length > 0) return yield* run(options, settings, { named, store: undefined, cluster: false })
      const store = yield* Effect.provide(workloadsOfCluster(asked.namespace, settings.EXTRA_KINDS), cluster)
      yield* run(options, settings, { named, store, cluster: true })
    },
    (effect) =>
      Effect.mapError(
        effect,
        (error) => error._tag === "CommandFailed" ? error : new CommandFailed({ text: error.message, code: failed })
      )
  )
).pipe(
  Command.withDescription("Look whether the backup holds every image whole, to the last blob; repair it"),
  Command.withExamples([
    { command: "image-cloner verify", description: "Every image that the cluster of the current context uses" },
    { command: "image-cloner verify nginx:1.27 --deep", description: "Read every byte of one image's copy" },
    { command: "image-cloner verify --repair", description: "Copy again what is not whole" }
  ])
)
