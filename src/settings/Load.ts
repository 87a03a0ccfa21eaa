// Where the settings come from: a folder with one file a key, as Kubernetes mounts a ConfigMap, under the environment.
// Reads once; SettingsRef calls it again when something changes.
import { Config, Effect, FileSystem, Option, type PlatformError } from "effect"
import { decode, keys, type Settings } from "./Settings.ts"
import { SettingsError } from "./SettingsError.ts"

type Texts = Readonly<Record<string, string>>

// Of the environment only known keys are taken: it is full of what belongs to others.
const fromEnvironment: Effect.Effect<Texts, SettingsError> = Effect.gen(function*() {
  const texts: Record<string, string> = {}
  for (const key of keys) {
    const text = yield* Config.option(Config.String(key))
    if (Option.isSome(text) && text.value.trim() !== "") texts[key] = text.value
  }
  return texts
}).pipe(
  Effect.mapError((error) =>
    new SettingsError({ problems: [{ key: "environment", problem: `it cannot be read: ${error.message}` }] })
  )
)

// The kubelet publishes a new version of a ConfigMap by pointing the link `..data` at another folder.
const version = (fs: FileSystem.FileSystem, directory: string): Effect.Effect<string> =>
  Effect.orElseSucceed(fs.readLink(`${directory}/..data`), () => "")

const fromDirectory = Effect.fnUntraced(function*(directory: string) {
  const fs = yield* FileSystem.FileSystem
  const once = Effect.gen(function*() {
    const before = yield* version(fs, directory)
    const texts: Record<string, string> = {}
    for (const key of yield* fs.readDirectory(directory)) {
      if (!key.startsWith(".")) texts[key] = yield* fs.readFileString(`${directory}/${key}`)
    }
    return { texts, torn: before !== (yield* version(fs, directory)) }
  })
  // files of two versions do not belong together; a third swap in a row within milliseconds does not happen
  const { texts } = yield* once.pipe(
    Effect.repeat({ while: (it) => it.torn, times: 2 }),
    Effect.retry({ times: 1 }),
    Effect.mapError((error: PlatformError.PlatformError) =>
      new SettingsError({
        problems: [{
          key: directory,
          problem: `the folder of the settings cannot be read: ${error.message}; wanted is a folder with one file a key`
        }]
      })
    )
  )
  return texts
})

/**
 * The settings of the folder, if there is one, with those of the environment over them.
 * Fails with everything that is wrong, and with the folder's name if it cannot be read.
 * @param bottom what stands below both, for commands that read the cluster's own ConfigMap
 * @param top what stands above both: what the command line says
 */
export const load = Effect.fnUntraced(function*(
  directory: Option.Option<string>,
  bottom: Texts = {},
  top: Texts = {}
): Effect.fn.Return<Settings, SettingsError, FileSystem.FileSystem> {
  const below: Texts = Option.isSome(directory) ? { ...bottom, ...(yield* fromDirectory(directory.value)) } : bottom
  return yield* Effect.fromResult(decode({ ...below, ...(yield* fromEnvironment), ...top }))
})
