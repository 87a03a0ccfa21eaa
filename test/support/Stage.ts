// The stage that end-to-end tests play on: a world, a public registry, and a backup registry that wants a login.
import { Context, Effect, FileSystem, Layer, Path, Redacted, type Scope } from "effect"
import type { JsonObject } from "../../sandbox/Json.ts"
import * as EmbeddedRegistry from "../../sandbox/registry/EmbeddedRegistry.ts"
import { startDaemon } from "./Daemon.ts"
import * as W from "./World.ts"

export const login = { username: "cloner", password: "secret" }
/** Whoever may pull only, and is not the one that pushes. */
export const pulling = { username: "puller", password: "pulls" }

/** Control plane, node and two registries, shared by the tests of a file. */
export class Stage extends Context.Service<Stage, {
  readonly controlPlane: W.World["controlPlane"]
  readonly kubelet: W.World["kubelet"]
  readonly upstream: EmbeddedRegistry.EmbeddedRegistry
  readonly backup: EmbeddedRegistry.EmbeddedRegistry
}>()("test/Stage") {}

/** @param ofNode a scope of its own for the first node, so that it can end before all else */
export const stage = (start: (typeof W.controlPlanes)[number]["start"], ofNode?: Scope.Scope) =>
  Layer.effectContext(Effect.gen(function*() {
    const { context, world } = yield* W.start(start, ofNode)
    const upstream = yield* EmbeddedRegistry.make()
    const backup = yield* EmbeddedRegistry.make({
      exactLocations: true,
      auth: {
        _tag: "Basic",
        anonymousPull: false,
        users: [login, pulling].map((it) => ({ name: it.username, password: Redacted.make(it.password) }))
      }
    })
    return Context.merge(
      context,
      Context.make(Stage, { controlPlane: world.controlPlane, kubelet: world.kubelet, upstream, backup })
    )
  }))

/** A namespace that can pull from the backup. */
export const namespace = Effect.fnUntraced(function*(name: string, metadata: JsonObject = {}) {
  const { backup } = yield* Stage
  yield* W.namespace(name, metadata)
  yield* W.pullSecret(name, { host: backup.host, ...login })
})

export const daemon = Effect.fnUntraced(function*(
  namespaces: ReadonlyArray<string>,
  settings: Record<string, string> = {},
  kubeconfig?: string,
  env: Record<string, string> = {}
) {
  const { backup, controlPlane, upstream } = yield* Stage
  return yield* startDaemon({
    kubeconfig: kubeconfig ?? controlPlane.kubeconfig,
    env,
    settings: {
      BACKUP_REGISTRY: `${backup.host}/copies`,
      PLAIN_HTTP_REGISTRIES: `${upstream.host},${backup.host}`,
      NAMESPACES_TO_INCLUDE: namespaces.join(),
      ...settings
    },
    dockerConfig: {
      auths: { [backup.host]: { auth: Buffer.from(`${login.username}:${login.password}`).toString("base64") } }
    }
  })
})

/** What a user of the commands has: a kubeconfig, a login for the backup, and the names of the registries. */
export const user = Effect.gen(function*() {
  const { backup, controlPlane, upstream } = yield* Stage
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "image-cloner-user-" })
  const auth = Buffer.from(`${login.username}:${login.password}`).toString("base64")
  yield* fs.writeFileString(path.join(folder, "config.json"), JSON.stringify({ auths: { [backup.host]: { auth } } }))
  yield* fs.writeFileString(path.join(folder, "kubeconfig"), controlPlane.kubeconfig)
  return {
    KUBECONFIG: path.join(folder, "kubeconfig"),
    DOCKER_CONFIG: folder,
    BACKUP_REGISTRY: `${backup.host}/copies`,
    PLAIN_HTTP_REGISTRIES: `${upstream.host},${backup.host}`
  }
})

export const copyOf = (stageOf: Stage["Service"], repository: string, tag: string) =>
  `${stageOf.backup.host}/copies/${stageOf.upstream.host.replace(":", "_")}/${repository}:${tag}`
