// clone: copies the images that are named, with whatever credentials the user has. Contacts no cluster where the backup is
// named by BACKUP_REGISTRY or --to.
import { Console, Duration, Effect, Layer, Option, References, Result } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { kube, registries } from "../App.ts"
import { Cloner, type Copied } from "../clone/Cloner.ts"
import type { CloneError } from "../clone/CloneError.ts"
import type { Backup } from "../image/BackupName.ts"
import { format, type ImageReference } from "../image/ImageReference.ts"
import { load } from "../settings/Load.ts"
import { ProcessSettings } from "../settings/ProcessSettings.ts"
import { backup, type Settings } from "../settings/Settings.ts"
import { SettingsRef } from "../settings/SettingsRef.ts"
import { CommandFailed, failed } from "./Failure.ts"
import { withProgress } from "./ProgressBars.ts"
import { parseAll } from "./References.ts"
import { outputFlag, root } from "./root.ts"
import { checkLogins, settingsWithCluster } from "./Startup.ts"
import { shownBytes } from "../image/ShownBytes.ts"

const flags = {
  images: Argument.String("REF").pipe(
    Argument.withDescription("Image to copy, such as nginx:1.27 or quay.io/a/b@sha256:…"),
    Argument.atLeast(1)
  ),
  to: Flag.String("to").pipe(
    Flag.withDescription("Backup to copy to, instead of BACKUP_REGISTRY"),
    Flag.withMetavar("REGISTRY/PREFIX"),
    Flag.optional
  ),
  output: outputFlag("How to print the result of each image")
}

const stop = (text: string) => new CommandFailed({ text, code: failed })

/** One line for one image, to be read by people and scripts alike: what, where to, and how. */
const lineOf = (output: "text" | "json", source: string, result: Result.Result<Copied, CloneError>): string => {
  if (Result.isFailure(result)) {
    const { detail, reason, retryable, retryAfter, side } = result.failure
    // a registry that says when is believed; by hand nobody waits for it
    const when = retryAfter === undefined ? "" : `; it may be tried again in ${Duration.format(retryAfter)}`
    return output === "json"
      ? JSON.stringify({ source, result: "failed", reason, side, detail, retryable })
      : `${source} failed ${reason} (${side}): ${detail}${when}`
  }
  const { blobs, bytes: moved, digest, manifests, original, seconds, backup: copy, upToDate } = result.success
  const how = upToDate ? "up-to-date" : "copied"
  return output === "json"
    // `original` is left out where it is undefined
    ? JSON.stringify({
      source,
      result: how,
      target: format(copy),
      digest,
      original,
      blobs,
      bytes: moved,
      manifests,
      seconds
    })
    : `${source} ${how} ${format(copy)} ${digest} ${
      original === undefined ? "" : `converted-from=${original} `
    }uploaded=${blobs.uploaded} mounted=${blobs.mounted} `
      + `present=${blobs.present} bytes=${shownBytes(moved.uploaded).replace(" ", "")} seconds=${seconds.toFixed(1)}`
}

const settingsFor = Effect.fnUntraced(function*(to: Option.Option<string>) {
  const { config, context, kubeconfig } = yield* root
  if (Option.isNone(to)) return yield* settingsWithCluster(config, kube({ context, kubeconfig }))
  // the other settings still come from the environment and the folder
  return yield* load(config, {}, { BACKUP_REGISTRY: to.value })
})

const copyAll = Effect.fnUntraced(function*(
  sources: ReadonlyArray<ImageReference>,
  output: "text" | "json"
) {
  const cloner = yield* Cloner
  const results = yield* withProgress(
    cloner.inFlight,
    (say) =>
      Effect.forEach(sources, (source) =>
        Effect.result(cloner.clone(source)).pipe(
          Effect.tap((result) => say(lineOf(output, format(source), result)))
        ), { concurrency: "unbounded" })
  )
  return results.filter(Result.isFailure).length
})

const dryRun = (sources: ReadonlyArray<ImageReference>, target: Backup) =>
  Console.log(sources.map((it) => `${format(it)} would be copied to ${target.registry}/${target.prefix}`).join("\n"))

const run = Effect.fnUntraced(function*(
  sources: ReadonlyArray<ImageReference>,
  settings: Settings,
  output: "text" | "json"
) {
  const target = backup(settings)
  if (settings.DRY_RUN) return yield* dryRun(sources, target)
  yield* checkLogins(settings)
  const failures = yield* copyAll(sources, output).pipe(
    // the lines of the result say it all; logs would stand between them
    Effect.provideService(References.MinimumLogLevel, "Warn"),
    Effect.provide(Layer.provide(
      registries({
        backup: target,
        privateHosts: [target.registry, ...sources.map((it) => it.registry)],
        sourceCredentials: "always",
        // `verify` is for who wants to know more
        believeTags: true,
        alone: sources.length === 1
      }),
      SettingsRef.layerOf(settings)
    ))
  )
  if (failures > 0) return yield* stop(`${failures} of ${sources.length} images could not be copied`)
}, Effect.provide(ProcessSettings.layer))

export const clone = Command.make(
  "clone",
  flags,
  Effect.fnUntraced(function*({ images, output, to }) {
    const sources = yield* parseAll(images)
    const settings = yield* settingsFor(to)
    yield* run(sources, settings, output)
  }, (effect) => Effect.mapError(effect, (error) => error._tag === "CommandFailed" ? error : stop(error.message)))
).pipe(
  Command.withDescription("Copy images to the backup registry"),
  Command.withExamples([
    { command: "image-cloner clone nginx:1.27 --to registry.example/backup", description: "Copy one image" }
  ])
)
