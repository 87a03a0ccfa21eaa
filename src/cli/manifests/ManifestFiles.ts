// ManifestFiles: the files that `-f` names, as kubectl understands it (k8s.io/cli-runtime, resource/builder.go): several flags,
// commas, folders, globs and standard input. Edge: nothing is fetched; a URL is refused in words.
import { Data, Effect, FileSystem, Option, Path, type PlatformError, Stdio, Stream } from "effect"

/** A name behind `-f` that leads to nothing that can be read; the user must mend it. */
class ManifestFileError
  extends Data.TaggedError("ManifestFileError")<{ readonly file: string; readonly problem: string }>
{
  override get message() {
    return `${this.file} cannot be read: ${this.problem}`
  }
}

export const standardInput = "-"

/** What a folder's files have to be called; a file that is named itself may be called anything. */
const extensions = [".json", ".yaml", ".yml"]

const inWords = (file: string) => ({ reason }: PlatformError.PlatformError) =>
  new ManifestFileError({
    file,
    problem: reason._tag === "NotFound"
      ? "there is no such file"
      : reason._tag === "PermissionDenied"
      ? "this user may not read it"
      : reason._tag
  })

const isManifest = (name: string): boolean => extensions.some((it) => name.endsWith(it))

/** The files of a folder in the order of their names. Linked files count, linked folders do not: they may lead in circles. */
const inFolder: (
  folder: string,
  recursive: boolean
) => Effect.Effect<ReadonlyArray<string>, ManifestFileError, FileSystem.FileSystem | Path.Path> = Effect.fnUntraced(
  function*(folder, recursive) {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const entries = yield* Effect.mapError(fs.readDirectoryEntries(folder), inWords(folder))
    const files: Array<string> = []
    for (const { name, type } of entries.toSorted((a, b) => a.name < b.name ? -1 : 1)) {
      const file = path.join(folder, name)
      if (type === "Directory") {
        if (recursive) files.push(...yield* inFolder(file, recursive))
      } else if (isManifest(name)) {
        const linked = type === "SymbolicLink" || type === "Unknown"
          ? yield* Effect.option(fs.stat(file))
          : Option.none()
        if (Option.getOrElse(Option.map(linked, (it) => it.type), () => type) === "File") files.push(file)
      }
    }
    return files
  }
)

const named = Effect.fnUntraced(function*(name: string, recursive: boolean) {
  const fs = yield* FileSystem.FileSystem
  if (name === standardInput) return [name]
  if (name === "") return yield* new ManifestFileError({ file: "-f \"\"", problem: "it names no file" })
  if (/^https?:\/\//i.test(name)) {
    const problem =
      "manifests are read from files; fetch it first, and look at what you got: curl --fail URL | image-cloner … -f -"
    return yield* new ManifestFileError({ file: name, problem })
  }
  const found = yield* Effect.result(fs.stat(name))
  const isPattern = found._tag === "Failure" && found.failure.reason._tag === "NotFound" && /[*?[]/.test(name)
  const matches = isPattern
    ? yield* Effect.mapError(fs.glob(name, { dot: true }), inWords(name))
    : [name]
  if (matches.length === 0) return yield* new ManifestFileError({ file: name, problem: "no file is called like that" })
  const files: Array<string> = []
  for (const match of matches) {
    const { type } = yield* Effect.mapError(fs.stat(match), inWords(match))
    if (type === "Directory") files.push(...yield* inFolder(match, recursive))
    else files.push(match)
  }
  if (files.length === 0) {
    const below = recursive ? "in it or below it" : "in it; -R looks below it, too"
    return yield* new ManifestFileError({ file: name, problem: `there is no file ${extensions.join(", ")} ${below}` })
  }
  return files
})

/**
 * The files that a command line names, each once, in its order; what cannot be found is told beside the others.
 * @param names the values of `-f`
 * @param recursive whether folders are read with the folders below them
 */
export const manifestFiles = Effect.fnUntraced(function*(names: ReadonlyArray<string>, recursive: boolean) {
  const fs = yield* FileSystem.FileSystem
  const files = new Set<string>()
  const problems: Array<ManifestFileError> = []
  for (const name of names) {
    // a file may have a comma in its name
    const whole = name.includes(",") && (yield* Effect.orElseSucceed(fs.exists(name), () => false))
    for (const one of whole ? [name] : name.split(",")) {
      const found = yield* Effect.result(named(one, recursive))
      if (found._tag === "Failure") problems.push(found.failure)
      else for (const file of found.success) files.add(file)
    }
  }
  return { files: [...files], problems }
})

/** The bytes of a file or of standard input. */
export const readManifest = Effect.fnUntraced(function*(file: string) {
  if (file !== standardInput) {
    return yield* Effect.mapError(FileSystem.FileSystem.use((fs) => fs.readFile(file)), inWords(file))
  }
  const chunks = yield* Stdio.Stdio.use((it) => Stream.runCollect(it.stdin)).pipe(
    Effect.mapError(inWords("standard input"))
  )
  return new Uint8Array(Buffer.concat(chunks))
})
