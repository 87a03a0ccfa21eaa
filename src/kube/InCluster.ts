// Credentials of a pod: the mounted ServiceAccount. Kept apart from KubeConfig so that in a cluster it is never loaded.
// Source: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
import { Config, Effect, FileSystem, Option, Redacted } from "effect"
import type { Access, Credentials } from "./Access.ts"
import { cached } from "./CredentialCache.ts"
import { credentialsError, type KubeError } from "./KubeError.ts"

const serviceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount"

const variable = (name: string): Effect.Effect<string> =>
  Config.String(name).pipe(Config.withDefault(""), Effect.orElseSucceed(() => ""))

/** The credentials of the pod we are, or none if we are not one. `folder` is where the ServiceAccount is mounted. */
export const inCluster = Effect.fnUntraced(function*(
  folder: string = serviceAccountFolder
): Effect.fn.Return<Option.Option<Credentials>, KubeError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const host = yield* variable("KUBERNETES_SERVICE_HOST")
  const port = yield* variable("KUBERNETES_SERVICE_PORT")
  const mounted = yield* Effect.orElseSucceed(fs.exists(`${folder}/token`), () => false)
  if (host === "" || port === "" || !mounted) return Option.none()

  const readFile = (name: string) =>
    Effect.mapError(
      fs.readFileString(`${folder}/${name}`),
      (error) => credentialsError(`${folder}/${name} cannot be read: ${error.message}`)
    )
  const read: Effect.Effect<Access, KubeError> = Effect.gen(function*() {
    const token = (yield* readFile("token")).trim()
    if (token === "") return yield* credentialsError(`${folder}/token is empty`)
    const ca = yield* readFile("ca.crt")
    return { headers: { authorization: Redacted.make(`Bearer ${token}`, { label: "token" }) }, tls: { ca } }
  })
  const { access, reload } = yield* cached(read)
  return Option.some({
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    proxy: undefined,
    access,
    reload: (refused) => Effect.asVoid(reload(refused))
  })
})
