// The file of registry logins: where it is, what it says, read again when it changes, and each of its flaws said once.
// Edge: what it means is DockerConfig.ts; whom it lets us be, helpers included, is Credentials.ts.
import { Data, Effect, FileSystem, Option, Path, Result } from "effect"
import { makeNovelty } from "../../http/Warnings.ts"
import type { Repository } from "../../image/Repository.ts"
import { authsOf, type DockerConfig, empty, flawsOf, helperOf, parseDockerConfig } from "../auth/DockerConfig.ts"

const mostBytes = 1024 * 1024

/** config.json cannot be used; the user must mend it. */
export class CredentialsError extends Data.TaggedError("CredentialsError")<{
  readonly file: string
  readonly problem: string
}> {
  override get message() {
    return `${this.file}: ${this.problem}`
  }
}

/**
 * Reads the file once, without keeping it: to name what is wrong together with the other settings. Fails where it is not docker's
 * JSON, and where an entry of `asked` cannot be used while no other speaks for it.
 */
export const readDockerConfig = Effect.fnUntraced(
  function*(
    directory: string,
    asked?: Repository
  ): Effect.fn.Return<DockerConfig, CredentialsError, FileSystem.FileSystem | Path.Path> {
    const { config, file } = yield* readConfigFile(directory)
    if (asked === undefined) return config
    const { registry, repository } = asked
    const flaws = flawsOf(config, registry, repository)
    const others = Option.isSome(config.store) || Option.isSome(helperOf(config, registry, repository)) ||
      authsOf(config, registry, repository).length > 0
    return flaws.length === 0 || others ? config : yield* new CredentialsError({ file, problem: flaws.join("; ") })
  }
)

const parse = (file: string, text: string | undefined): Result.Result<DockerConfig, CredentialsError> =>
  text === undefined
    ? Result.succeed(empty)
    : Result.mapError(parseDockerConfig(text, file), (problem) => new CredentialsError({ file, problem }))

/** config.json in the folder; the folder itself where that is a file, as people name it whom `docker --config` has not told. */
const locate = Effect.fnUntraced(function*(directory: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const kind = yield* fs.stat(directory).pipe(
    Effect.map((it) => it.type),
    // what cannot be seen is said when it is read
    Effect.orElseSucceed(() => undefined)
  )
  return kind === "File" ? directory : path.join(directory, "config.json")
})

const readText = Effect.fnUntraced(
  function*(file: string): Effect.fn.Return<string | undefined, CredentialsError, FileSystem.FileSystem> {
    const fs = yield* FileSystem.FileSystem
    const bytes = yield* fs.readFile(file).pipe(
      Effect.catch((error) =>
        error.reason._tag === "NotFound"
          ? Effect.undefined
          : Effect.fail(new CredentialsError({ file, problem: `it cannot be read: ${error.reason._tag}` }))
      )
    )
    if (bytes === undefined) return undefined
    if (bytes.length > mostBytes) return yield* new CredentialsError({ file, problem: "it has more than 1 MiB" })
    return new TextDecoder().decode(bytes)
  }
)

/** The file as it was read last. */
export interface ConfigFile {
  readonly file: string
  /** Undefined where there is none. */
  readonly text: string | undefined
  readonly config: DockerConfig
}

/** Reads it; a missing one is no logins. */
export const readConfigFile = Effect.fnUntraced(
  function*(directory: string): Effect.fn.Return<ConfigFile, CredentialsError, FileSystem.FileSystem | Path.Path> {
    const file = yield* locate(directory)
    const text = yield* readText(file)
    return { file, text, config: yield* Effect.fromResult(parse(file, text)) }
  }
)

/** Flaws that are remembered as said; a file of 1 MiB has no end of them. */
const mostFlaws = 100

/** Says each flaw once, however often the file is read. */
export const makeFlawWarnings = () => {
  const isNew = makeNovelty(mostFlaws, "known")
  return ({ config, file }: ConfigFile): Effect.Effect<void> =>
    Effect.forEach(
      config.flaws.filter(({ text }) => isNew(`${file} ${text}`)),
      ({ text }) => Effect.logWarning("an entry of the registry credentials is left out", `${file}: ${text}`),
      { discard: true }
    )
}

/** Reads it again, told what was read before; what cannot be read, or is no JSON, leaves that in use and says so. */
// The text is compared rather than the file's time: a mounted ConfigMap is swapped by a link, and times can be equal.
export const readAgain = (directory: string, warn: (read: ConfigFile) => Effect.Effect<void>) =>
  Effect.fnUntraced(function*(before: ConfigFile) {
    const file = yield* locate(directory)
    const text = yield* readText(file)
    if (text === before.text && file === before.file) return before
    const parsed = parse(file, text)
    if (Result.isFailure(parsed)) {
      yield* keep(parsed.failure)
      return { file, text, config: before.config }
    }
    yield* Effect.logInfo("registry credentials were read again")
    const read = { file, text, config: parsed.success }
    yield* warn(read)
    return read
  }, (read, before) => read.pipe(Effect.catch((error) => Effect.as(keep(error), before))))

const keep = (error: CredentialsError) =>
  Effect.logWarning("the last good registry credentials stay in use", error.message)
