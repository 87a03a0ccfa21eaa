// The registry client and the cloner with test settings: no waiting between tries, no log, credentials as given.
import { NodeServices } from "@effect/platform-node"
import { Duration, Effect, Layer, Option, References } from "effect"
import type { LookupFunction } from "node:net"
import { Cloner } from "../../src/clone/Cloner.ts"
import { Resolver } from "../../src/registry/transport/AddressPolicy.ts"
import { Credentials } from "../../src/registry/auth/Credentials.ts"
import type { Credential } from "../../src/registry/auth/DockerConfig.ts"
import { CloudLibraries } from "../../src/registry/identity/CloudLibraries.ts"
import type { CloudOptions } from "../../src/registry/identity/CloudOptions.ts"
import type { CloudProviders } from "../../src/registry/identity/CloudProvider.ts"
import { CurrentLimits, defaultLimits, type Limits } from "../../src/registry/Limits.ts"
import { RegistryClient } from "../../src/registry/RegistryClient.ts"
import { type RegistryOptions, RegistrySettings } from "../../src/registry/RegistrySettings.ts"
import { noProxies, type Proxies } from "../../src/settings/Proxies.ts"

export interface TestOptions {
  /** Host of the backup; the prefix is `mirror`, the layout nested. */
  readonly backup: string
  readonly plainHttp?: ReadonlyArray<string>
  readonly privateHosts?: ReadonlyArray<string>
  readonly sourceCredentials?: RegistryOptions["sourceCredentials"]
  /** Default: no. */
  readonly referrers?: boolean
  /** Default: no, as the daemon has it; the \`clone\` command does. */
  readonly believeTags?: boolean
  /** Default: no, as by hand; the daemon does. */
  readonly spareSilent?: boolean
  /** TAG_POLICY keep. Default: no. */
  readonly keepTags?: boolean
  readonly mostImageBytes?: number
  readonly bytesPerSecond?: number
  /** Default: four hours. */
  readonly cloneTimeout?: Duration.Duration
  readonly credentials?: (registry: string, repository: string) => Credential | ReadonlyArray<Credential> | undefined
  readonly limits?: Partial<Limits>
  readonly lookup?: LookupFunction
  /** A folder in CERTS_DIR's layout. */
  readonly certificates?: string
  readonly proxies?: Proxies
  /** Settings of cloud identities; default: none is used. */
  readonly clouds?: CloudOptions
  /** The clouds themselves. */
  readonly providers?: CloudProviders
  /** Instead of those that these options come to. */
  readonly settings?: Layer.Layer<RegistrySettings>
}

/** What the client is told of the settings: a backup at this host, and nothing out of the ordinary but `more`. */
export const registryOptions = (registry: string, more: Partial<RegistryOptions> = {}): RegistryOptions => ({
  backup: { registry, prefix: "mirror", layout: "nested" },
  plainHttp: [],
  privateHosts: [],
  sourceCredentials: "proven-public",
  referrers: false,
  mostImageBytes: undefined,
  bytesPerSecond: undefined,
  cloneTimeout: Duration.hours(4),
  reserve: 0.2,
  ...more
})

const quickLimits: Limits = {
  ...defaultLimits,
  answerTimeout: Duration.seconds(2),
  retryBase: Duration.millis(1),
  retryCap: Duration.millis(5)
}

const silent = Layer.succeed(References.MinimumLogLevel, "None")

/** The client on its own. */
export const clientLayer = (options: TestOptions) =>
  RegistryClient.layer({
    certificates: Option.fromUndefinedOr(options.certificates),
    proxies: options.proxies ?? noProxies
  }).pipe(
    Layer.provideMerge(Layer.mergeAll(
      options.credentials === undefined ? Credentials.anonymous : Credentials.layerOf(options.credentials),
      options.settings ?? RegistrySettings.layerOf(registryOptions(options.backup, {
        plainHttp: options.plainHttp ?? [],
        privateHosts: options.privateHosts ?? [],
        sourceCredentials: options.sourceCredentials ?? "proven-public",
        referrers: options.referrers ?? false,
        believeTags: options.believeTags ?? false,
        spareSilent: options.spareSilent ?? false,
        keepTags: options.keepTags ?? false,
        mostImageBytes: options.mostImageBytes,
        bytesPerSecond: options.bytesPerSecond,
        cloneTimeout: options.cloneTimeout ?? Duration.hours(4),
        ...(options.clouds === undefined ? {} : { clouds: options.clouds })
      })),
      Layer.succeed(CloudLibraries, () => Effect.succeed(options.providers ?? {})),
      Layer.succeed(CurrentLimits, { ...quickLimits, ...options.limits }),
      options.lookup === undefined ? Layer.empty : Layer.succeed(Resolver, options.lookup),
      NodeServices.layer,
      silent
    ))
  )

/** The cloner over it. */
export const clonerLayer = (options: TestOptions & { readonly permits?: number }) =>
  Cloner.layerOf({ permits: options.permits ?? 3 }).pipe(Layer.provideMerge(clientLayer(options)))
