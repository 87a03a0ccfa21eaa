// Who we are at a registry: docker's config.json, read again when it changes, and the helpers it names.
// Edge: says what there is for a repository; whether it may be used there is decided in Identities.ts.
import { Clock, Context, Data, Effect, FileSystem, Layer, Option, Path, Result } from "effect"
import type { ChildProcessSpawner } from "effect/process"
import { makeBoundedMap } from "../../collections/BoundedMap.ts"
import { makeReloading } from "../../files/Reloading.ts"
import { askHelper } from "./CredentialHelper.ts"
import { authsOf, type Credential, type DockerConfig, empty, helperOf, parseDockerConfig } from "./DockerConfig.ts"

/** config.json cannot be used; the user must mend it. */
export class CredentialsError extends Data.TaggedError("CredentialsError")<{
  readonly file: string
  readonly problem: string
}> {
  override get message() {
    return `${this.file}: ${this.problem}`
  }
}

const helperMemory = 300_000_000_000n // helpers cost a process each; their tokens live for hours
const mostBytes = 1024 * 1024
/** So many are tried for one repository: each costs requests. */
const mostCandidates = 8

/** Each once, the first ones. */
const candidates = (all: ReadonlyArray<Credential>): ReadonlyArray<Credential> =>
  [...new Map(all.map((it) => [it.fingerprint, it])).values()].slice(0, mostCandidates)

const nobody: Effect.Effect<ReadonlyArray<Credential>> = Effect.succeed([])

export class Credentials extends Context.Service<Credentials, {
  /**
   * The credentials for a repository in the order in which they are to be tried, none for anonymous: the helper's or the
   * store's, then the entries of the file, the most specific first. A helper that fails is said in the log, and is none.
   */
  readonly lookup: (registry: string, repository: string) => Effect.Effect<ReadonlyArray<Credential>>
  /** Forget what a helper said: its credential was refused. */
  readonly refused: (credential: Credential) => Effect.Effect<void>
}>()("image-cloner/registry/Credentials") {
  /** Nobody anywhere. */
  static readonly anonymous: Layer.Layer<Credentials> = Layer.succeed(
    Credentials,
    Credentials.of({ lookup: () => nobody, refused: () => Effect.void })
  )

  /** The given ones, for tests: lookup by `registry` and `repository`. */
  static readonly layerOf = (
    lookup: (registry: string, repository: string) => Credential | ReadonlyArray<Credential> | undefined
  ): Layer.Layer<Credentials> =>
    Layer.succeed(
      Credentials,
      Credentials.of({
        lookup: (registry, repository) => Effect.sync(() => [lookup(registry, repository) ?? []].flat()),
        refused: () => Effect.void
      })
    )

  /**
   * Reads `<directory>/config.json`; a missing file is no credentials. A broken one fails the start, and later keeps
   * the last good one in use.
   */
  static readonly layer = (options: { readonly directory: Option.Option<string> }) =>
    Layer.effect(
      Credentials,
      Effect.gen(function*() {
        const path = yield* Path.Path
        const services = yield* Effect.context<FileSystem.FileSystem | ChildProcessSpawner.ChildProcessSpawner>()
        // costs a copy of all services: not for every request
        const provided = Effect.provideContext(services)
        if (Option.isNone(options.directory)) {
          return Credentials.of({ lookup: () => nobody, refused: () => Effect.void })
        }
        const file = path.join(options.directory.value, "config.json")
        const text = yield* readText(file)
        const config = yield* Effect.fromResult(parse(file, text))
        const docker = yield* makeReloading<Read, FileSystem.FileSystem>({ text, config }, readAgain(file))
        const helpers = makeBoundedMap<string, Answer>(1024)

        const ask = Effect.fnUntraced(function*(helper: string, serverUrl: string) {
          const key = `${helper} ${serverUrl}`
          const now = yield* Clock.monotonicTimeNanos
          const known = helpers.get(key)
          if (known !== undefined && known.until > now) return known.credential
          const credential = yield* askHelper(helper, serverUrl).pipe(
            Effect.catchTag("HelperError", (error) =>
              Effect.as(
                Effect.logWarning("a credential helper failed; going on without it", error.message),
                Option.none()
              ))
          )
          helpers.set(key, { credential, until: now + helperMemory })
          return credential
        })

        const kept = Effect.fnUntraced(function*(current: DockerConfig, registry: string, repository: string) {
          const helper = helperOf(current, registry, repository)
          const found = Option.isSome(helper)
            ? yield* ask(helper.value.helper, helper.value.serverUrl)
            : Option.none()
          if (Option.isSome(found) || Option.isNone(current.store)) return found
          return yield* ask(
            current.store.value,
            registry === "docker.io" ? "https://index.docker.io/v1/" : registry
          )
        })

        const lookup = (current: DockerConfig, registry: string, repository: string) => {
          const written = authsOf(current, registry, repository)
          return current.helpers.length === 0 && Option.isNone(current.store)
            ? Effect.succeed(candidates(written))
            : Effect.map(
              provided(kept(current, registry, repository)),
              (it) => candidates([...Option.toArray(it), ...written])
            )
        }

        return Credentials.of({
          lookup: (registry, repository) =>
            Effect.flatMap(docker.refreshed, ({ config: current }) => lookup(current, registry, repository)),
          refused: (credential) =>
            Effect.sync(() => {
              for (const [key, answer] of helpers.entries()) {
                if (
                  Option.isSome(answer.credential) && answer.credential.value.fingerprint === credential.fingerprint
                ) {
                  helpers.delete(key)
                }
              }
            })
        })
      })
    )
}

interface Answer {
  readonly credential: Option.Option<Credential>
  readonly until: bigint
}

/** Reads the file once, without keeping it: to name what is wrong together with the other settings. */
export const readDockerConfig = Effect.fnUntraced(
  function*(file: string): Effect.fn.Return<DockerConfig, CredentialsError, FileSystem.FileSystem> {
    return yield* Effect.fromResult(parse(file, yield* readText(file)))
  }
)

const parse = (file: string, text: string | undefined): Result.Result<DockerConfig, CredentialsError> =>
  text === undefined
    ? Result.succeed(empty)
    : Result.mapError(parseDockerConfig(text), (problem) => new CredentialsError({ file, problem }))

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

interface Read {
  readonly text: string | undefined
  readonly config: DockerConfig
}

// The text is compared rather than the file's time: a mounted ConfigMap is swapped by a link, and times can be equal.
const readAgain = (file: string) =>
  Effect.fnUntraced(function*(before: Read) {
    const text = yield* readText(file)
    if (text === before.text) return before
    const parsed = parse(file, text)
    const config = Result.getOrElse(parsed, () => before.config)
    if (Result.isFailure(parsed)) yield* keep(parsed.failure)
    else if (config !== before.config) yield* Effect.logInfo("registry credentials were read again")
    return { text, config }
  }, (read, before) => read.pipe(Effect.catch((error) => Effect.as(keep(error), before))))

const keep = (error: CredentialsError) =>
  Effect.logWarning("the last good registry credentials stay in use", error.message)
