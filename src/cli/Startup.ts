// Startup: the settings of a command, read before anything else happens. Everything that is wrong, with the settings, the
// process's environment or the registry logins, is named in one error, so that it can be mended in one go.
import { Effect, type Layer, Option, Result } from "effect"
import { KubeClient } from "../kube/KubeClient.ts"
import { isReason } from "../kube/KubeError.ts"
import { readDockerConfig } from "../registry/logins/ConfigFile.ts"
import { dockerFolder } from "../settings/DockerFolder.ts"
import { load } from "../settings/Load.ts"
import { ProcessSettings } from "../settings/ProcessSettings.ts"
import { backup, type Settings } from "../settings/Settings.ts"
import { type Problem, SettingsError } from "../settings/SettingsError.ts"

/** Name of the ConfigMap with the settings, in the controller's namespace. */
export const configMap = "image-cloner-configuration"

/** The controller's namespace, seen from a pod or, as manifests/ has it, from outside of the cluster. */
export const controllerNamespace = (podNamespace: Option.Option<string>): string =>
  Option.getOrElse(podNamespace, () => "image-cloner")

const problemsOf = <A>(result: Result.Result<A, SettingsError>): ReadonlyArray<Problem> =>
  Result.isFailure(result) ? result.failure.problems : []

/**
 * Fails when docker's config.json is there and is no such file, or when its entry for the backup cannot be used. What is wrong with
 * entries of other hosts is warned of when they are read (ConfigFile.ts).
 */
export const checkLogins = Effect.fnUntraced(
  function*(settings: Settings | undefined) {
    const folder = yield* dockerFolder
    if (Option.isNone(folder)) return
    const target = settings === undefined ? undefined : backup(settings)
    const asked = target === undefined ? undefined : { registry: target.registry, repository: target.prefix }
    yield* readDockerConfig(folder.value, asked).pipe(
      Effect.mapError(({ file, problem }) => new SettingsError({ problems: [{ key: file, problem }] }))
    )
  },
  Effect.catchTag("ConfigError", (error) => new SettingsError({ problems: [{ key: "HOME", problem: error.message }] }))
)

/** Reads everything that a command depends on, and fails with all that is wrong with it. */
export const checkAll = Effect.fnUntraced(function*(directory: Option.Option<string>) {
  const settings = yield* Effect.result(load(directory))
  const process = yield* Effect.result(Effect.provide(ProcessSettings, ProcessSettings.layer))
  const logins = yield* Effect.result(checkLogins(Option.getOrUndefined(Result.getSuccess(settings))))
  const problems = [...problemsOf(settings), ...problemsOf(process), ...problemsOf(logins)]
  return problems.length === 0 && Result.isSuccess(settings)
    ? settings.success
    : yield* new SettingsError({ problems })
})

const isTexts = (data: unknown): data is Record<string, string> =>
  typeof data === "object" && data !== null && Object.values(data).every((it) => typeof it === "string")

/** The same, of this process. */
export const ownNamespace = Effect.map(
  Effect.provide(ProcessSettings, ProcessSettings.layer),
  (it) => controllerNamespace(it.podNamespace)
)

/**
 * An object of the controller's namespace, undefined where there is none.
 * @param place that namespace, if somebody has named it
 */
export const objectOf = Effect.fnUntraced(function*(api: string, resource: string, name: string, place?: string) {
  const client = yield* KubeClient
  const namespace = encodeURIComponent(place ?? (yield* ownNamespace))
  return yield* client.request({ method: "GET", path: `${api}/namespaces/${namespace}/${resource}/${name}` }).pipe(
    Effect.catchIf(isReason("NotFound"), () => Effect.undefined)
  )
})

const configurationIn = (place: string | undefined) =>
  Effect.map(objectOf("/api/v1", "configmaps", configMap, place), (object) => {
    if (typeof object !== "object" || object === null) return undefined
    return "data" in object && isTexts(object.data) ? object.data : {}
  })

/** The texts of the ConfigMap; undefined when there is none. */
export const configuration = configurationIn(undefined)

/** The settings that the cluster's controller has; none when there is no such ConfigMap. */
const fromCluster = (place: string | undefined) =>
  configurationIn(place).pipe(
    Effect.map((it) => it ?? {}),
    Effect.catchIf(isReason("Forbidden"), () => Effect.succeed({}))
  )

/**
 * The settings of a command other than `run`: only where BACKUP_REGISTRY is neither in the environment nor in the folder
 * is the cluster asked for the controller's own.
 * @param place the controller's namespace, if somebody has named it
 */
export const settingsWithCluster = Effect.fnUntraced(function*<E, R>(
  directory: Option.Option<string>,
  kube: Layer.Layer<KubeClient, E, R>,
  place?: string
) {
  const own = yield* Effect.result(load(directory))
  if (Result.isSuccess(own)) return own.success
  const registryMissing = own.failure.problems.some((it) => it.key === "BACKUP_REGISTRY" && /required/.test(it.problem))
  return registryMissing ? yield* load(directory, yield* Effect.provide(fromCluster(place), kube)) : yield* own.failure
})
