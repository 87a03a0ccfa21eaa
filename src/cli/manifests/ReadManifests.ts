// ReadManifests: all that `-f` names, read into one store. Reading lets go of the process after each document, so that a signal
// is heard, and tells on standard error what is odd. Edge: fails where nothing at all could be read.
import { Console, Effect, Result } from "effect"
import type { ExtraKind } from "../../settings/Settings.ts"
import { CommandFailed, failed } from "../Failure.ts"
import { shownText } from "../ShownText.ts"
import { parsersOf } from "./ManifestDocuments.ts"
import { manifestFiles, readManifest, standardInput } from "./ManifestFiles.ts"
import { ManifestReading, type ManifestRemark, type Manifests, remarkLine } from "./ManifestReading.ts"
import { decodeText, itemsOf, partsOf } from "./ManifestText.ts"

export interface ManifestOptions {
  /** The values of `-f`. */
  readonly files: ReadonlyArray<string>
  readonly recursive: boolean
  /** Of objects that have none of their own. */
  readonly namespace: string | undefined
}

/** What was read, and what could not be, each on a line. */
export interface ReadManifests extends Manifests {
  readonly unread: ReadonlyArray<string>
}

/** A file may have the same oddity on each of its lines. */
const mostWarnings = 20

const warn = Effect.fnUntraced(function*(warnings: ReadonlyArray<ManifestRemark>) {
  for (const it of warnings.slice(0, mostWarnings)) yield* Console.error(`warning: ${shownText(remarkLine(it))}`)
  const more = warnings.length - mostWarnings
  if (more > 0) yield* Console.error(`warning: and ${more} more`)
})

/**
 * Reads everything that was named.
 * @param extras EXTRA_KINDS
 */
export const readManifests = Effect.fnUntraced(function*(
  { files: names, namespace, recursive }: ManifestOptions,
  extras: ReadonlyArray<ExtraKind>
) {
  // loaded when they are needed: the daemon never reads a manifest
  const [yaml, js] = yield* Effect.promise(() => Promise.all([import("yaml"), import("js-yaml")]))
  const reading = new ManifestReading(parsersOf(yaml, js), namespace, extras)
  const { files, problems: unfound } = yield* manifestFiles(names, recursive)
  const unread = unfound.map((it) => it.message)
  for (const file of files) {
    const name = file === standardInput ? "standard input" : file
    const bytes = yield* Effect.result(readManifest(file))
    const text = Result.flatMap(bytes, decodeText)
    if (Result.isFailure(text)) {
      unread.push(typeof text.failure === "string" ? `${name} cannot be read: ${text.failure}` : text.failure.message)
      continue
    }
    for (const part of partsOf(text.success).flatMap((it) => itemsOf(it) ?? [it])) {
      reading.take(name, part)
      yield* Effect.yieldNow
    }
  }
  const read = reading.end()
  yield* warn(read.warnings)
  const all = [...unread, ...read.problems.map(remarkLine)].map(shownText)
  if (all.length === 0 && read.objects === 0) all.push(`there are no objects in ${names.join(", ")}`)
  if (read.objects === 0) return yield* new CommandFailed({ text: all.join("\nerror: "), code: failed })
  const result: ReadManifests = { ...read, unread: all }
  return result
})

/** A command over what was read; where something was not, it fails with that as well, and was about the rest. */
export const despiteUnread =
  (unread: ReadonlyArray<string>) =>
  <A, E extends Error, R>(command: Effect.Effect<A, E, R>): Effect.Effect<A, E | CommandFailed, R> => {
    if (unread.length === 0) return command
    const said = [...unread, "not everything could be read; what is said above is of the rest"]
    const end = (more: ReadonlyArray<string>) =>
      Effect.fail(new CommandFailed({ text: [...more, ...said].join("\nerror: "), code: failed }))
    return Effect.matchEffect(command, {
      onSuccess: () => end([]),
      onFailure: (error) => end([error.message])
    })
  }
