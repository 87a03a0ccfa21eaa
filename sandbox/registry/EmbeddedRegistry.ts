// An OCI registry in this process, on a free loopback port, for the demo and for tests: the pull, push, discovery and
// management parts of the distribution specification, three ways to log in, and faults on purpose.
// State goes with the scope, unless blobs are kept in a folder (manifests and tags never are).
import type { Scope } from "effect"
import { Effect, Option } from "effect"
import type { Exchange, Reply } from "../server/Exchange.ts"
import * as Exchanges from "../server/Exchange.ts"
import type { Faults } from "../server/Faults.ts"
import type { ListenError, Tls } from "../server/Listener.ts"
import * as Listener from "../server/Listener.ts"
import type { RequestLog } from "../server/RequestLog.ts"
import type { RegistryAuth } from "./Access.ts"
import * as Access from "./Access.ts"
import * as BlobRoutes from "./BlobRoutes.ts"
import * as BlobStorage from "./BlobStorage.ts"
import * as ListRoutes from "./ListRoutes.ts"
import * as ManifestRoutes from "./ManifestRoutes.ts"
import { OciError, replyOf } from "./OciError.ts"
import type { StoredManifest } from "./Repository.ts"
import * as Repositories from "./Repository.ts"
import type { Image } from "./SampleImage.ts"
import type { Behaviour, State } from "./State.ts"
import * as States from "./State.ts"
import * as UploadRoutes from "./UploadRoutes.ts"

export interface EmbeddedRegistryOptions extends Partial<Behaviour> {
  /** Default 0: a free one. */
  readonly port?: number
  /** Where blobs are kept; in memory when left out. */
  readonly folder?: string
  readonly auth?: RegistryAuth
  readonly tls?: Tls
}

export interface EmbeddedRegistry {
  /** "127.0.0.1:<port>": what an image reference starts with. */
  readonly host: string
  readonly port: number
  readonly url: string
  readonly log: RequestLog
  readonly faults: Faults
  /** Resets every connection and refuses new ones, until switched on: same port, same content. */
  readonly switchOff: Effect.Effect<void>
  readonly switchOn: Effect.Effect<void, ListenError>
  /** What it does and does not support; may be changed at any moment. */
  readonly behaviour: Behaviour
  /** Makes every token issued so far worthless (Bearer only). */
  readonly revokeTokens: Effect.Effect<void>
  /** Puts an image there without a request; a referrer when it has a subject. Gives back its digest. */
  readonly load: (repository: string, image: Image, tag?: string) => Effect.Effect<string>
  /** Puts one manifest there, unchecked: schema 1, or what is broken on purpose. */
  readonly loadManifest: (repository: string, manifest: StoredManifest, tag?: string) => Effect.Effect<void>
  readonly loadBlob: (repository: string, content: Uint8Array) => Effect.Effect<string>
  /** Digest that the tag (or digest) stands for; undefined when it is not there. */
  readonly resolve: (repository: string, reference: string) => string | undefined
  readonly manifest: (repository: string, reference: string) => StoredManifest | undefined
  readonly blob: (digest: string) => Uint8Array | undefined
  readonly hasBlob: (repository: string, digest: string) => boolean
  readonly repositories: () => ReadonlyArray<string>
  readonly tags: (repository: string) => ReadonlyArray<string>
  /** Forgets the tag, or the manifest and its tags, as an owner who deletes them does. */
  readonly remove: (repository: string, reference: string) => Effect.Effect<boolean>
  readonly removeRepository: (repository: string) => Effect.Effect<boolean>
}

const defaults: Behaviour = {
  readOnly: false,
  deletes: true,
  referrers: true,
  singlePost: true,
  mount: true,
  exactLocations: false,
  absoluteLocations: false,
  chunkMinLength: 0
}

const reads = ["GET", "HEAD"]

type Route = (
  state: State,
  exchange: Exchange,
  name: string,
  rest: string
) => Effect.Effect<Reply, OciError>

const routes: ReadonlyArray<{
  readonly path: RegExp
  readonly methods: ReadonlyArray<string>
  readonly route: Route
}> = [
  { path: /^\/v2\/(.+)\/blobs\/uploads\/?$/, methods: ["POST"], route: UploadRoutes.start },
  {
    path: /^\/v2\/(.+)\/blobs\/uploads\/([^/]+)$/,
    methods: ["GET", "PATCH", "PUT", "DELETE"],
    route: UploadRoutes.session
  },
  { path: /^\/v2\/(.+)\/blobs\/([^/]+)$/, methods: [...reads, "DELETE"], route: BlobRoutes.blob },
  { path: /^\/v2\/(.+)\/manifests\/([^/]+)$/, methods: [...reads, "PUT", "DELETE"], route: ManifestRoutes.manifest },
  { path: /^\/v2\/(.+)\/tags\/list$/, methods: reads, route: ListRoutes.tags },
  { path: /^\/v2\/(.+)\/referrers\/([^/]+)$/, methods: reads, route: ListRoutes.referrers }
]

/** The end of a path as it was meant; none for what is not percent-encoded UTF-8. */
const decode = Option.liftThrowable(decodeURIComponent)

const dispatch = Effect.fnUntraced(function*(state: State, exchange: Exchange): Effect.fn.Return<Reply, OciError> {
  if (exchange.path === "/token") return yield* state.access.token(exchange)
  if (exchange.path === "/v2/" || exchange.path === "/v2") {
    yield* state.access.check(exchange, "", "pull")
    return Exchanges.json(200, {})
  }
  if (exchange.path === "/v2/_catalog") return yield* ListRoutes.catalog(state, exchange)
  for (const { methods, path, route } of routes) {
    const match = path.exec(exchange.path)
    if (match === null) continue
    const [, name = "", rest = ""] = match
    if (!Repositories.isName(name)) {
      return yield* new OciError({ code: "NAME_INVALID", detail: `invalid name: ${name}` })
    }
    const { deletes, readOnly } = state.behaviour
    const refused = !methods.includes(exchange.method) || (readOnly && !reads.includes(exchange.method)) ||
      (!deletes && exchange.method === "DELETE" && route !== UploadRoutes.session)
    if (refused) return yield* new OciError({ code: "UNSUPPORTED", detail: "the operation is unsupported" })
    const decoded = decode(rest)
    if (Option.isNone(decoded)) return Exchanges.text(400, "400 Bad Request\n")
    return yield* route(state, exchange, name, decoded.value)
  }
  return Exchanges.text(404, "404 page not found\n")
})

const handle = Effect.fnUntraced(function*(state: State, exchange: Exchange) {
  const reply = yield* dispatch(state, exchange).pipe(Effect.catch((error) => Effect.succeed(replyOf(error))))
  return { ...reply, headers: { "docker-distribution-api-version": "registry/2.0", ...reply.headers } }
})

/** Serves until the scope closes. */
export const make = Effect.fnUntraced(function*(
  options: EmbeddedRegistryOptions = {}
): Effect.fn.Return<EmbeddedRegistry, ListenError, Scope.Scope> {
  const { auth = { _tag: "None" }, folder, port, tls, ...behaviour } = options
  // The realm of a challenge needs the port, which is known once the listener is there.
  let url = ""
  const state: State = {
    storage: folder === undefined ? BlobStorage.inMemory() : BlobStorage.inFolder(folder),
    repositories: new Map(),
    uploads: new Map(),
    access: Access.make(auth, () => url),
    behaviour: { ...defaults, ...behaviour },
    url: () => url
  }
  const listener = yield* Listener.make({ port, tls, handle: (exchange) => handle(state, exchange) })
  url = listener.url
  const loadBlob = (repository: string, content: Uint8Array): string => {
    const digest = BlobStorage.sha256(content)
    state.storage.put(digest, content)
    States.open(state, repository).blobs.add(digest)
    return digest
  }
  return {
    host: listener.host,
    port: listener.port,
    url,
    log: listener.log,
    faults: listener.faults,
    switchOff: listener.switchOff,
    switchOn: listener.switchOn,
    behaviour: state.behaviour,
    revokeTokens: state.access.revokeTokens,
    load: (repository, image, tag) =>
      Effect.sync(() => {
        for (const blob of image.blobs) loadBlob(repository, blob)
        for (const manifest of image.children) Repositories.store(States.open(state, repository), undefined, manifest)
        Repositories.store(States.open(state, repository), tag, image.manifest)
        return image.manifest.digest
      }),
    loadManifest: (repository, manifest, tag) =>
      Effect.sync(() => Repositories.store(States.open(state, repository), tag, manifest)),
    loadBlob: (repository, content) => Effect.sync(() => loadBlob(repository, content)),
    resolve: (repository, reference) => {
      const found = state.repositories.get(repository)
      return found === undefined ? undefined : Repositories.find(found, reference)?.digest
    },
    manifest: (repository, reference) => {
      const found = state.repositories.get(repository)
      return found === undefined ? undefined : Repositories.find(found, reference)
    },
    blob: (digest) => state.storage.read(digest),
    hasBlob: (repository, digest) => state.repositories.get(repository)?.blobs.has(digest) === true,
    repositories: () => [...state.repositories.keys()],
    tags: (repository) => [...state.repositories.get(repository)?.tags.keys() ?? []],
    remove: (repository, reference) =>
      Effect.sync(() => {
        const found = state.repositories.get(repository)
        return found !== undefined && Repositories.removeManifest(found, reference)
      }),
    removeRepository: (repository) => Effect.sync(() => state.repositories.delete(repository))
  }
})
