// Who we are at a registry: docker's config.json, read again when it changes, and the helpers it names.
// Edge: says what there is for a repository; whether it may be used there is decided in Identities.ts.
import { Clock, Context, Effect, type FileSystem, Layer, Option, type Path } from "effect"
import type { ChildProcessSpawner } from "effect/process"
import { makeBoundedMap } from "../../collections/BoundedMap.ts"
import { makeReloading } from "../../files/Reloading.ts"
import { type ConfigFile, makeFlawWarnings, readAgain, readConfigFile } from "../logins/ConfigFile.ts"
import { askHelper } from "./CredentialHelper.ts"
import { authsOf, type Credential, type DockerConfig, flawsOf, helperOf } from "./DockerConfig.ts"

const helperMemory = 300_000_000_000n // helpers cost a process each; their tokens live for hours
/** So many are tried for one repository: each costs requests. */
const mostCandidates = 8

/** Each once, the first ones. */
const candidates = (all: ReadonlyArray<Credential>): ReadonlyArray<Credential> =>
  [...new Map(all.map((it) => [it.fingerprint, it])).values()].slice(0, mostCandidates)

/** What there is where no file is named. */
const noFile = {
  lookup: (): Effect.Effect<ReadonlyArray<Credential>> => Effect.succeed([]),
  refused: () => Effect.void,
  absence: () => Effect.succeed("DOCKER_CONFIG names no folder of logins")
}

export class Credentials extends Context.Service<Credentials, {
  /**
   * The credentials for a repository in the order in which they are to be tried, none for anonymous: the helper's or the
   * store's, then the entries of the file, the most specific first. A helper that fails is said in the log, and is none.
   */
  readonly lookup: (registry: string, repository: string) => Effect.Effect<ReadonlyArray<Credential>>
  /** Forget what a helper said: its credential was refused. */
  readonly refused: (credential: Credential) => Effect.Effect<void>
  /** Why there is no credential for a repository, for people: which file was read, and what is wrong with its entry. */
  readonly absence: (registry: string, repository: string) => Effect.Effect<string>
}>()("image-cloner/registry/Credentials") {
  /** Nobody anywhere. */
  static readonly anonymous: Layer.Layer<Credentials> = Layer.succeed(
    Credentials,
    Credentials.of(noFile)
  )

  /** The given ones, for tests: lookup by `registry` and `repository`. */
  static readonly layerOf = (
    lookup: (registry: string, repository: string) => Credential | ReadonlyArray<Credential> | undefined
  ): Layer.Layer<Credentials> =>
    Layer.succeed(
      Credentials,
      Credentials.of({
        ...noFile,
        lookup: (registry, repository) => Effect.sync(() => [lookup(registry, repository) ?? []].flat())
      })
    )

  /**
   * Reads `<directory>/config.json`, or what is named itself if that is a file; a missing one is no credentials. One that is not
   * docker's JSON fails the start, and later keeps the last good one in use. Single entries that cannot be used are warned of.
   */
  static readonly layer = (options: { readonly directory: Option.Option<string> }) =>
    Layer.effect(
      Credentials,
      Effect.gen(function*() {
        const services = yield* Effect.context<
          FileSystem.FileSystem | Path.Path | ChildProcessSpawner.ChildProcessSpawner
        >()
        // costs a copy of all services: not for every request
        const provided = Effect.provideContext(services)
        if (Option.isNone(options.directory)) return Credentials.of(noFile)
        const directory = options.directory.value
        const warn = makeFlawWarnings()
        const first = yield* readConfigFile(directory)
        yield* warn(first)
        const docker = yield* makeReloading<ConfigFile, FileSystem.FileSystem | Path.Path>(
          first,
          readAgain(directory, warn)
        )
        const helpers = makeBoundedMap<string, Answer>(1024)

        const ask = Effect.fnUntraced(function*(helper: string, serverUrl: string) {
          const key = `${helper} ${serverUrl}`
          const now = yield* Clock.monotonicTimeNanos
          const known = helpers.get(key)
          if (known !== undefined && known.until > now) return known.credential
          const credential = yield* Effect.map(
            askHelper(helper, serverUrl),
            Option.map((it): Credential => ({ ...it, origin: `docker-credential-${helper} for ${serverUrl}` }))
          ).pipe(
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
          if (Option.isSome(helper) && helper.value.helper === "") return Option.none()
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
            }),
          absence: (registry, repository) =>
            Effect.map(docker.refreshed, ({ config: current, file, text }) => {
              const flaws = flawsOf(current, registry, repository)
              if (flaws.length > 0) return `${file}: ${flaws.join("; ")}`
              return text === undefined ? `there is no ${file}` : `${file} has no login for it`
            })
        })
      })
    )
}

interface Answer {
  readonly credential: Option.Option<Credential>
  readonly until: bigint
}
